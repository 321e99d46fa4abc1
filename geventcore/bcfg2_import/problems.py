"""Rows of a Bcfg2 database that cannot be imported: all are counted, the first ones are reported."""

from __future__ import annotations

from collections.abc import Callable

#: The number of problems reported for each part of an import.
MAX_TOLD = 20


class Problems:
    """The unreadable rows of one part of a database.

    Attributes:
        count: number of rows or references to rows.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.count = 0

    def add(self, where: str, number: object, reason: object) -> None:
        """Report a skipped row by its key, with a reason that begins with a verb."""
        self.count += 1
        if self.count <= MAX_TOLD:
            self._tell(f"skipped: {where} {number!r} {reason}")
        elif self.count == MAX_TOLD + 1:
            self._tell("skipped: further problems are counted, but not shown")
