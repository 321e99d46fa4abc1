"""Pauses between attempts: each is twice as long as the one before, up to a limit."""

from __future__ import annotations


class Backoff:
    """The pauses of one loop that tries again. Not shared between threads.

    It sleeps nowhere itself, because every caller waits in its own way: on an event that ends it, until a deadline, or
    in a poll of many descriptors.
    """

    __slots__ = ("_failures", "_first_seconds", "_free", "_longest_seconds")

    def __init__(self, first_seconds: float, longest_seconds: float, free: int = 0) -> None:
        """Make the first pause `first_seconds` long, after `free` failures that cost no pause."""
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._free = free
        self._failures = 0

    @property
    def failures(self) -> int:
        """The number of failures since the last success."""
        return self._failures

    def fail(self) -> float:
        """Count a failure; return the pause before the next attempt, in seconds."""
        self._failures += 1
        doublings = self._failures - self._free - 1
        if doublings < 0:
            return 0.0
        # A float cannot hold two to the power of a day's failures.
        return min(self._first_seconds * 2.0 ** min(doublings, 100), self._longest_seconds)

    def succeed(self) -> None:
        """Begin again with the first pause."""
        self._failures = 0
