"""A fleet with a history: the database that the web pages are measured on.

``python -m contrib.bench.fleet reports.sqlite --hosts 10000 --reports 1000000`` makes a SQLite database; with
``--postgresql`` instead of a file, a schema of the database that `contrib.bench.postgresql` finds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from contrib.bench.postgresql import new_config
from geventcore.simulation.report_history import fill
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database


def main() -> None:
    """Make a database and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("file", nargs="?", type=Path, help="the SQLite database to make")
    parser.add_argument("--postgresql", action="store_true", help="PostgreSQL instead of SQLite")
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--reports", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if (arguments.file is None) != arguments.postgresql:
        parser.error("expected either a file or --postgresql")
    if arguments.postgresql:
        config = new_config(timeout=60.0)
    else:
        config = DatabaseConfig("sqlite3", str(arguments.file.absolute()), timeout=60.0)
    migration.upgrade(config)
    database = Database.open(config)
    began = time.monotonic()
    fill(database, arguments.hosts, arguments.reports, time.time_ns() // 1_000_000)
    database.close()
    where = f"schema {config.schema} of {config}" if arguments.postgresql else str(config)
    print(f"{arguments.reports} reports of {arguments.hosts} hosts in {where}, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
