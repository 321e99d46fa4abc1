"""Rows of a database of Bcfg2 that cannot be taken over: counted, and the first ones told."""

from __future__ import annotations

from collections.abc import Callable

#: So many of each part of an import are told one by one.
MAX_TOLD = 20


class Problems:
    """What could not be read of one part of a database.

    Attributes:
        count: how many rows, or references to rows.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.count = 0

    def add(self, where: str, number: object, reason: object) -> None:
        """A row of a table, by its key, and why it is skipped: a text that begins with a verb."""
        self.count += 1
        if self.count <= MAX_TOLD:
            self._tell(f"skipped: {where} {number!r} {reason}")
        elif self.count == MAX_TOLD + 1:
            self._tell("skipped: more of that kind are only counted")
