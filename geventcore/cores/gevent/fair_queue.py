"""Whose turn it is, when more want something than can have it.

Two rules. Addresses take turns: whoever asks a hundred times waits a hundred rounds, and delays somebody else by one.
And what ends a run that has begun goes before what begins one, so that runs are finished instead of many half done;
but whoever has waited for long gets every other turn, whatever it wants.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: Whoever has waited for this long, in seconds, is not put off any more: clients wait 90 seconds for an answer.
LONG_WAIT_SECONDS = 20.0


class _Rounds(Generic[T]):
    """Items by address; the addresses take turns."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, deque[tuple[float, T]]] = OrderedDict()

    def add(self, address: str, item: T, now: float) -> None:
        self._by_address.setdefault(address, deque()).append((now, item))

    def first(self, may_go: Callable[[T], bool]) -> tuple[str, float] | None:
        """The address whose turn it is among those that may go, and since when its item waits."""
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
    """Items that wait, each for an address and either urgent or not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._urgent: _Rounds[T] = _Rounds()
        self._others: _Rounds[T] = _Rounds()
        self._length = 0
        self._last_was_old = False

    def __len__(self) -> int:
        return self._length

    def add(self, address: str, item: T, urgent: bool) -> None:
        """Have an item wait."""
        (self._urgent if urgent else self._others).add(address, item, self._clock())
        self._length += 1

    def take(self, may_go: Callable[[T], bool] = lambda _: True) -> T | None:
        """The item whose turn it is among those that `may_go`; None if there is none."""
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
        """Forget an item that does not wait any longer; nothing if it is not there."""
        if self._urgent.remove(address, item) or self._others.remove(address, item):
            self._length -= 1
