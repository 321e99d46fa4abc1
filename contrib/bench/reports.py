"""The cost of reports: bytes in the database, and time to store one as the table grows.

``python -m contrib.bench.reports`` fills a SQLite database in a temporary directory, or with ``--postgresql`` a schema
of the PostgreSQL database that `contrib.bench.postgresql` finds. Rows are made
in bulk. Clients report every half an hour; every twentieth report of a client has something new in it, and the
revision of the repository changes every four hours.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from sqlalchemy import text

from contrib.bench.postgresql import new_config
from geventcore.core.client_documents import ReportReader
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.reporting.parsing import parse_interaction
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.storage.report_queries import entry_counts, last_reports
from geventcore.storage.report_writing import store_interactions

START = 1_790_000_000_000
HALF_AN_HOUR = 1_800_000
BATCH = 100
#: Phases of a run and how long each takes, in milliseconds.
PHASES = {
    "start": 0,
    "probe_download": 105,
    "probe_upload": 57,
    "config_download": 352,
    "config_parse": 1,
    "initialization": 12,
    "inventory": 14_031,
    "install": 511,
    "remove": 4,
    "finished": 2,
}


def interaction(host: int, run: int) -> Interaction:
    """A client's report of a run: ten bad entries, of which one differs in every twentieth run."""
    timestamp = START + run * HALF_AN_HOUR + host * 37
    jitter = (host * 7919 + run * 104_729) % 997
    at, stamps = timestamp - 17_000 + jitter, []
    for phase, milliseconds in PHASES.items():
        at += milliseconds + (jitter if milliseconds > 100 else 0)
        stamps.append((phase, at))
    changing = (host + run) // 20
    states = [
        EntryState(
            "Path",
            f"/etc/service{number}/configuration-{host % 50}.conf",
            (("current_mode", "0644"), ("mode", "0600"), ("owner", "root"), ("type", "file"))
            + ((("current_owner", str(changing)),) if not number else ()),
        )
        for number in range(10)
    ]
    return Interaction(
        client=f"host{host:05}.example.com",
        timestamp=timestamp,
        server="server.example.com",
        state="dirty",
        revision=f"{run // 8:040x}",
        total=410,
        good=400,
        profile="server",
        version="1.3.4",
        groups=("debian", "server", f"site{host % 20}"),
        bundles=("base", "ssh", "web"),
        entries=tuple((EntryKind.BAD, state) for state in states),
        stamps=tuple(stamps),
    )


def batches(hosts: int, first_run: int, count: int) -> Iterator[list[Interaction]]:
    """So many reports, run after run, in batches."""
    batch = []
    for number in range(count):
        batch.append(interaction(number % hosts, first_run + number // hosts))
        if len(batch) == BATCH or number == count - 1:
            yield batch
            batch = []


def fill(database: Database, hosts: int, first_run: int, count: int) -> tuple[float, float]:
    """Store reports; wall time and processor time for one, in milliseconds: the median of the batches."""
    wall, processor = [], []
    for batch in batches(hosts, first_run, count):
        began, began_processor = time.perf_counter(), time.process_time()
        database.write(lambda connection, batch=batch: store_interactions(connection, batch))  # type: ignore[misc]
        wall.append((time.perf_counter() - began) / len(batch))
        processor.append((time.process_time() - began_processor) / len(batch))
    return statistics.median(wall) * 1000, statistics.median(processor) * 1000


def copy_rows(database: Database, copies: int) -> None:
    """Make the table of reports so many times larger: the same reports again, at other times."""
    dialect = "sqlite" if database.config.is_file else "postgresql"
    span = "(SELECT max(timestamp) - min(timestamp) + 1800000 FROM geventcore_report_interaction)"
    series = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies})"
        if dialect == "sqlite"
        else f"WITH n(i) AS (SELECT generate_series(1, {copies}))"
    )
    statement = (
        "INSERT INTO geventcore_report_interaction "
        f"{series} SELECT host_id, timestamp - i * {span}, findings_id, membership_id, circumstances_id, stamps "
        "FROM geventcore_report_interaction, n ORDER BY 1, 2"
    )
    database.write(lambda connection: connection.execute(text(statement)).rowcount)


