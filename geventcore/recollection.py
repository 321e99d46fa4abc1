"""Answering from memory while the database is gone.

A report may wait for the database, but whoever takes it has to know who calls. So calls that may wait are carried out
under `recollecting`: whoever finds the database gone then may use what it knew last instead, and says so. If it is
known already that the database is gone, nobody waits for it. Whatever is not carried out so gets what is in the
database, or fails.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Recollection:
    """What has come from memory.

    Attributes:
        was_used: whether anything has.
        failure: why the database could not be used, if it was waited for in vain.
    """

    was_used: bool = False
    failure: Exception | None = None

    def use(self, failure: Exception | None = None) -> None:
        """Something comes from memory; `failure` if the database was waited for."""
        self.was_used = True
        self.failure = self.failure or failure


_current: ContextVar[Recollection | None] = ContextVar("recollection", default=None)


class recollecting:  # noqa: N801 - read as a block: "with recollecting()"
    """Let this greenlet or thread be answered from memory in the block, while the database is gone.

    Every request enters one, and a generator would take several times as long to enter and to leave.
    """

    def __enter__(self) -> Recollection:
        recollection = Recollection()
        self._token = _current.set(recollection)
        return recollection

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def recollection() -> Recollection | None:
    """What may be answered from memory now; None if nothing may."""
    return _current.get()
