"""Queries for the web pages: the fleet at a moment, runs by time, and the details that many hosts share.

A page must be cheap with ten thousand hosts and millions of reports. So a query reads one short row for each host or
run. These rows have numbers for what hosts share (findings, memberships, circumstances), which is read once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Select, case, func, select, true

from geventcore.storage.report_encoding import unpack_entries, unpack_stamps
from geventcore.storage.report_model import EntryKind
from geventcore.storage.report_tables import (
    CIRCUMSTANCES,
    ENTRY_STATE,
    FINDINGS,
    HOST,
    INTERACTION,
    MARK,
    MEMBERSHIP,
)
from geventcore.storage.report_writing import chunks

#: Runs of an hour whose duration is read; the median of more would not differ visibly.
DURATION_SAMPLE = 200
#: The most results of a search for entries.
SEARCH_LIMIT = 200


@dataclass(frozen=True, slots=True)
class RunRow:
    """One report, with the numbers of what it shares with others.

    Attributes:
        host: name of the host.
        expired: when the host went out of service in milliseconds since the epoch, or None.
        timestamp: time of arrival in milliseconds since the epoch.
        findings, membership, circumstances: row numbers.
        stamps: times of the phases, packed; see `duration_of`.
    """

    host: str
    expired: int | None
    timestamp: int
    findings: int
    membership: int
    circumstances: int
    stamps: bytes


@dataclass(frozen=True, slots=True)
class FindingsRow:
    """The counts of a result: see the table's columns."""

    is_clean: bool
    total: int
    good: int
    bad: int
    modified: int
    extra: int


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """The profile, version, groups and bundles of clients."""

    profile: str
    version: str
    groups: tuple[str, ...]
    bundles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CircumstancesRow:
    """The server and revision of runs, and their options."""

    server: str
    revision: str
    dry_run: bool
    only_important: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A note on a host: its text, its author, and the time in milliseconds since the epoch."""

    note: str
    author: str
    since: int


@dataclass(frozen=True, slots=True)
class HourRow:
    """The runs of one period.

    Attributes:
        runs: number of runs.
        dirty, modified: runs that ended dirty, and clean ones that changed something.
        failures: sum of bad entries.
        hosts, dirty_hosts: hosts that ran, and hosts with at least one dirty run.
        median_milliseconds: median duration of a sample of the runs; None if none is known.
    """

    runs: int
    dirty: int
    modified: int
    failures: int
    hosts: int
    dirty_hosts: int
    median_milliseconds: int | None


def duration_of(packed: bytes) -> int | None:
    """Return the length of a run in milliseconds from its packed times; None if the client sent none."""
    times = unpack_stamps(packed)
    return max(times) - min(times) if len(times) > 1 else None


_RUN_COLUMNS = (
    HOST.c.hostname,
    HOST.c.expired,
    INTERACTION.c.timestamp,
    *(INTERACTION.c.findings_id, INTERACTION.c.membership_id, INTERACTION.c.circumstances_id),
    INTERACTION.c.stamps,
)


def _run(row: Sequence[Any]) -> RunRow:
    host, expired, timestamp, findings, membership, circumstances, stamps = row
    return RunRow(host, expired, timestamp, findings, membership, circumstances, bytes(stamps))


def newest_runs(connection: Connection, until: int | None = None) -> list[RunRow]:
    """Return the last report of each host, up to a time in milliseconds since the epoch, sorted by name."""
    query = _newest_lateral(until) if connection.dialect.name == "postgresql" else _newest_by_time(until)
    return [_run(row) for row in connection.execute(query.order_by(HOST.c.hostname))]


def _newest_by_time(until: int | None) -> Select[Any]:
    inner = INTERACTION.alias("newest")
    newest = select(func.max(inner.c.timestamp)).where(inner.c.host_id == HOST.c.id)
    if until is not None:
        newest = newest.where(inner.c.timestamp <= until)
    is_newest = (INTERACTION.c.host_id == HOST.c.id) & (INTERACTION.c.timestamp == newest.scalar_subquery())
    return select(*_RUN_COLUMNS).select_from(HOST).join(INTERACTION, is_newest)


def _newest_lateral(until: int | None) -> Select[Any]:
    """Return the same query for PostgreSQL, which would read all reports for the other one."""
    newest = select(INTERACTION).where(INTERACTION.c.host_id == HOST.c.id)
    if until is not None:
        newest = newest.where(INTERACTION.c.timestamp <= until)
    found = newest.order_by(INTERACTION.c.timestamp.desc()).limit(1).lateral("newest")
    columns = (
        found.c.timestamp,
        *(found.c.findings_id, found.c.membership_id, found.c.circumstances_id),
        found.c.stamps,
    )
    return select(HOST.c.hostname, HOST.c.expired, *columns).select_from(HOST).join(found, true())


def host_number(connection: Connection, hostname: str) -> int | None:
    """Return the row number of a host, or None if it is unknown."""
    return connection.scalar(select(HOST.c.id).where(HOST.c.hostname == hostname))


def host_expired(connection: Connection, hostname: str) -> int | None:
    """Return since when a host is out of service, in milliseconds since the epoch, or None."""
    return connection.scalar(select(HOST.c.expired).where(HOST.c.hostname == hostname))


def runs_of_host(connection: Connection, hostname: str, limit: int, before: int | None = None) -> list[RunRow]:
    """Return the last runs of a host, newest first; with `before`, only earlier ones."""
    number = host_number(connection, hostname)
    query = select(*_RUN_COLUMNS).join(HOST, HOST.c.id == INTERACTION.c.host_id)
    query = query.where(INTERACTION.c.host_id == number)
    if before is not None:
        query = query.where(INTERACTION.c.timestamp < before)
    query = query.order_by(INTERACTION.c.timestamp.desc()).limit(limit)
    return [_run(row) for row in connection.execute(query)]


def findings_rows(connection: Connection, numbers: Iterable[int]) -> dict[int, FindingsRow]:
    """Row number -> counts."""
    columns = (FINDINGS.c.is_clean, FINDINGS.c.total, FINDINGS.c.good, FINDINGS.c.bad, FINDINGS.c.modified)
    found = {}
    for chunk in chunks(sorted(set(numbers))):
        query = select(FINDINGS.c.id, *columns, FINDINGS.c.extra).where(FINDINGS.c.id.in_(chunk))
        found.update({row[0]: FindingsRow(*row[1:]) for row in connection.execute(query)})
    return found


def membership_rows(connection: Connection, numbers: Iterable[int]) -> dict[int, MembershipRow]:
    """Row number -> membership."""
    found = {}
    columns = (MEMBERSHIP.c.profile, MEMBERSHIP.c.version, MEMBERSHIP.c.groups, MEMBERSHIP.c.bundles)
    for chunk in chunks(sorted(set(numbers))):
        query = select(MEMBERSHIP.c.id, *columns).where(MEMBERSHIP.c.id.in_(chunk))
        for number, profile, version, groups, bundles in connection.execute(query):
            found[number] = MembershipRow(
                profile or "", version or "", tuple(json.loads(groups)), tuple(json.loads(bundles))
            )
    return found


def circumstances_rows(connection: Connection, numbers: Iterable[int]) -> dict[int, CircumstancesRow]:
    """Row number -> circumstances."""
    found = {}
    columns = (
        *(CIRCUMSTANCES.c.server, CIRCUMSTANCES.c.revision),
        *(CIRCUMSTANCES.c.dry_run, CIRCUMSTANCES.c.only_important),
    )
    for chunk in chunks(sorted(set(numbers))):
        query = select(CIRCUMSTANCES.c.id, *columns).where(CIRCUMSTANCES.c.id.in_(chunk))
        found.update({row[0]: CircumstancesRow(*row[1:]) for row in connection.execute(query)})
    return found


def entries_of_findings(connection: Connection, numbers: Iterable[int]) -> dict[int, tuple[tuple[EntryKind, int], ...]]:
    """Row number of findings -> kinds and row numbers of their entry states."""
    found = {}
    for chunk in chunks(sorted(set(numbers))):
        query = select(FINDINGS.c.id, FINDINGS.c.entries).where(FINDINGS.c.id.in_(chunk))
        for number, packed in connection.execute(query):
            found[number] = tuple((kind, state) for kind, states in unpack_entries(packed).items() for state in states)
    return found


def entry_labels(connection: Connection, numbers: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Row number of an entry state -> tag and name."""
    found = {}
    for chunk in chunks(sorted(set(numbers))):
        query = select(ENTRY_STATE.c.id, ENTRY_STATE.c.tag, ENTRY_STATE.c.name).where(ENTRY_STATE.c.id.in_(chunk))
        found.update({number: (tag, name) for number, tag, name in connection.execute(query)})
    return found


