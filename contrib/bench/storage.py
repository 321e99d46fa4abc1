"""How many uploads of probes the database takes in.

    python -m contrib.bench.storage --seconds 5

Sixty-four greenlets upload results as clients do, one upload after the other, each of them durable when it returns; a
process of its own for each measurement. *Together* is what the server does: those that wait share a commit. *Alone* has
a commit for each upload. Databases are on the disk of the temporary directory, and both kinds sync it (``fsync``).
Processor time is that of the process that writes, without the database server's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from tests.support.postgresql import PostgreSQL, find_programs

CONCURRENCY = 64

#: Runs in a process of its own, because the standard library is patched there before anything else is imported.
_WORKER = """
from geventcore.cores.cooperation import patch_standard_library
patch_standard_library()
import sys
from contrib.bench.storage import write
write(sys.argv[1])
"""


def write(arguments: str) -> None:
    """Upload for a while, and print what that came to, in JSON."""
    import time
    from datetime import datetime, timezone

    import gevent
    from sqlalchemy import Connection

    from geventcore.storage import group_commit
    from geventcore.storage.database import Database
    from geventcore.storage.probes import replace_probes

    given = json.loads(arguments)
    group_commit.BATCH_LIMIT = given["batch"]
    database = Database.open(DatabaseConfig(**given["config"]), _offload)
    end = time.monotonic() + given["seconds"]

    def upload(client: int) -> None:
        name = f"client{client}.example.com"
        number = 0

        def replace(connection: Connection) -> None:
            data = {f"probe{index}": f"result {number} of {index}\n" * 4 for index in range(5)}
            replace_probes(connection, name, ["a", "b"], data, datetime.now(timezone.utc))

        while time.monotonic() < end:
            number += 1
            database.write(replace)

    start, busy = time.monotonic(), time.process_time()
    gevent.joinall([gevent.spawn(upload, client) for client in range(CONCURRENCY)], raise_error=True)
    elapsed, busy = time.monotonic() - start, time.process_time() - busy
    done = database.statistics()
    database.close()
    print(json.dumps({"writes": done.writes, "commits": done.commits, "seconds": elapsed, "busy": busy}))


def _offload(function: Any, *arguments: Any) -> Any:
    import gevent

    return gevent.get_hub().threadpool.apply(function, arguments)


def measure(config: DatabaseConfig, batch: int, seconds: float) -> dict[str, float]:
    """Upload for some seconds in another process, up to `batch` uploads in a transaction."""
    fields = ("engine", "name", "user", "host", "schema")
    given = {"config": {name: getattr(config, name) for name in fields}, "batch": batch, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-c", _WORKER, json.dumps(given)], stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="Measure how many uploads of probes the database takes in.")
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long each measurement lasts")
    options = parser.parse_args(arguments)
    programs = find_programs()
    print(f"{'database':12} {'commits':10} {'uploads/s':>10} {'per commit':>11} {'CPU ms/upload':>14}")
    with tempfile.TemporaryDirectory() as directory:
        cluster = PostgreSQL(programs, durable=True) if programs else None
        try:
            configs = [DatabaseConfig("sqlite3", str(Path(directory) / "bench.sqlite"))]
            configs += [cluster.new_config()] if cluster else []
            for config in configs:
                migration.upgrade(config)
                for name, batch in (("alone", 1), ("together", 100)):
                    found = measure(config, batch, options.seconds)
                    print(
                        f"{config.engine:12} {name:10} {found['writes'] / found['seconds']:10.0f} "
                        f"{found['writes'] / found['commits']:11.1f} {found['busy'] / found['writes'] * 1000:14.2f}"
                    )
        finally:
            if cluster:
                cluster.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