def size(database: Database) -> int:
    """Bytes of the tables and indexes of reports."""
    if database.config.is_file:
        query = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%report%'"
        try:
            return int(database.read(lambda connection: connection.execute(text(query)).scalar()) or 0)
        # SQLite can be built without that table.
        except Exception:  # noqa: BLE001 - whatever it says
            pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            return int(database.read(lambda connection: connection.execute(text(pages)).scalar()) or 0)
    query = (
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind = 'r' AND c.relname LIKE 'geventcore_report%' AND n.nspname = current_schema()"
    )
    return int(database.read(lambda connection: connection.execute(text(query)).scalar()) or 0)


def rows(database: Database) -> int:
    """Return the number of reports."""
    query = text("SELECT count(*) FROM geventcore_report_interaction")
    return int(database.read(lambda connection: connection.execute(query).scalar()) or 0)


def read_report(document: str) -> etree._Element:
    """Read a report as a server does, in pieces."""
    reader = ReportReader()
    for start in range(0, len(document), 16_384):
        reader.feed(document[start : start + 16_384])
    return reader.close()


def parsing_cost() -> tuple[int, float, float]:
    """Bytes of an upload with 400 good entries, and milliseconds of processor time to parse its XML and to read it."""
    entries = "".join(
        f'<Path name="/etc/f{number}" owner="root" group="root" mode="0644" type="file" paranoid="true" '
        f'current_owner="0" current_group="0" current_mode="0644" qtext="">{"x" * 800}</Path>'
        for number in range(400)
    )
    document = (
        '<upload-statistics><Statistics total="400" version="2.0" revision="-1" good="400" state="clean"><Modified/>'
        f'<Extra/><Good>{entries}</Good><Bad/><OpStamps start="1.5" finished="3.5"/></Statistics></upload-statistics>'
    )
    metadata = ClientMetadata("h", groups={"a"}, bundles={"b"})
    root = read_report(document)
    rounds = 100
    began = time.process_time()
    for _ in range(rounds):
        read_report(document)
    parsed = time.process_time()
    for _ in range(rounds):
        parse_interaction(metadata, root, timestamp=1, server="s", file_limit=1 << 20)
    return len(document), (parsed - began) / rounds * 1000, (time.process_time() - parsed) / rounds * 1000


@contextlib.contextmanager
def new_database(postgresql: bool, directory: Path) -> Iterator[Database]:
    """A database with the tables, and fsync on."""
    with contextlib.ExitStack() as stack:
        if postgresql:
            config = new_config(timeout=60.0)
        else:
            config = DatabaseConfig("sqlite3", str(directory / "reports.sqlite"), timeout=60.0)
        migration.upgrade(config)
        database = Database.open(config)
        stack.callback(database.close)
        yield database


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--postgresql", action="store_true", help="PostgreSQL instead of SQLite")
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--reports", type=int, default=1_000_000, help="how large the table becomes")
    arguments = parser.parse_args()
    length, parsing, reading = parsing_cost()
    print(f"an upload of {length / 1000:.0f} KB: {parsing:.2f} ms to parse the XML, {reading:.3f} ms to read it")
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as directory,
        new_database(arguments.postgresql, Path(directory)) as database,
    ):
        hosts, count = arguments.hosts, 20 * arguments.hosts
        wall, processor = fill(database, hosts, 0, count)
        print(f"storing into {count} reports: {wall:.2f} ms each, {processor:.2f} ms of them processor time")
        before, rows_before = size(database), rows(database)
        copy_rows(database, max(1, arguments.reports // rows_before))
        total = rows(database)
        print(f"{(size(database) - before) / (total - rows_before):.0f} bytes for a report that repeats")
        first = size(database)
        wall, processor = fill(database, hosts, 100, count // 2)
        print(f"storing into {total} reports: {wall:.2f} ms each, {processor:.2f} ms of them processor time")
        print(f"{(size(database) - first) / (count // 2):.0f} bytes for a report of which every twentieth is new")
        began = time.perf_counter()
        reports = database.read(last_reports)
        listed = time.perf_counter()
        database.read(lambda connection: entry_counts(connection, reports, list(EntryKind)))
        print(
            f"{total} reports of {hosts} hosts: the last ones in {(listed - began) * 1000:.0f} ms, their entries in "
            f"{(time.perf_counter() - listed) * 1000:.0f} ms"
        )


if __name__ == "__main__":
    main()
