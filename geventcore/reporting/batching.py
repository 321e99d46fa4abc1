"""One commit for all who wait: whoever comes while a commit is under way shares the next one with the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Ticket(Generic[T]):
    __slots__ = ("done", "error", "item")

    def __init__(self, item: T) -> None:
        self.item = item
        self.done = False
        self.error: Exception | None = None


class Batcher(Generic[T]):
    """Gathers what is to be stored.

    `commit` stores some items and returns, for each, why it could not be stored, or None; what it raises concerns all.
    It is called by one thread at a time, with no more than `limit` items.
    """

    def __init__(self, commit: Callable[[list[T]], Sequence[Exception | None]], limit: int) -> None:
        self._commit = commit
        self._limit = limit
        self._condition = threading.Condition()
        self._waiting: list[_Ticket[T]] = []
        self._committing = False

    def put(self, item: T) -> None:
        """Return when the item is stored; raises what its commit said."""
        ticket = _Ticket(item)
        with self._condition:
            self._waiting.append(ticket)
        while True:
            with self._condition:
                self._condition.wait_for(lambda: ticket.done or not self._committing)
                if ticket.done:
                    break
                self._committing = True
                batch = self._waiting[: self._limit]
                del self._waiting[: self._limit]
            self._commit_batch(batch)
        if ticket.error is not None:
            raise ticket.error

    def _commit_batch(self, batch: list[_Ticket[T]]) -> None:
        errors: Sequence[Exception | None] | None = None
        try:
            errors = self._commit([ticket.item for ticket in batch])
        except Exception as err:  # noqa: BLE001 - everyone who waits is told
            errors = [err] * len(batch)
        finally:
            with self._condition:
                self._committing = False
                if errors is None:
                    # Ended from outside: the next one in line stores them instead.
                    self._waiting[:0] = batch
                else:
                    for ticket, error in zip(batch, errors, strict=True):
                        ticket.done, ticket.error = True, error
                self._condition.notify_all()