def states_of_entry(connection: Connection, entry: int) -> list[int]:
    """Return the row numbers of the states of an entry, by the hash `report_encoding.entry_number`."""
    return list(connection.scalars(select(ENTRY_STATE.c.id).where(ENTRY_STATE.c.entry == entry)))


def period(connection: Connection, start: int, end: int) -> HourRow:
    """Count the runs of a period of time, in milliseconds since the epoch; the end is not part of it."""
    dirty = FINDINGS.c.is_clean.is_(False)
    in_period = (INTERACTION.c.timestamp >= start, INTERACTION.c.timestamp < end)
    by_findings = (
        select(INTERACTION.c.findings_id, func.count().label("runs"))
        .where(*in_period)
        .group_by(INTERACTION.c.findings_id)
        .subquery()
    )
    runs = by_findings.c.runs
    query = select(
        func.coalesce(func.sum(runs), 0),
        func.coalesce(func.sum(case((dirty, runs), else_=0)), 0),
        func.coalesce(func.sum(case((~dirty & (FINDINGS.c.modified > 0), runs), else_=0)), 0),
        func.coalesce(func.sum(FINDINGS.c.bad * runs), 0),
    ).join(by_findings, by_findings.c.findings_id == FINDINGS.c.id)
    count, dirty_count, modified, failures = (int(value) for value in connection.execute(query).one())
    if not count:
        return HourRow(0, 0, 0, 0, 0, 0, None)
    hosts = connection.scalar(select(func.count(INTERACTION.c.host_id.distinct())).where(*in_period)) or 0
    dirty_runs = (
        select(func.count(INTERACTION.c.host_id.distinct()))
        .join(FINDINGS, FINDINGS.c.id == INTERACTION.c.findings_id)
        .where(*in_period, dirty)
    )
    dirty_hosts = (connection.scalar(dirty_runs) or 0) if dirty_count else 0
    median = _median_duration(connection, _sample(*in_period))
    return HourRow(count, dirty_count, modified, failures, hosts, dirty_hosts, median)


