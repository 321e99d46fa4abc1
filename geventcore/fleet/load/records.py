"""What every call of a load did: columns of numbers, sixteen bytes a call, that processes hand over in files.

A record is an attempt of a call or a whole run. Times are in seconds since the load began.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geventcore.fleet.load.conversation import METHODS

#: The kind of a record of a whole run; other kinds are positions in METHODS.
RUN = len(METHODS)
KINDS = (*METHODS, "run")

#: Outcomes; those from FAILED on are positions in the list of reasons.
GOOD, CUT, FAILED = 0, 1, 2

#: Column -> type code of `array`, in the order of a record.
_COLUMNS = {"kind": "B", "attempt": "B", "outcome": "H", "started": "f", "connected": "f", "seconds": "f"}


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
        client_cpu_seconds: processor time that playing the clients took.
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

    def add(self, kind: int, attempt: int, outcome: int, started: float, connected: float, seconds: float) -> None:
        """One row."""
        self.kind.append(kind)
        self.attempt.append(attempt)
        self.outcome.append(outcome)
        self.started.append(started)
        self.connected.append(connected)
        self.seconds.append(seconds)

    def reason(self, text: str) -> int:
        """The outcome that stands for a reason to fail."""
        number = self._numbers.get(text)
        if number is None:
            # The column has room for so many; what is beyond has no name of its own.
            if len(self.reasons) >= 0xFF00:
                return self.reason("other reasons")
            number = self._numbers[text] = FAILED + len(self.reasons)
            self.reasons.append(text)
        return number

    def extend(self, other: Records, shift: float = 0.0) -> None:
        """Add another one's rows, whose clock began `shift` seconds later."""
        translated = {FAILED + number: self.reason(text) for number, text in enumerate(other.reasons)}
        self.kind.extend(other.kind)
        self.attempt.extend(other.attempt)
        self.outcome.extend(array("H", (translated.get(outcome, outcome) for outcome in other.outcome)))
        self.started.extend(array("f", (started + shift for started in other.started)) if shift else other.started)
        self.connected.extend(other.connected)
        self.seconds.extend(other.seconds)

    def of_kind(self, kind: int) -> Iterator[tuple[int, int, float, float, float]]:
        """``(attempt, outcome, started, connected, seconds)`` of each row of a kind."""
        rows = zip(self.kind, self.attempt, self.outcome, self.started, self.connected, self.seconds, strict=True)
        return ((row[1], row[2], row[3], row[4], row[5]) for row in rows if row[0] == kind)

    def as_json(self) -> Mapping[str, Any]:
        """The columns as lists, times rounded to microseconds."""
        columns: dict[str, Any] = {"kinds": KINDS, "outcomes": ["good", "cut", *self.reasons]}
        for name, code in _COLUMNS.items():
            column = getattr(self, name)
            columns[name] = [round(value, 6) for value in column] if code == "f" else column.tolist()
        return columns


@dataclass
class LoadResult:
    """What one process, or all of them, saw.

    Attributes:
        seconds: how long the load lasted.
    """

    counts: Counts = field(default_factory=Counts)
    records: Records = field(default_factory=Records)
    seconds: float = 0.0

    def add(self, other: LoadResult) -> None:
        """Take in what another process saw at the same time."""
        self.counts.add(other.counts)
        self.records.extend(other.records)
        self.seconds = max(self.seconds, other.seconds)

    def write(self, path: Path) -> None:
        """To a file that `read` reads on this machine."""
        records = self.records
        head = {
            "counts": vars(self.counts),
            "seconds": self.seconds,
            "reasons": records.reasons,
            "rows": len(records),
        }
        with path.open("wb") as stream:
            stream.write(json.dumps(head).encode() + b"\n")
            for name in _COLUMNS:
                getattr(records, name).tofile(stream)

    @classmethod
    def read(cls, path: Path) -> LoadResult:
        """What `write` has written."""
        result = cls()
        with path.open("rb") as stream:
            head = json.loads(stream.readline())
            for name in _COLUMNS:
                getattr(result.records, name).fromfile(stream, head["rows"])
        result.counts = Counts(**head["counts"])
        result.seconds = head["seconds"]
        for text in head["reasons"]:
            result.records.reason(text)
        return result
