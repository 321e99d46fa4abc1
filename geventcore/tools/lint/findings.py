"""The findings of checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

#: Severity -> its meaning, the worst first.
SEVERITIES = {
    "error": "clients lack something, or get something wrong",
    "warning": "probably wrong, or wrong in the future",
    "note": "good to know; it does not count for the exit status",
    "silent": "not reported",
}


@dataclass(frozen=True)
class Kind:
    """A kind of findings.

    Attributes:
        name: the key in ``[errors]``.
        severity: the default severity, a key of `SEVERITIES`.
        meaning: one sentence about the fault.
        advice: one sentence about how to mend it.
    """

    name: str
    severity: str
    meaning: str
    advice: str


@dataclass(frozen=True)
class Place:
    """A place in a file.

    Attributes:
        file: the file, absolute.
        line, column: counted from 1; 0 if the finding is about the whole file.
    """

    file: Path
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        name: the name of its kind.
        message: one sentence.
        place: where it is, None if it is about no file.
        entry: the entry, element or name concerned; may be empty.
        advice: how to mend it.
        details: further lines, such as other faults in the same file.
        others: other files that the finding is about.
        severity: a key of `SEVERITIES`; the runner sets it.
        check: the name of the check; the runner sets it.
    """

    name: str
    message: str
    place: Place | None
    entry: str = ""
    advice: str = ""
    details: tuple[str, ...] = ()
    others: tuple[Path, ...] = field(default=())
    severity: str = ""
    check: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that the finding is about."""
        return self.others if self.place is None else (self.place.file, *self.others)