def _sample(*conditions: Any) -> Select[Any]:
    return select(INTERACTION.c.stamps).where(*conditions).limit(DURATION_SAMPLE)


def _median_duration(connection: Connection, query: Select[Any]) -> int | None:
    known = sorted(value for value in map(duration_of, connection.scalars(query)) if value is not None)
    return known[len(known) // 2] if known else None


def first_and_last(connection: Connection) -> tuple[int, int] | None:
    """Return the times of the first and the last report in milliseconds since the epoch; None without reports."""
    first = connection.scalar(select(INTERACTION.c.timestamp).order_by(INTERACTION.c.timestamp).limit(1))
    last = connection.scalar(select(INTERACTION.c.timestamp).order_by(INTERACTION.c.timestamp.desc()).limit(1))
    return None if first is None or last is None else (first, last)


def find_entries(connection: Connection, text: str, limit: int = SEARCH_LIMIT) -> list[tuple[str, str]]:
    """Return tag and name of reported entries whose name contains a text, sorted."""
    query = (
        select(ENTRY_STATE.c.tag, ENTRY_STATE.c.name)
        .where(ENTRY_STATE.c.name.icontains(text, autoescape=True))
        .distinct()
        .limit(limit)
    )
    return sorted((tag, name) for tag, name in connection.execute(query))


def phases(stamps: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the phases of a run with their durations in milliseconds, from the times at which they ended."""
    return [(name, at - before) for (_, before), (name, at) in pairwise(stamps)]


# -- marks


def all_marks(connection: Connection) -> dict[str, Mark]:
    """Host -> its mark."""
    query = select(HOST.c.hostname, MARK.c.note, MARK.c.author, MARK.c.since).join(HOST, HOST.c.id == MARK.c.host_id)
    return {host: Mark(note, author, since) for host, note, author, since in connection.execute(query)}


def set_mark(connection: Connection, hostname: str, mark: Mark | None) -> bool:
    """Set or remove the mark of a host; return whether the host exists."""
    number = host_number(connection, hostname)
    if number is None:
        return False
    connection.execute(MARK.delete().where(MARK.c.host_id == number))
    if mark is not None:
        values = {"host_id": number, "note": mark.note, "author": mark.author, "since": mark.since}
        connection.execute(MARK.insert().values(values))
    return True


def set_expired(connection: Connection, hostnames: Collection[str], since: int | None) -> int:
    """Take hosts out of service since a time in milliseconds since the epoch, or put them back; return their number."""
    changed = 0
    for chunk in chunks(sorted(hostnames)):
        statement = HOST.update().where(HOST.c.hostname.in_(chunk)).values(expired=since)
        changed += connection.execute(statement).rowcount
    return changed
