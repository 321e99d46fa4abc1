"""Every call of a load: columns of numbers, twenty bytes a call.

A record is an attempt of a call or a whole run. Times are in seconds since the load began.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from geventcore.simulation.load import METHODS
from geventcore.simulation.observation import Observation

#: The kind of a record of a whole run; other kinds are positions in METHODS.
RUN = len(METHODS)
KINDS = (*METHODS, "run")

#: Outcomes; those from FAILED on are positions in the list of reasons.
GOOD, CUT, FAILED = 0, 1, 2

#: Column -> type code of `array`, in the order of a record.
_COLUMNS = {
    "client": "I",
    "kind": "B",
    "attempt": "B",
    "outcome": "H",
    "started": "f",
    "connected": "f",
    "seconds": "f",
}


@dataclass
class Counts:
    """Sums over all runs and calls.

    Attributes:
        runs_ok, runs_failed, runs_cut: runs by how they ended; cut ones were under way when the time was over.
        runs_not_begun: runs that a rate asked for when all clients were still busy.
        calls: answers received and found right.
        retries: calls made again.
        bytes_received: of answers found right.
        bad_entries: entries that the server could not bind, in all configurations received.
        client_cpu_seconds: processor time of the processes that made the calls.
    """

    runs_ok: int = 0
    runs_failed: int = 0
    runs_cut: int = 0
    runs_not_begun: int = 0
    calls: int = 0
    retries: int = 0
    bytes_received: int = 0
    bad_entries: int = 0
    client_cpu_seconds: float = 0.0

    def add(self, other: Counts) -> None:
        """Add another one's numbers."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class Records:
    """Columns of equal length, one row for each attempt and each run."""

    def __init__(self) -> None:
        #: Position in the load's list of clients.
        self.client = array("I")
        self.kind = array("B")
        self.attempt = array("B")
        self.outcome = array("H")
        self.started = array("f")
        #: From the start until the TLS handshake was done; -1 if it never was.
        self.connected = array("f")
        self.seconds = array("f")
        #: Texts of the outcomes from FAILED on.
        self.reasons: list[str] = []
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.kind)

    def add(
        self, client: int, kind: int, attempt: int, outcome: int, started: float, connected: float, seconds: float
    ) -> None:
        """Add a row."""
        self.client.append(client)
        self.kind.append(kind)
        self.attempt.append(attempt)
        self.outcome.append(outcome)
        self.started.append(started)
        self.connected.append(connected)
        self.seconds.append(seconds)

    def reason(self, text: str) -> int:
        """Return the outcome that stands for a reason to fail."""
        number = self._numbers.get(text)
        if number is None:
            # The column has room for so many; the others share a name.
            if len(self.reasons) >= 0xFF00:
                return self.reason("other reasons")
            number = self._numbers[text] = FAILED + len(self.reasons)
            self.reasons.append(text)
        return number

    def extend(self, other: Records) -> None:
        """Add another one's rows."""
        translated = {FAILED + number: self.reason(text) for number, text in enumerate(other.reasons)}
        self.client.extend(other.client)
        self.kind.extend(other.kind)
        self.attempt.extend(other.attempt)
        self.outcome.extend(array("H", (translated.get(outcome, outcome) for outcome in other.outcome)))
        self.started.extend(other.started)
        self.connected.extend(other.connected)
        self.seconds.extend(other.seconds)

    def of_kind(self, kind: int) -> Iterator[tuple[int, int, float, float, float]]:
        """Yield ``(attempt, outcome, started, connected, seconds)`` of each row of a kind."""
        rows = zip(self.kind, self.attempt, self.outcome, self.started, self.connected, self.seconds, strict=True)
        return ((row[1], row[2], row[3], row[4], row[5]) for row in rows if row[0] == kind)

    def as_json(self) -> Mapping[str, Any]:
        """Return the columns as lists, times rounded to microseconds."""
        columns: dict[str, Any] = {"kinds": KINDS, "outcomes": ["good", "cut", *self.reasons]}
        for name, code in _COLUMNS.items():
            column = getattr(self, name)
            columns[name] = [round(value, 6) for value in column] if code == "f" else column.tolist()
        return columns


@dataclass
class LoadResult:
    """The result of one process, or of all of them.

    Attributes:
        seconds: how long the load lasted.
        observed: client -> its last configuration, if answers were parsed.
    """

    counts: Counts = field(default_factory=Counts)
    records: Records = field(default_factory=Records)
    seconds: float = 0.0
    observed: dict[str, Observation] = field(default_factory=dict)

    def add(self, other: LoadResult) -> None:
        """Add the result of another process of the same load."""
        self.counts.add(other.counts)
        self.records.extend(other.records)
        self.seconds = max(self.seconds, other.seconds)
        self.observed |= other.observed
