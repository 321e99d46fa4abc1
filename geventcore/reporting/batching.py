"""One commit for all who wait: whoever comes while a commit is under way shares the next one with the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from geventcore.group_commit import GroupCommit, Ticket

T = TypeVar("T")


class Batcher(Generic[T]):
    """Gathers what is to be stored.

    `commit` stores some items and returns, for each, why it could not be stored, or None; what it raises concerns all.
    It is called by one thread at a time, with no more than `limit` items.
    """

    def __init__(self, commit: Callable[[list[T]], Sequence[Exception | None]], limit: int) -> None:
        self._commit = commit
        self._group: GroupCommit[T] = GroupCommit(self._carry_out, limit)

    def put(self, item: T) -> None:
        """Return when the item is stored; raises what its commit said."""
        self._group.put(item)

    def _carry_out(self, batch: Sequence[Ticket[T]]) -> None:
        errors: Sequence[Exception | None]
        try:
            errors = self._commit([ticket.item for ticket in batch])
        except Exception as err:  # noqa: BLE001 - everyone who waits is told
            errors = [err] * len(batch)
        for ticket, error in zip(batch, errors, strict=True):
            ticket.finish(error)
