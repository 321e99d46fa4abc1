"""The import from a Bcfg2 database.

An import has four parts: the client list, probe results, hosts with reports, and reports. The table `IMPORT` records
the progress for each Bcfg2 database, in the same transaction as the imported data. So an interrupted import continues
where it stopped, and imports nothing twice.

The first three parts are imported once. A later import does not restore a client that was removed here. Reports are
imported repeatedly: each import adds the reports that Bcfg2 has stored since the last one.

Existing data is newer and is never replaced.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone, tzinfo
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from geventcore.bcfg2_import import clients as bcfg2_clients
from geventcore.bcfg2_import import schema as bcfg2_schema
from geventcore.bcfg2_import.clients import Bcfg2Host, Bcfg2Probes
from geventcore.bcfg2_import.problems import Problems
from geventcore.bcfg2_import.reports import Batch, ReportReader
from geventcore.bcfg2_import.source import Source
from geventcore.errors import StorageError
from geventcore.storage.announcements import SOMETHING
from geventcore.storage.clients import StoredClient, add_client, get_client, update_client
from geventcore.storage.database import Database
from geventcore.storage.import_tables import IMPORT
from geventcore.storage.migration import SchemaState, require_current, schema_version, upgrade
from geventcore.storage.probes import ProbeUpload, replace_probes
from geventcore.storage.report_tables import HOST
from geventcore.storage.report_writing import Stored, chunks, store_interactions
from geventcore.storage.schema import PROBE_UPLOAD
from geventcore.storage.statements import insert_if_missing, insert_or_update

T = TypeVar("T")

CLIENTS, PROBES, HOSTS, REPORTS = PARTS = ("clients", "probes", "hosts", "reports")


@dataclass(frozen=True)
class Progress:
    """The progress of a part in this run: `done` of `total` rows, or clients for probes."""

    part: str
    done: int
    total: int


@dataclass
class Counts:
    """The results of a part in this run.

    Attributes:
        imported: imported rows; in a dry run, the rows to import.
        known: rows that existed already.
        unreadable: rows that cannot be imported.
        before: time of an earlier run that imported this part, so that nothing was left to do; or None.
    """

    imported: int = 0
    known: int = 0
    unreadable: int = 0
    before: datetime | None = None


@dataclass
class Import:
    """One import run.

    Attributes:
        source: the Bcfg2 database.
        main: target of the client list and probes; None if it does not exist yet, in a dry run.
        reports: target of reports; None likewise.
        zone: time zone of the Bcfg2 server's clock; None for that of this machine.
        dry_run: whether to read and count only.
        again: whether to import parts again.
        tell: called with a line for each skipped row.
        counts: results of each part.
    """

    source: Source
    main: Database | None
    reports: Database | None
    zone: tzinfo | None = None
    dry_run: bool = False
    again: bool = False
    tell: Callable[[str], None] = lambda _: None
    counts: dict[str, Counts] = field(default_factory=dict)

    def run(self) -> Iterator[Progress]:
        """Run the import. Yield the progress after every transaction.

        Raises:
            StorageError: one of the databases failed.
        """
        source = self.source
        self._check_zone()
        if source.has(bcfg2_schema.CLIENT_LIST):
            total = bcfg2_clients.count_rows(source, bcfg2_schema.CLIENT_LIST)
            yield from self._once(CLIENTS, self.main, total, partial(bcfg2_clients.clients, source), _store_clients)
        if source.has(bcfg2_schema.PROBE_DATA) or source.has(bcfg2_schema.PROBE_GROUPS):
            total = bcfg2_clients.count_probe_clients(source)
            read_probes = partial(bcfg2_clients.probes, source, self.zone)
            yield from self._once(PROBES, self.main, total, read_probes, _store_probes)
        if source.has_reports:
            total = bcfg2_clients.count_rows(source, bcfg2_schema.REPORT_CLIENT)
            read_hosts = partial(bcfg2_clients.hosts, source, self.zone)
            yield from self._once(HOSTS, self.reports, total, read_hosts, _store_hosts)
            yield from self._reports()

    def _once(
        self,
        part: str,
        database: Database | None,
        total: int,
        read: Callable[[Problems], Iterator[Sequence[Any]]],
        store: Callable[[Connection, Sequence[Any]], int],
    ) -> Iterator[Progress]:
        """Import a part that is imported once. After an interruption, existing rows are skipped."""
        counts = self.counts[part] = Counts()
        before = self._before(database, part)
        if before is not None:
            counts.before = before.updated
            return
        problems = Problems(self.tell)
        done = 0
        yield Progress(part, 0, total)
        for chunk in read(problems):
            new = len(chunk)
            if database is not None and not self.dry_run:
                # Running servers may have cached clients.
                new = database.write(partial(_call, store, chunk), [SOMETHING])
            counts.imported += new
            counts.known += len(chunk) - new
            counts.unreadable = problems.count
            done += len(chunk)
            yield Progress(part, min(done, total), total)
        if database is not None and not self.dry_run:
            database.write(partial(self._note, part=part, position=total, mark=None, counts=counts))
        yield Progress(part, total, total)

    def _reports(self) -> Iterator[Progress]:
        counts = self.counts[REPORTS] = Counts()
        before = self._before(self.reports, REPORTS)
        position, earlier = 0, Counts()
        problems = Problems(self.tell)
        reader = ReportReader(self.source, self.zone, problems)
        late: list[Batch] = []
        if before is not None and before.mark == self._mark(before.position):
            position = before.position
            earlier = Counts(before.imported, before.known, before.unreadable)
            late = _filled(reader, before)
        total, last = reader.extent(position)
        total += len(late)
        if before is not None and not total:
            counts.before = before.updated
            return
        done = 0
        yield Progress(REPORTS, 0, total)
        for batch in itertools.chain(late, reader.batches(position, last)):
            counts.unreadable = problems.count
            new = len(batch.interactions)
            if self.reports is not None and not self.dry_run:
                new = self.reports.write(partial(self._store_batch, batch=batch, before=_sum(earlier, counts)))
            counts.imported += new
            counts.known += len(batch.interactions) - new
            done += batch.rows
            # Bcfg2 may delete old reports meanwhile.
            yield Progress(REPORTS, min(done, total), total)

    def _store_batch(self, connection: Connection, batch: Batch, before: Counts) -> int:
        outcomes = store_interactions(connection, batch.interactions) if batch.interactions else []
        new = outcomes.count(Stored.NEW)
        counts = _sum(before, Counts(new, len(outcomes) - new))
        self._note(connection, REPORTS, batch.position, batch.mark, counts, batch.holes)
        return new

    # -- stored progress

    def _mark(self, position: int) -> bytes:
        with self.source.reading() as connection:
            return self.source.mark(connection, position)

    @property
    def _zone_name(self) -> str | None:
        return None if self.zone is None else str(self.zone)

    def _before(self, database: Database | None, part: str) -> Any:
        """Return the progress row of a part; None if there is none or the part is imported again."""
        if database is None or self.again:
            return None
        query = select(IMPORT).where(IMPORT.c.source == self.source.fingerprint, IMPORT.c.part == part)
        return database.read(lambda connection: connection.execute(query).one_or_none())

    def _check_zone(self) -> None:
        """Refuse to import the same reports with another time zone."""
        before = self._before(self.reports, REPORTS)
        if before is not None and before.zone != self._zone_name:
            raise StorageError(
                f"the last import from {self.source.config} used the time zone {before.zone or 'of this machine'}, "
                f"this one would use {self._zone_name or 'that of this machine'}; "
                f"pass --time-zone {before.zone or 'local'}, or remove the reports and pass --again"
            )

    def _note(
        self,
        connection: Connection,
        part: str,
        position: int,
        mark: bytes | None,
        counts: Counts,
        holes: Sequence[int] = (),
    ) -> None:
        row = {
            "source": self.source.fingerprint,
            "part": part,
            "origin": str(self.source.config),
            "position": position,
            "mark": mark,
            "holes": json.dumps(list(holes)) if holes else None,
            "zone": self._zone_name,
            "imported": counts.imported,
            "known": counts.known,
            "unreadable": counts.unreadable,
            "updated": datetime.now(timezone.utc),
        }
        insert_or_update(connection, IMPORT, [row])


def _filled(reader: ReportReader, before: Any) -> list[Batch]:
    """Import reports with numbers that no report had at the time of the last import."""
    holes = json.loads(before.holes or "[]")
    found = [batch for hole in holes for batch in reader.batches(hole - 1, hole)]
    left = sorted(set(holes) - {batch.position for batch in found})
    # Store them like a part of the batch that ended with the last report of that import.
    return [replace(batch, position=before.position, mark=before.mark, holes=left) for batch in found]


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(one.imported + other.imported, one.known + other.known, one.unreadable + other.unreadable)


def make_tables(database: Database, tell: Callable[[str], None]) -> None:
    """Create the tables of geventcore in a database, beside those of Bcfg2 if there are any.

    Raises:
        SchemaMismatch: the database has tables of another version or of other programs.
    """
    version = schema_version(database.config)
    if version.state in (SchemaState.EMPTY, SchemaState.BCFG2):
        upgrade(database.config, tell)
    else:
        require_current(version, database.config)


def _call(store: Callable[[Connection, T], int], rows: T, connection: Connection) -> int:
    return store(connection, rows)


def _store_clients(connection: Connection, rows: Sequence[StoredClient]) -> int:
    new = 0
    for client in rows:
        if add_client(connection, client):
            new += 1
        elif client.version is not None:
            known = get_client(connection, client.hostname)
            if known is not None and known.version is None:
                update_client(connection, client.hostname, {"version": client.version})
    return new


def _store_probes(connection: Connection, rows: Sequence[Bcfg2Probes]) -> int:
    newer = []
    for client in rows:
        query = select(PROBE_UPLOAD.c.timestamp).where(PROBE_UPLOAD.c.hostname == client.hostname)
        known = connection.scalar(query)
        if known is None or known < client.timestamp:
            newer.append(ProbeUpload(client.hostname, client.groups, client.data, client.timestamp))
    for chunk in chunks(newer):
        replace_probes(connection, chunk)
    return len(newer)


def _store_hosts(connection: Connection, rows: Sequence[Bcfg2Host]) -> int:
    new = 0
    for host in rows:
        known = connection.scalar(select(HOST.c.id).where(HOST.c.hostname == host.hostname))
        if known is None:
            new += insert_if_missing(connection, HOST, {"hostname": host.hostname, "expired": host.expired})
    return new
