"""All hosts at a moment, as their last reports say, and the selection of some of them.

Reading ten thousand last reports takes some hundredths of a second, so a reader keeps the result for a moment. What
hosts share is immutable and kept for longer.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from geventcore.storage.fleet_queries import (
    CircumstancesRow,
    FindingsRow,
    Mark,
    MembershipRow,
    RunRow,
    all_marks,
    circumstances_rows,
    duration_of,
    findings_rows,
    membership_rows,
    newest_runs,
)
from geventcore.storage.report_queries import STALE_MILLISECONDS, now_milliseconds
from geventcore.web.database import ReportDatabase

#: How long a result holds, in seconds: the present, and a moment in the past.
PRESENT_SECONDS = 2.0
PAST_SECONDS = 60.0
#: How many moments are kept.
MOMENTS = 8
#: Rows are kept for a day at most: the number of a removed row may be used again after two days.
KEPT_SECONDS = 86_400.0

Row = TypeVar("Row")


class State(str, Enum):
    """The state of a host, in the order of the pages."""

    #: Everything is as it should be, and the last run changed nothing.
    CLEAN = "clean"
    #: Everything is as it should be, because the last run changed something.
    MODIFIED = "modified"
    #: Something is not as it should be.
    DIRTY = "dirty"
    #: The last report is older than 25 hours.
    STALE = "stale"
    #: The host is in the client list and has no report.
    NEVER = "never"

    @property
    def meaning(self) -> str:
        """The state in words."""
        return _MEANINGS[self]


_MEANINGS = {
    State.CLEAN: "as it should be",
    State.MODIFIED: "as it should be, after changes in the last run",
    State.DIRTY: "something is not as it should be",
    State.STALE: "no report for more than 25 hours",
    State.NEVER: "in the client list, but without any report",
}


@dataclass(frozen=True, slots=True)
class Host:
    """A host and its last report. Times are in milliseconds since the epoch; a host without a report has time 0."""

    name: str
    state: State
    timestamp: int = 0
    is_clean: bool = False
    total: int = 0
    good: int = 0
    bad: int = 0
    modified: int = 0
    extra: int = 0
    profile: str = ""
    version: str = ""
    server: str = ""
    revision: str = ""
    dry_run: bool = False
    only_important: bool = False
    stamps: bytes = b""
    expired: int | None = None
    findings: int = 0
    groups: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()

    @property
    def duration(self) -> int | None:
        """The length of the run in milliseconds; None if the client sent no times."""
        return duration_of(self.stamps) if self.stamps else None


@dataclass(frozen=True)
class Selection:
    """The hosts to select; an empty value selects all.

    Attributes:
        state: a state of `State`, or ``problem`` for dirty, stale and never.
        text: part of the name.
        expired: hosts out of service instead of those in service.
        marked: hosts with a mark.
    """

    state: str = ""
    group: str = ""
    profile: str = ""
    bundle: str = ""
    server: str = ""
    revision: str = ""
    text: str = ""
    expired: bool = False
    marked: bool = False

    def matches(self, host: Host, marks: Mapping[str, Mark]) -> bool:
        """Return whether a host is selected."""
        return (
            (host.expired is not None) == self.expired
            and (not self.state or host.state.value == self.state or (self.state == "problem" and is_problem(host)))
            and (not self.profile or host.profile == self.profile)
            and (not self.server or host.server == self.server)
            and (not self.revision or host.revision == self.revision)
            and (not self.group or self.group in host.groups)
            and (not self.bundle or self.bundle in host.bundles)
            and (not self.text or self.text.lower() in host.name)
            and (not self.marked or host.name in marks)
        )

    @property
    def is_everything(self) -> bool:
        """True if all hosts in service are selected."""
        return self == Selection()


def is_problem(host: Host) -> bool:
    """Return whether somebody should look at a host."""
    return host.state in (State.DIRTY, State.STALE, State.NEVER)


@dataclass
class Fleet:
    """All hosts at a moment.

    Attributes:
        hosts: sorted by name, hosts out of service included.
        marks: host -> its mark.
        at: the moment in milliseconds since the epoch; None for the present.
        clients_error: why the client list is not known, or an empty text.
    """

    hosts: list[Host]
    marks: dict[str, Mark] = field(default_factory=dict)
    at: int | None = None
    clients_error: str = ""

    def select(self, selection: Selection) -> list[Host]:
        """Return the selected hosts."""
        return [host for host in self.hosts if selection.matches(host, self.marks)]

    def get(self, name: str) -> Host | None:
        """Return a host by its name."""
        return next((host for host in self.hosts if host.name == name), None)


def count_states(hosts: Iterable[Host]) -> dict[State, int]:
    """Return state -> number of hosts, with every state."""
    counts = Counter(host.state for host in hosts)
    return {state: counts[state] for state in State}


class Shared:
    """Rows that hosts share, by their numbers."""

    def __init__(self) -> None:
        self.findings: dict[int, FindingsRow] = {}
        self.memberships: dict[int, MembershipRow] = {}
        self.circumstances: dict[int, CircumstancesRow] = {}
        self._since = time.monotonic()

    def learn(self, connection: Any, runs: Iterable[RunRow]) -> None:
        """Read the rows that runs refer to and that are not known."""
        if time.monotonic() - self._since > KEPT_SECONDS:
            self.findings, self.memberships, self.circumstances = {}, {}, {}
            self._since = time.monotonic()
        runs = list(runs)
        self._learn(connection, self.findings, findings_rows, {run.findings for run in runs})
        self._learn(connection, self.memberships, membership_rows, {run.membership for run in runs})
        self._learn(connection, self.circumstances, circumstances_rows, {run.circumstances for run in runs})

    @staticmethod
    def _learn(
        connection: Any, known: dict[int, Row], read: Callable[[Any, Iterable[int]], dict[int, Row]], numbers: set[int]
    ) -> None:
        missing = numbers - known.keys()
        if missing:
            known.update(read(connection, missing))

    def host(self, run: RunRow, now: int) -> Host:
        """Return a host from its run and what is shared; the state is that of the time `now`."""
        counts = self.findings[run.findings]
        membership = self.memberships[run.membership]
        circumstances = self.circumstances[run.circumstances]
        return Host(
            name=run.host,
            state=state_of(counts, run.timestamp, now),
            timestamp=run.timestamp,
            is_clean=counts.is_clean,
            total=counts.total,
            good=counts.good,
            bad=counts.bad,
            modified=counts.modified,
            extra=counts.extra,
            profile=membership.profile,
            version=membership.version,
            server=circumstances.server,
            revision=circumstances.revision,
            dry_run=bool(circumstances.dry_run),
            only_important=bool(circumstances.only_important),
            stamps=run.stamps,
            expired=run.expired,
            findings=run.findings,
            groups=membership.groups,
            bundles=membership.bundles,
        )


def state_of(counts: FindingsRow, timestamp: int, now: int) -> State:
    """Return the state of a host that reported at a time."""
    if now - timestamp > STALE_MILLISECONDS:
        return State.STALE
    if not counts.is_clean:
        return State.DIRTY
    return State.MODIFIED if counts.modified else State.CLEAN


class FleetReader:
    """Reads fleets from the database.

    Args:
        database: the database of reports.
        clients: returns the names of the client list; raises an error that says why it is not known.
    """

    def __init__(self, database: ReportDatabase, clients: Callable[[], Iterable[str]]) -> None:
        self.shared = Shared()
        self._database = database
        self._clients = clients
        self._moments: OrderedDict[int | None, tuple[float, Fleet]] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, moment: int | None = None) -> Fleet:
        """Return the fleet at a time in milliseconds since the epoch, or at present.

        Raises:
            StorageError: the database cannot be read.
        """
        with self._lock:
            known = self._moments.get(moment)
            if known is not None and known[0] > time.monotonic():
                return known[1]
            fleet = self._read(moment)
            self._moments[moment] = time.monotonic() + (PRESENT_SECONDS if moment is None else PAST_SECONDS), fleet
            self._moments.move_to_end(moment)
            while len(self._moments) > MOMENTS:
                self._moments.popitem(last=False)
            return fleet

    def forget(self) -> None:
        """Read again at the next call, because something has been changed."""
        with self._lock:
            self._moments.clear()

    def runs(self, read: Callable[[Any], list[RunRow]]) -> list[Host]:
        """Return runs that a query returns, with the state of their own time."""

        def query(connection: Any) -> list[RunRow]:
            found = read(connection)
            self.shared.learn(connection, found)
            return found

        return [self.shared.host(run, run.timestamp) for run in self._database.read(query, snapshot=True)]

    def _read(self, moment: int | None) -> Fleet:
        def read(connection: Any) -> tuple[list[RunRow], dict[str, Mark]]:
            runs = newest_runs(connection, moment)
            self.shared.learn(connection, runs)
            return runs, all_marks(connection)

        runs, marks = self._database.read(read, snapshot=True)
        now = now_milliseconds() if moment is None else moment
        hosts = [self.shared.host(run, now) for run in runs]
        reason = ""
        if moment is None:
            names, reason = self._client_names()
            known = {host.name for host in hosts}
            hosts += [Host(name, State.NEVER) for name in names if name not in known]
            hosts.sort(key=lambda host: host.name)
        return Fleet(hosts, marks, moment, reason)

    def _client_names(self) -> tuple[list[str], str]:
        try:
            return list(self._clients()), ""
        # A boundary: the client list comes from plugins, and the pages show reports without it, too.
        except Exception as err:  # noqa: BLE001
            return [], str(err) or type(err).__name__
