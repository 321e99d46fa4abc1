"""Queries for reports: the last report of each host, all reports of a host, and the hosts with an entry.

Most hosts have the same findings. So a query for entries of many hosts unpacks each distinct result once.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from geventcore.storage.report_encoding import entry_number, unpack_entries, unpack_stamps, unpack_state
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.storage.report_tables import CIRCUMSTANCES, ENTRY_STATE, FINDINGS, HOST, INTERACTION, MEMBERSHIP
from geventcore.storage.report_writing import chunks

#: A host with an older last report has missed at least one daily run, in milliseconds.
STALE_MILLISECONDS = 25 * 3_600_000


@dataclass(frozen=True)
class Which:
    """The selection of reports and hosts for a query.

    Attributes:
        dry_runs: whether to include dry runs.
        only_important: whether to include runs for important entries only.
        expired: whether to include hosts that are out of service.
        hosts: names of the hosts; None for all.
        until: latest time of reports in milliseconds since the epoch; None for all.
    """

    dry_runs: bool = True
    only_important: bool = True
    expired: bool = False
    hosts: Collection[str] | None = None
    until: int | None = None


@dataclass(frozen=True)
class Report:
    """A report without its entries; the fields are those of `Interaction`.

    Attributes:
        bad, modified, extra: number of entries of each kind.
        expired: time when the host went out of service in milliseconds since the epoch, or None.
        findings: row number of the host's findings; equal numbers mean equal results.
    """

    client: str
    timestamp: int
    state: str
    total: int
    good: int
    bad: int
    modified: int
    extra: int
    server: str
    revision: str
    dry_run: bool
    only_important: bool
    profile: str | None
    version: str | None
    expired: int | None
    findings: int

    def is_stale(self, now: int | None = None) -> bool:
        """Return whether the report is older than 25 hours; `now` is in milliseconds since the epoch."""
        return (now_milliseconds() if now is None else now) - self.timestamp > STALE_MILLISECONDS


@dataclass(frozen=True)
class EntryCount:
    """The number of hosts with an entry of a kind."""

    kind: EntryKind
    tag: str
    name: str
    hosts: int


@dataclass(frozen=True)
class Finding:
    """An entry in a host's findings."""

    report: Report
    kind: EntryKind
    state: EntryState


