"""The removal of reports, and of rows that no report refers to.

Purging uses many small transactions. So the server can store reports meanwhile, and an interruption leaves a consistent
database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import ColumnElement, Connection, Delete, Table, delete, func, select

from geventcore.storage.database import Database
from geventcore.storage.report_encoding import unpack_entries
from geventcore.storage.report_tables import CIRCUMSTANCES, ENTRY_STATE, FINDINGS, HOST, INTERACTION, MEMBERSHIP
from geventcore.storage.report_writing import chunks, today

#: Rows in one transaction.
BATCH = 1000
#: Days for which rows without references are kept. A transaction that found such a row has ended by then.
KEPT_DAYS = 2


@dataclass(frozen=True)
class Purge:
    """The selection of reports to remove. A report must match all conditions that are set.

    Attributes:
        hostname: reports of this host.
        before: reports older than this time, in milliseconds since the epoch.
        expired: reports of hosts that are out of service.
        state: ``clean`` or ``dirty`` reports, or reports with ``modified`` entries.
    """

    hostname: str | None = None
    before: int | None = None
    expired: bool = False
    state: str | None = None

    @property
    def is_everything(self) -> bool:
        """True if no condition is set, so that all reports match."""
        return self.hostname is None and self.before is None and not self.expired and self.state is None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions for a query over reports."""
        conditions: list[ColumnElement[bool]] = []
        if self.before is not None:
            conditions.append(INTERACTION.c.timestamp < self.before)
        if self.state is not None:
            is_modified = FINDINGS.c.modified > 0
            matching = is_modified if self.state == "modified" else FINDINGS.c.is_clean.is_(_CLEAN[self.state])
            conditions.append(INTERACTION.c.findings_id.in_(select(FINDINGS.c.id).where(matching)))
        return conditions


_CLEAN = {"clean": True, "dirty": False}


@dataclass(frozen=True)
class Progress:
    """The numbers of removed reports, hosts, and rows without references."""

    reports: int = 0
    hosts: int = 0
    orphans: int = 0


def purge(database: Database, what: Purge, day: int | None = None) -> Iterator[Progress]:
    """Remove reports. Yield the progress after every transaction.

    A host without remaining reports is removed, too, if `what` names it or selects hosts out of service. `day` is
    today in days since the epoch.
    """
    progress = Progress()
    for host in database.read(partial(_hosts, what=what)):
        count = BATCH
        while count == BATCH:
            count = database.write(partial(_remove_reports, host=host, what=what))
            progress = replace(progress, reports=progress.reports + count)
            yield progress
        if what.hostname is not None or what.expired:
            progress = replace(progress, hosts=progress.hosts + database.write(partial(_remove_host, host=host)))
            yield progress
    for count in remove_orphans(database, today() if day is None else day):
        progress = replace(progress, orphans=progress.orphans + count)
        yield progress


def _hosts(connection: Connection, what: Purge) -> list[int]:
    query = select(HOST.c.id).order_by(HOST.c.id)
    if what.hostname is not None:
        query = query.where(HOST.c.hostname == what.hostname)
    if what.expired:
        query = query.where(HOST.c.expired.is_not(None))
    return list(connection.scalars(query))


def _remove_reports(connection: Connection, host: int, what: Purge) -> int:
    query = select(INTERACTION.c.timestamp).where(INTERACTION.c.host_id == host, *what.conditions())
    times = list(connection.scalars(query.order_by(INTERACTION.c.timestamp).limit(BATCH)))
    for chunk in chunks(times):
        connection.execute(delete(INTERACTION).where(INTERACTION.c.host_id == host, INTERACTION.c.timestamp.in_(chunk)))
    return len(times)


def _remove_host(connection: Connection, host: int) -> int:
    query = select(func.count()).select_from(INTERACTION).where(INTERACTION.c.host_id == host)
    if connection.scalar(query):
        return 0
    return connection.execute(delete(HOST).where(HOST.c.id == host)).rowcount


def remove_orphans(database: Database, day: int) -> Iterator[int]:
    """Remove rows that no report has referred to for `KEPT_DAYS`. Yield the number of rows of each transaction."""
    references = {
        FINDINGS: INTERACTION.c.findings_id,
        MEMBERSHIP: INTERACTION.c.membership_id,
        CIRCUMSTANCES: INTERACTION.c.circumstances_id,
    }
    for table, column in references.items():
        yield from _remove_rows(database, table, _referred(database, column), day)
    yield from _remove_rows(database, ENTRY_STATE, _referred_states(database), day)


def _referred(database: Database, column: ColumnElement[int]) -> set[int]:
    """Collect the row numbers that reports refer to, host by host. One query over all would exceed the timeout."""
    found: set[int] = set()
    for host in database.read(partial(_hosts, what=Purge())):
        found |= database.read(partial(_referred_by, column=column, host=host))
    return found


def _referred_by(connection: Connection, column: ColumnElement[int], host: int) -> set[int]:
    return set(connection.scalars(select(column).where(INTERACTION.c.host_id == host).distinct()))


def _referred_states(database: Database) -> set[int]:
    found: set[int] = set()
    last = 0
    while True:
        rows = database.read(partial(_entries_after, last=last))
        for number, entries in rows:
            last = number
            for states in unpack_entries(entries).values():
                found.update(states)
        if len(rows) < BATCH:
            return found


def _entries_after(connection: Connection, last: int) -> list[tuple[int, bytes]]:
    query = select(FINDINGS.c.id, FINDINGS.c.entries).where(FINDINGS.c.id > last).order_by(FINDINGS.c.id).limit(BATCH)
    return [(number, entries) for number, entries in connection.execute(query)]


def _remove_rows(database: Database, table: Table, kept: set[int], day: int) -> Iterator[int]:
    is_old = table.c.used < day - KEPT_DAYS
    candidates = database.read(partial(_old_rows, table=table, day=day))
    for chunk in chunks(number for number in candidates if number not in kept):
        # Check the day again: a report may have started to refer to the row.
        statement = delete(table).where(table.c.id.in_(chunk), is_old)
        yield database.write(partial(_delete, statement=statement))


def _old_rows(connection: Connection, table: Table, day: int) -> list[int]:
    return list(connection.scalars(select(table.c.id).where(table.c.used < day - KEPT_DAYS)))


def _delete(connection: Connection, statement: Delete) -> int:
    return connection.execute(statement).rowcount
