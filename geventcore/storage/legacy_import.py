"""Taking over what a database of Bcfg2 knows.

An import has four parts: the client list, the results of probes, the hosts that have reported, and their reports. The
table `IMPORT` says for each database of Bcfg2 what has been taken over from it, and is written in the same transaction
as what it speaks of: an import that is interrupted, however that happens, goes on where it was, and takes nothing
twice.

The first three parts are taken over once. A client that is removed here does not come back by another import. Reports
go on: those that Bcfg2 has stored since the last import are added.

What is here already is never replaced: it is newer.
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

from geventcore.errors import StorageError
from geventcore.storage import legacy_clients, legacy_schema
from geventcore.storage.announcements import SOMETHING
from geventcore.storage.clients import StoredClient, add_client, get_client, update_client
from geventcore.storage.database import Database
from geventcore.storage.legacy_clients import LegacyHost, LegacyProbes
from geventcore.storage.legacy_problems import Problems
from geventcore.storage.legacy_reports import Batch, ReportReader
from geventcore.storage.legacy_source import Source
from geventcore.storage.legacy_tables import IMPORT
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
    """How far a part is, in this run: `done` of `total` rows, or of `total` clients for probes."""

    part: str
    done: int
    total: int


@dataclass
class Counts:
    """What became of the rows of a part, in this run.

    Attributes:
        imported: rows that were taken over; with a dry run, that would be.
        known: rows that were here already.
        unreadable: rows that cannot be taken over.
        before: when the part was taken over by an earlier run, so that there was nothing to do; or None.
    """

    imported: int = 0
    known: int = 0
    unreadable: int = 0
    before: datetime | None = None


@dataclass
class Import:
    """One run over one source.

    Attributes:
        source: what is read.
        main: where the client list and probes go; None if a dry run finds nothing there yet.
        reports: where reports go; None likewise.
        zone: that of the clock of Bcfg2's server; None for that of this machine.
        dry_run: only read, and count.
        again: take over also what was taken over before.
        tell: is told what is skipped, a line each.
        counts: what has been done, part by part.
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
        """Do it; progress is told after every transaction. `StorageError` if one of the databases fails."""
        source = self.source
        self._check_zone()
        if source.has(legacy_schema.CLIENT_LIST):
            total = legacy_clients.count_rows(source, legacy_schema.CLIENT_LIST)
            yield from self._once(CLIENTS, self.main, total, partial(legacy_clients.clients, source), _store_clients)
        if source.has(legacy_schema.PROBE_DATA) or source.has(legacy_schema.PROBE_GROUPS):
            total = legacy_clients.count_probe_clients(source)
            read_probes = partial(legacy_clients.probes, source, self.zone)
            yield from self._once(PROBES, self.main, total, read_probes, _store_probes)
        if source.has_reports:
            total = legacy_clients.count_rows(source, legacy_schema.REPORT_CLIENT)
            read_hosts = partial(legacy_clients.hosts, source, self.zone)
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
        """A part that is taken over as a whole. Begun again, it finds what it stored before."""
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
                # Servers that work meanwhile may remember clients as they were.
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
            # Bcfg2 may remove old reports meanwhile.
            yield Progress(REPORTS, min(done, total), total)

    def _store_batch(self, connection: Connection, batch: Batch, before: Counts) -> int:
        outcomes = store_interactions(connection, batch.interactions) if batch.interactions else []
        new = outcomes.count(Stored.NEW)
        counts = _sum(before, Counts(new, len(outcomes) - new))
        self._note(connection, REPORTS, batch.position, batch.mark, counts, batch.holes)
        return new

    # -- what is remembered

    def _mark(self, position: int) -> bytes:
        with self.source.reading() as connection:
            return self.source.mark(connection, position)

    @property
    def _zone_name(self) -> str | None:
        return None if self.zone is None else str(self.zone)

    def _before(self, database: Database | None, part: str) -> Any:
        """What is remembered of a part: a row, or None if nothing is or it shall be taken over again."""
        if database is None or self.again:
            return None
        query = select(IMPORT).where(IMPORT.c.source == self.source.fingerprint, IMPORT.c.part == part)
        return database.read(lambda connection: connection.execute(query).one_or_none())

    def _check_zone(self) -> None:
        """Refuse to take over the same reports as of other times."""
        before = self._before(self.reports, REPORTS)
        if before is not None and before.zone != self._zone_name:
            raise StorageError(
                f"the last import took the times of {self.source.config} for those of {before.zone or 'this machine'}, "
                f"and this one would take them for those of {self._zone_name or 'this machine'}; call it with "
                f"--time-zone {before.zone or 'local'}, or remove the reports and call it with --again"
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
    """Reports that have got numbers which none had when the last import came past them."""
    holes = json.loads(before.holes or "[]")
    found = [batch for hole in holes for batch in reader.batches(hole - 1, hole)]
    left = sorted(set(holes) - {batch.position for batch in found})
    # They are stored as if they came with the report that was the last one then.
    return [replace(batch, position=before.position, mark=before.mark, holes=left) for batch in found]


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(one.imported + other.imported, one.known + other.known, one.unreadable + other.unreadable)


def make_tables(database: Database, tell: Callable[[str], None]) -> None:
    """Have a database the tables of geventcore, beside those of Bcfg2 if it has these.

    `SchemaMismatch` if it has those of another version, or others than those of Bcfg2.
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


def _store_probes(connection: Connection, rows: Sequence[LegacyProbes]) -> int:
    newer = []
    for client in rows:
        query = select(PROBE_UPLOAD.c.timestamp).where(PROBE_UPLOAD.c.hostname == client.hostname)
        known = connection.scalar(query)
        if known is None or known < client.timestamp:
            newer.append(ProbeUpload(client.hostname, client.groups, client.data, client.timestamp))
    for chunk in chunks(newer):
        replace_probes(connection, chunk)
    return len(newer)


def _store_hosts(connection: Connection, rows: Sequence[LegacyHost]) -> int:
    new = 0
    for host in rows:
        known = connection.scalar(select(HOST.c.id).where(HOST.c.hostname == host.hostname))
        if known is None:
            new += insert_if_missing(connection, HOST, {"hostname": host.hostname, "expired": host.expired})
    return new