def now_milliseconds() -> int:
    """The time, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


_COLUMNS = (
    HOST.c.hostname,
    INTERACTION.c.timestamp,
    FINDINGS.c.is_clean,
    *(FINDINGS.c.total, FINDINGS.c.good, FINDINGS.c.bad, FINDINGS.c.modified, FINDINGS.c.extra),
    *(CIRCUMSTANCES.c.server, CIRCUMSTANCES.c.revision, CIRCUMSTANCES.c.dry_run, CIRCUMSTANCES.c.only_important),
    *(MEMBERSHIP.c.profile, MEMBERSHIP.c.version),
    HOST.c.expired,
    INTERACTION.c.findings_id,
)


def _report(row: Sequence[Any]) -> Report:
    host, timestamp, is_clean, *rest = row
    return Report(host, timestamp, "clean" if is_clean else "dirty", *rest)


def _joined(*further: ColumnElement[Any]) -> Select[Any]:
    return (
        select(*_COLUMNS, *further)
        .select_from(HOST)
        .join(INTERACTION, INTERACTION.c.host_id == HOST.c.id)
        .join(FINDINGS, FINDINGS.c.id == INTERACTION.c.findings_id)
        .join(CIRCUMSTANCES, CIRCUMSTANCES.c.id == INTERACTION.c.circumstances_id)
        .join(MEMBERSHIP, MEMBERSHIP.c.id == INTERACTION.c.membership_id)
    )


def _counts(which: Which, interaction: Any) -> list[ColumnElement[bool]]:
    """Return the conditions on a report."""
    conditions = []
    if which.until is not None:
        conditions.append(interaction.c.timestamp <= which.until)
    for wanted, column in ((which.dry_runs, CIRCUMSTANCES.c.dry_run), (which.only_important, _ONLY_IMPORTANT)):
        if not wanted:
            left_out = select(CIRCUMSTANCES.c.id).where(column.is_(True))
            conditions.append(interaction.c.circumstances_id.not_in(left_out))
    return conditions


_ONLY_IMPORTANT = CIRCUMSTANCES.c.only_important


def _host_conditions(which: Which) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if not which.expired:
        conditions.append(HOST.c.expired.is_(None))
    if which.hosts is not None:
        conditions.append(HOST.c.hostname.in_(sorted(which.hosts)))
    return conditions


def host_names(connection: Connection, prefix: str = "") -> list[str]:
    """Return the hosts that have reported and whose name begins with `prefix`, sorted."""
    query = select(HOST.c.hostname).where(HOST.c.hostname.startswith(prefix, autoescape=True)).order_by(HOST.c.hostname)
    return list(connection.scalars(query))


def last_reports(connection: Connection, which: Which = Which()) -> list[Report]:
    """Return the last report of each host, sorted by name."""
    inner = INTERACTION.alias("newest")
    newest = (
        select(func.max(inner.c.timestamp))
        .where(inner.c.host_id == HOST.c.id, *_counts(which, inner))
        .scalar_subquery()
    )
    query = _joined().where(INTERACTION.c.timestamp == newest, *_host_conditions(which)).order_by(HOST.c.hostname)
    return [_report(row) for row in connection.execute(query)]


def host_states(connection: Connection) -> dict[str, int]:
    """Return the number of hosts whose last report is ``clean``, ``dirty`` or ``stale``, without expired hosts."""
    oldest = now_milliseconds() - STALE_MILLISECONDS
    newest = (
        select(INTERACTION.c.host_id, func.max(INTERACTION.c.timestamp).label("timestamp"))
        .group_by(INTERACTION.c.host_id)
        .subquery()
    )
    is_stale = INTERACTION.c.timestamp < oldest
    query = (
        select(FINDINGS.c.is_clean, is_stale, func.count())
        .select_from(HOST)
        .join(newest, newest.c.host_id == HOST.c.id)
        .join(INTERACTION, (INTERACTION.c.host_id == HOST.c.id) & (INTERACTION.c.timestamp == newest.c.timestamp))
        .join(FINDINGS, FINDINGS.c.id == INTERACTION.c.findings_id)
        .where(HOST.c.expired.is_(None))
        .group_by(FINDINGS.c.is_clean, is_stale)
    )
    counts = {"clean": 0, "dirty": 0, "stale": 0}
    for is_clean, stale, hosts in connection.execute(query):
        counts["stale" if stale else "clean" if is_clean else "dirty"] += hosts
    return counts


def reports_of(
    connection: Connection,
    hostname: str,
    limit: int,
    which: Which = Which(),
) -> list[Report]:
    """Return the last reports of a host, newest first."""
    query = _joined().where(HOST.c.hostname == hostname, *_counts(which, INTERACTION))
    query = query.order_by(INTERACTION.c.timestamp.desc()).limit(limit)
    return [_report(row) for row in connection.execute(query)]


def load_interaction(connection: Connection, hostname: str, timestamp: int) -> Interaction | None:
    """Return a host's complete report of a time, or None."""
    further = (
        MEMBERSHIP.c.groups,
        MEMBERSHIP.c.bundles,
        CIRCUMSTANCES.c.stamps,
        INTERACTION.c.stamps.label("times"),
        FINDINGS.c.entries,
    )
    query = _joined(*further).where(HOST.c.hostname == hostname, INTERACTION.c.timestamp == timestamp)
    row = connection.execute(query).first()
    if row is None:
        return None
    report = _report(row[: len(_COLUMNS)])
    groups, bundles, names, times, entries = row[len(_COLUMNS) :]
    packed = unpack_entries(entries)
    states = entry_states(connection, {number for numbers in packed.values() for number in numbers})
    found = [(kind, states[number]) for kind, numbers in packed.items() for number in numbers]
    stamps = zip(json.loads(names), unpack_stamps(times), strict=True)
    return Interaction(
        client=report.client,
        timestamp=report.timestamp,
        server=report.server,
        state=report.state,
        revision=report.revision,
        total=report.total,
        good=report.good,
        dry_run=report.dry_run,
        only_important=report.only_important,
        profile=report.profile,
        version=report.version,
        groups=tuple(json.loads(groups)),
        bundles=tuple(json.loads(bundles)),
        entries=tuple(sorted(found, key=lambda item: (item[0], item[1].tag, item[1].name))),
        stamps=tuple(sorted(stamps, key=lambda stamp: (stamp[1], stamp[0]))),
    )


