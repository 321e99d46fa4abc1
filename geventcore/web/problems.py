"""The entries that hosts have in common: bad, modified and extra ones, by the number of hosts."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from geventcore.storage.fleet_queries import entries_of_findings, entry_labels, states_of_entry
from geventcore.storage.report_encoding import entry_number
from geventcore.storage.report_model import EntryKind, EntryState
from geventcore.storage.report_queries import entry_states
from geventcore.web.database import ReportDatabase
from geventcore.web.fleet import KEPT_SECONDS, Host


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry of a kind, the number of hosts that have it, and the number of different states on them."""

    kind: EntryKind
    tag: str
    name: str
    hosts: int
    states: int


@dataclass(frozen=True)
class SameState:
    """The hosts on which an entry has the same state."""

    kind: EntryKind
    state: EntryState
    hosts: tuple[Host, ...]


class ProblemReader:
    """Counts entries. What a result contains never changes, so it is read once."""

    def __init__(self, database: ReportDatabase) -> None:
        self._database = database
        self._entries: dict[int, tuple[tuple[EntryKind, int], ...]] = {}
        self._labels: dict[int, tuple[str, str]] = {}
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def count(self, hosts: Iterable[Host], kinds: Collection[EntryKind]) -> list[Problem]:
        """Return the entries of hosts, those of most hosts first."""
        by_findings = Counter(host.findings for host in hosts if host.findings)
        with self._lock:
            self._learn(by_findings)
            by_state: Counter[tuple[EntryKind, int]] = Counter()
            for number, times in by_findings.items():
                for entry in self._entries.get(number, ()):
                    by_state[entry] += times
            counts: Counter[tuple[EntryKind, str, str]] = Counter()
            states: Counter[tuple[EntryKind, str, str]] = Counter()
            for (kind, state), times in by_state.items():
                if kind in kinds and state in self._labels:
                    key = (kind, *self._labels[state])
                    counts[key] += times
                    states[key] += 1
        found = [Problem(*key, times, states[key]) for key, times in counts.items()]
        return sorted(found, key=lambda problem: (-problem.hosts, problem.kind, problem.tag, problem.name))

    def who_has(self, hosts: Sequence[Host], tag: str, name: str) -> list[SameState]:
        """Return the states of an entry with their hosts, those of most hosts first, bad ones before others."""

        def read(connection: Any) -> dict[int, EntryState]:
            found = entry_states(connection, states_of_entry(connection, entry_number(tag, name)))
            return {number: state for number, state in found.items() if (state.tag, state.name) == (tag, name)}

        states = self._database.read(read, snapshot=True)
        groups: dict[tuple[EntryKind, int], list[Host]] = defaultdict(list)
        with self._lock:
            self._learn({host.findings for host in hosts if host.findings})
            for host in hosts:
                for kind, number in self._entries.get(host.findings, ()):
                    if number in states:
                        groups[kind, number].append(host)
        found = [SameState(kind, states[number], tuple(having)) for (kind, number), having in groups.items()]
        return sorted(found, key=lambda same: (same.kind, -len(same.hosts)))

    def _learn(self, findings: Collection[int]) -> None:
        if time.monotonic() - self._since > KEPT_SECONDS:
            self._entries, self._labels, self._since = {}, {}, time.monotonic()
        missing = set(findings) - self._entries.keys()
        if not missing:
            return

        def read(connection: Any) -> None:
            found = entries_of_findings(connection, missing)
            unknown = {state for entries in found.values() for _, state in entries} - self._labels.keys()
            self._labels.update(entry_labels(connection, unknown))
            self._entries.update(found)

        self._database.read(read, snapshot=True)
