"""Many writers, one commit.

Whoever has something to store while nobody else does stores it at once. What comes meanwhile waits, and the first of
those who wait then stores all of it together. So a hundred clients that report at the same moment cost a few commits,
and a single one does not wait for others.

Who stores is one of the waiting greenlets or threads, which may be ended from outside at any moment. Then the next one
in line goes on with what is not done.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: How many items are stored together at most, where storing many costs hardly more than storing one.
DEFAULT_LIMIT = 10_000


class Ticket(Generic[T]):
    """Something that waits to be stored, and what came of it.

    Attributes:
        item: what is to be stored.
        since: when it came, in the seconds of `time.monotonic`.
        result: what its owner is told.
        error: why it is not stored, or None.
        is_done: whether `result` and `error` are final.
        is_abandoned: whether nobody waits for it any more.
        turn: set when it is done, or when it is its owner's turn to carry out.
    """

    __slots__ = ("error", "is_abandoned", "is_done", "item", "result", "since", "turn")

    def __init__(self, item: T) -> None:
        self.item = item
        self.since = time.monotonic()
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self.is_abandoned = False
        self.turn = threading.Event()

    def finish(self, error: BaseException | None = None) -> None:
        """It is done; the result is kept only if there is no error."""
        self.error = error
        self.is_done = True


class GroupCommit(Generic[T]):
    """Lets those who wait at the same time share a call of `carry_out`, which one of them makes.

    `carry_out` gets at most `limit` tickets and finishes each of them. It raises only what ends its caller from
    outside; what it has not finished then waits for the next call, without the ticket of who was ended.
    """

    def __init__(self, carry_out: Callable[[Sequence[Ticket[T]]], None], limit: int = DEFAULT_LIMIT) -> None:
        self._carry_out = carry_out
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: deque[Ticket[T]] = deque()
        #: Whether somebody leads: carries out, or is about to.
        self._is_busy = False

    @classmethod
    def storing(
        cls, store: Callable[[list[T]], Sequence[Exception | None]], limit: int = DEFAULT_LIMIT
    ) -> GroupCommit[T]:
        """Return a group commit that calls `store` with items.

        `store` returns for each item why it cannot be stored, or None; what it raises concerns all of them.
        """

        def carry_out(batch: Sequence[Ticket[T]]) -> None:
            errors: Sequence[Exception | None]
            try:
                errors = store([ticket.item for ticket in batch])
            except Exception as err:  # noqa: BLE001 - everyone who waits is told
                errors = [err] * len(batch)
            for ticket, error in zip(batch, errors, strict=True):
                ticket.finish(error)

        return cls(carry_out, limit)

    def put(self, item: T) -> Any:
        """The result, when the item is stored; raises why it is not."""
        ticket = Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            if not self._is_busy:
                self._is_busy = True
                ticket.turn.set()
        try:
            ticket.turn.wait()
        except BaseException:
            self._leave(ticket)
            raise
        if not ticket.is_done:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def _lead(self, own: Ticket[T]) -> None:
        """Carry out what waits. The own ticket is the first of it."""
        batch: list[Ticket[T]] = []
        try:
            # Greenlets and threads that are about to come can become part of the batch.
            time.sleep(0)
            with self._lock:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._limit))]
            self._carry_out(batch)
        finally:
            own.is_abandoned = not own.is_done
            for ticket in batch:
                if ticket.is_done:
                    ticket.turn.set()
            # After the others, some of whom may have something more, which can be part of the next batch.
            with self._lock:
                self._waiting.extendleft(ticket for ticket in reversed(batch) if not ticket.is_done)
                self._pass_on()

    def _leave(self, ticket: Ticket[T]) -> None:
        """The owner of a ticket has been ended while it waited."""
        with self._lock:
            ticket.is_abandoned = True
            if ticket in self._waiting and ticket.turn.is_set():
                self._pass_on()

    def _pass_on(self) -> None:
        """Make the first in line the next to lead."""
        while self._waiting and self._waiting[0].is_abandoned:
            self._waiting.popleft()
        self._is_busy = bool(self._waiting)
        if self._is_busy:
            self._waiting[0].turn.set()


def failures(numbers: Sequence[int], attempt: Callable[[Sequence[int]], Exception | None]) -> dict[int, Exception]:
    """Attempt something for many items at once; return the error of each item for which it fails even alone.

    `attempt` gets the numbers of items and returns why it has failed for them, which then has changed nothing. Each
    half of what fails is attempted by itself, so one bad item among a hundred costs a dozen attempts and not a hundred.
    """
    error = attempt(numbers)
    if error is None:
        return {}
    if len(numbers) == 1:
        return {numbers[0]: error}
    middle = len(numbers) // 2
    return {**failures(numbers[:middle], attempt), **failures(numbers[middle:], attempt)}
