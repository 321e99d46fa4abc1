"""Stale reads: answers from memory while the database is unavailable.

A client's report can be kept until the database is back, but the server must know at once which client sent it. So
such a call runs under `allow_stale_reads`. Code that finds the database unavailable may then return the values it read
last, and records this in `StaleReads`. It does not wait for a database that is known to be unavailable. A call outside
such a block gets fresh values or an error.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class StaleReads:
    """A record of the stale reads in one block.

    Attributes:
        was_used: whether any value came from memory.
        failure: the database error, if a read waited for the database in vain.
    """

    was_used: bool = False
    failure: Exception | None = None

    def use(self, failure: Exception | None = None) -> None:
        """Record that a value comes from memory; `failure` is the database error, if the read waited for one."""
        self.was_used = True
        self.failure = self.failure or failure


_current: ContextVar[StaleReads | None] = ContextVar("stale_reads", default=None)


class allow_stale_reads:  # noqa: N801 - read as a block: "with allow_stale_reads()"
    """Allow stale reads in this greenlet or thread until the block ends.

    Every request enters such a block. A class costs several times less than a generator to enter and leave.
    """

    def __enter__(self) -> StaleReads:
        stale_reads = StaleReads()
        self._token = _current.set(stale_reads)
        return stale_reads

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def current_stale_reads() -> StaleReads | None:
    """Return the record of the current block, or None if stale reads are not allowed here."""
    return _current.get()
