"""The number of uploads that the database takes in each second: results of probes, and reports.

    python -m contrib.bench.storage --seconds 5

Sixty-four greenlets upload as clients do, one upload after the other, each of them durable when it returns; a process
of its own for each measurement, which ends when its time is over or all clients have uploaded what they have.
*Together* is what the server does: those that wait share a commit. *Alone* has a commit for each upload. Databases are
on the disk of the temporary directory, and both kinds sync it (``fsync``). Processor time is that of the process that
writes, without the database server's. Results of five probes differ in each upload; of ten bad entries in a report one
does in every twentieth. PostgreSQL is measured if `contrib.bench.postgresql` finds it. `contrib.bench.uploads` does it
over the network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contrib.bench import postgresql
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig

if TYPE_CHECKING:
    from geventcore.reporting.journal import JournaledSink
    from geventcore.storage.database import Database

CONCURRENCY = 64

#: Runs in a process of its own, because the standard library is patched there before anything else is imported.
_WORKER = """
from geventcore.cores.cooperation import patch_standard_library
patch_standard_library()
import sys
from contrib.bench.storage import write
write(sys.argv[1])
"""


#: Reports of each client at most: they are made before the clock starts.
REPORTS = 200


def write(arguments: str) -> None:
    """Upload for a while, and print the figures in JSON."""
    import time

    import gevent

    from geventcore.reporting import journal
    from geventcore.storage import database as databases
    from geventcore.storage.database import Database

    given = json.loads(arguments)
    databases.BATCH_LIMIT = journal.BATCH_LIMIT = given["batch"]
    database = Database.open(DatabaseConfig(**given["config"]), _offload)
    uploads = [_UPLOADS[given["kind"]](database, client) for client in range(CONCURRENCY)]
    end = time.monotonic() + given["seconds"]

    def upload(stores: Iterable[Callable[[], object]]) -> int:
        done = 0
        for store in stores:
            store()
            done += 1
            if time.monotonic() >= end:
                break
        return done

    start, busy = time.monotonic(), time.process_time()
    writers = [gevent.spawn(upload, stores) for stores in uploads]
    gevent.joinall(writers, raise_error=True)
    elapsed, busy = time.monotonic() - start, time.process_time() - busy
    commits = database.statistics().commits
    database.close()
    writes = sum(writer.value for writer in writers)
    print(json.dumps({"writes": writes, "commits": commits, "seconds": elapsed, "busy": busy}))


def _probes(database: Database, client: int) -> Iterator[Callable[[], object]]:
    from datetime import datetime, timezone

    from geventcore.storage.probes import ProbeUpload, replace_probes

    for number in itertools.count():
        data = {f"probe{index}": f"result {number} of {index}\n" * 4 for index in range(5)}
        upload = ProbeUpload(f"client{client}.example.com", ["a", "b"], data, datetime.now(timezone.utc))
        yield partial(database.write_item, replace_probes, upload)


_sinks: dict[Database, JournaledSink] = {}


def _reports(database: Database, client: int) -> Iterable[Callable[[], object]]:
    from contrib.bench.reports import interaction
    from geventcore.options import Settings
    from geventcore.reporting.delivery import DatabaseSink
    from geventcore.reporting.journal import JournaledSink
    from geventcore.reporting.transports import TransportContext

    if database not in _sinks:
        directory = Path(database.config.name).parent
        context = TransportContext(Settings, directory, lambda: database, _offload)
        _sinks[database] = JournaledSink(DatabaseSink(context.database), context)
    return [partial(_sinks[database].store, interaction(client, run)) for run in range(REPORTS)]


#: What is uploaded -> a function of a database and a client that gives its uploads: each is called to be stored.
_UPLOADS: dict[str, Callable[[Database, int], Iterable[Callable[[], object]]]] = {
    "probes": _probes,
    "reports": _reports,
}


def _offload(function: Any, *arguments: Any) -> Any:
    import gevent

    return gevent.get_hub().threadpool.apply(function, arguments)


def measure(config: DatabaseConfig, kind: str, batch: int, seconds: float) -> dict[str, float]:
    """Upload for some seconds in another process, up to `batch` uploads in a transaction."""
    fields = ("engine", "name", "user", "password", "host", "port", "schema")
    given = {"config": {name: getattr(config, name) for name in fields}, "batch": batch, "seconds": seconds}
    given["kind"] = kind
    done = subprocess.run(
        [sys.executable, "-c", _WORKER, json.dumps(given)], stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="Measure how many uploads the database takes in.")
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long each measurement lasts at most")
    options = parser.parse_args(arguments)
    print(f"{'database':12} {'uploads':10} {'commits':10} {'uploads/s':>10} {'per commit':>11} {'CPU ms/upload':>14}")
    with tempfile.TemporaryDirectory() as directory:
        for kind, (name, batch) in itertools.product(_UPLOADS, (("alone", 1), ("together", 100))):
            configs = [DatabaseConfig("sqlite3", str(Path(directory) / f"{kind}-{name}.sqlite"))]
            configs += [postgresql.new_config()] if postgresql.is_available() else []
            for config in configs:
                migration.upgrade(config)
                found = measure(config, kind, batch, options.seconds)
                print(
                    f"{config.engine:12} {kind:10} {name:10} {found['writes'] / found['seconds']:10.0f} "
                    f"{found['writes'] / found['commits']:11.1f} {found['busy'] / found['writes'] * 1000:14.2f}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
