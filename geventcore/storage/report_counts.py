"""The numbers of what the database of reports has."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from geventcore.storage.report_encoding import unpack_entries, unpack_stamps
from geventcore.storage.report_model import EntryKind
from geventcore.storage.report_queries import entry_states
from geventcore.storage.report_tables import FINDINGS, HOST, INTERACTION, MEMBERSHIP


@dataclass
class ReportCounts:
    """The numbers.

    Attributes:
        hosts, reports: the clients that have reported, and their reports.
        groups, bundles: the different names in reports.
        entries: tag -> the different findings of entries, such as a package that was bad in this way.
        mentions: tag -> how many times reports refer to them.
        failures: the different findings of entries that the server could not bind.
        stamps: the points of time in reports.
    """

    hosts: int = 0
    reports: int = 0
    groups: int = 0
    bundles: int = 0
    entries: Counter[str] = field(default_factory=Counter)
    mentions: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    stamps: int = 0


def count_reports(connection: Connection) -> ReportCounts:
    """Count everything that reports refer to; takes a while for millions of reports."""
    counts = ReportCounts()
    counts.hosts = connection.scalar(select(func.count()).select_from(HOST)) or 0
    groups: set[str] = set()
    bundles: set[str] = set()
    for some_groups, some_bundles in connection.execute(select(MEMBERSHIP.c.groups, MEMBERSHIP.c.bundles)):
        groups.update(json.loads(some_groups))
        bundles.update(json.loads(some_bundles))
    counts.groups, counts.bundles = len(groups), len(bundles)
    by_findings = select(INTERACTION.c.findings_id, func.count()).group_by(INTERACTION.c.findings_id)
    reports_of: Counter[int] = Counter()
    for number, reports in connection.execute(by_findings):
        reports_of[number] = reports
    counts.reports = sum(reports_of.values())
    for packed in connection.execution_options(yield_per=1000).scalars(select(INTERACTION.c.stamps)):
        counts.stamps += len(unpack_stamps(packed))
    _count_entries(connection, reports_of, counts)
    return counts


def _count_entries(connection: Connection, reports_of: Counter[int], counts: ReportCounts) -> None:
    mentions: Counter[tuple[EntryKind, int]] = Counter()
    for number, entries in connection.execute(select(FINDINGS.c.id, FINDINGS.c.entries)):
        for kind, states in unpack_entries(entries).items():
            for state in states:
                mentions[kind, state] += reports_of[number]
    found = entry_states(connection, {state for _, state in mentions})
    for (_, number), times in mentions.items():
        if not times:
            continue
        entry = found[number]
        counts.entries[entry.tag] += 1
        counts.mentions[entry.tag] += times
        counts.failures += bool(entry.failure)
