"""A queue that is fair between client addresses.

Addresses take turns: a client with a hundred requests waits a hundred rounds, and delays another client by one request.
Urgent items, which continue a client's run, go before those that begin one, so that runs are finished rather than many
half done. Items that have waited for `LONG_WAIT_SECONDS` get every other turn.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: After this time, in seconds, urgent items do not overtake an item at every turn: clients give up after 90 seconds.
LONG_WAIT_SECONDS = 20.0


class _Rounds(Generic[T]):
    """Items by address; the addresses take turns."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, deque[tuple[float, T]]] = OrderedDict()

    def add(self, address: str, item: T, now: float) -> None:
        self._by_address.setdefault(address, deque()).append((now, item))

    def first(self, may_go: Callable[[T], bool]) -> tuple[str, float] | None:
        """Return the next address whose item may go, and the moment since which it waits."""
        for address, items in self._by_address.items():
            since, item = items[0]
            if may_go(item):
                return address, since
        return None

    def take(self, address: str) -> T:
        items = self._by_address[address]
        _, item = items.popleft()
        if items:
            self._by_address.move_to_end(address)
        else:
            del self._by_address[address]
        return item

    def remove(self, address: str, item: T) -> bool:
        items = self._by_address.get(address, deque())
        for entry in items:
            if entry[1] is item:
                items.remove(entry)
                if not items:
                    del self._by_address[address]
                return True
        return False


class FairQueue(Generic[T]):
    """Waiting items, each with an address, urgent or not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._urgent: _Rounds[T] = _Rounds()
        self._others: _Rounds[T] = _Rounds()
        self._length = 0
        self._last_was_old = False

    def __len__(self) -> int:
        return self._length

    def add(self, address: str, item: T, urgent: bool) -> None:
        """Add an item."""
        (self._urgent if urgent else self._others).add(address, item, self._clock())
        self._length += 1

    def take(self, may_go: Callable[[T], bool] = lambda _: True) -> T | None:
        """Remove and return the next item that `may_go`; None if there is none."""
        urgent, other = self._urgent.first(may_go), self._others.first(may_go)
        rounds, found = (self._urgent, urgent) if urgent is not None else (self._others, other)
        if urgent is not None and other is not None:
            is_old = self._clock() - other[1] >= LONG_WAIT_SECONDS
            self._last_was_old = is_old and not self._last_was_old
            if self._last_was_old:
                rounds, found = self._others, other
        if found is None:
            return None
        self._length -= 1
        return rounds.take(found[0])

    def remove(self, address: str, item: T) -> None:
        """Remove an item. Does nothing if it is not there."""
        if self._urgent.remove(address, item) or self._others.remove(address, item):
            self._length -= 1
