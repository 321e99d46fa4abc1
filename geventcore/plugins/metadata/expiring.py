"""A mapping whose items live for a fixed time.

Items stand in the order of their age, so that outdated ones are dropped from the front: every operation takes constant
time on average, however many items there are.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class ExpiringMap(Generic[KeyT, ValueT]):
    """Key -> value for `seconds` after it was put; of more than `limit` items the oldest go. For any thread."""

    def __init__(self, seconds: float, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._items: OrderedDict[KeyT, tuple[float, ValueT]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: KeyT, value: ValueT) -> None:
        """Store a value; its time begins anew."""
        with self._lock:
            now = self._clock()
            self._items[key] = (now, value)
            self._items.move_to_end(key)
            self._drop_outdated(now)
            while len(self._items) > self._limit:
                self._items.popitem(last=False)

    def get(self, key: KeyT) -> ValueT | None:
        """The value, or None if there is none or it is too old."""
        item = self._items.get(key)
        if item is None or self._clock() - item[0] >= self._seconds:
            return None
        return item[1]

    def drop_outdated(self) -> None:
        """Forget what is too old."""
        with self._lock:
            self._drop_outdated(self._clock())

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()

    def _drop_outdated(self, now: float) -> None:
        while self._items:
            oldest = next(iter(self._items))
            if now - self._items[oldest][0] < self._seconds:
                return
            del self._items[oldest]

    def __len__(self) -> int:
        return len(self._items)