def last_interaction(
    connection: Connection,
    hostname: str,
    which: Which = Which(),
) -> Interaction | None:
    """Return the last complete report of a host, or None."""
    reports = reports_of(connection, hostname, 1, which)
    return load_interaction(connection, hostname, reports[0].timestamp) if reports else None


def entry_states(connection: Connection, numbers: Collection[int]) -> dict[int, EntryState]:
    """Number -> state."""
    found = {}
    for chunk in chunks(sorted(numbers)):
        query = select(ENTRY_STATE.c.id, ENTRY_STATE.c.tag, ENTRY_STATE.c.name, ENTRY_STATE.c.detail)
        for number, tag, name, detail in connection.execute(query.where(ENTRY_STATE.c.id.in_(chunk))):
            found[number] = unpack_state(tag, name, detail)
    return found


def _packed_entries(connection: Connection, findings: Iterable[int]) -> dict[int, dict[EntryKind, list[int]]]:
    """Unpack findings: row number -> entries."""
    found = {}
    for chunk in chunks(sorted(set(findings))):
        query = select(FINDINGS.c.id, FINDINGS.c.entries).where(FINDINGS.c.id.in_(chunk))
        for number, entries in connection.execute(query):
            found[number] = unpack_entries(entries)
    return found


def entry_counts(connection: Connection, reports: Sequence[Report], kinds: Collection[EntryKind]) -> list[EntryCount]:
    """Count the reports with each entry of some kinds, most frequent first."""
    by_findings = Counter(report.findings for report in reports)
    by_state: Counter[tuple[EntryKind, int]] = Counter()
    for number, packed in _packed_entries(connection, by_findings).items():
        for kind in kinds:
            for state in packed[kind]:
                by_state[kind, state] += by_findings[number]
    labels: dict[int, tuple[str, str]] = {}
    for chunk in chunks(sorted({state for _, state in by_state})):
        query = select(ENTRY_STATE.c.id, ENTRY_STATE.c.tag, ENTRY_STATE.c.name).where(ENTRY_STATE.c.id.in_(chunk))
        labels.update((number, (tag, name)) for number, tag, name in connection.execute(query))
    counts: Counter[tuple[EntryKind, str, str]] = Counter()
    for (kind, state), hosts in by_state.items():
        tag, name = labels[state]
        counts[kind, tag, name] += hosts
    found = [EntryCount(*key, hosts) for key, hosts in counts.items()]
    return sorted(found, key=lambda count: (-count.hosts, count.tag, count.name, count.kind))


def who_has(
    connection: Connection,
    reports: Sequence[Report],
    entries: Collection[tuple[str, str]],
    kinds: Collection[EntryKind],
) -> list[Finding]:
    """Find the reports that contain one of the entries (tag, name), with the entry's state."""
    states: dict[int, EntryState] = {}
    wanted = set(entries)
    for chunk in chunks(sorted(entry_number(*entry) for entry in wanted)):
        query = select(ENTRY_STATE.c.id, ENTRY_STATE.c.tag, ENTRY_STATE.c.name, ENTRY_STATE.c.detail)
        for number, tag, name, detail in connection.execute(query.where(ENTRY_STATE.c.entry.in_(chunk))):
            if (tag, name) in wanted:
                states[number] = unpack_state(tag, name, detail)
    packed = _packed_entries(connection, {report.findings for report in reports}) if states else {}
    return [
        Finding(report, kind, states[number])
        for report in reports
        if report.findings in packed
        for kind in kinds
        for number in packed[report.findings][kind]
        if number in states
    ]
