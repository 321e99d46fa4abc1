"""A mapping whose items expire after a fixed time.

Items are sorted by age, and expired ones are dropped from the front. So every operation takes constant time on average,
however many items there are.
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
    """A thread-safe mapping whose items expire after `seconds`; beyond `limit` items, the oldest are dropped."""

    def __init__(self, seconds: float, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._items: OrderedDict[KeyT, tuple[float, ValueT]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: KeyT, value: ValueT) -> None:
        """Store a value and restart its time."""
        with self._lock:
            now = self._clock()
            self._items[key] = (now, value)
            self._items.move_to_end(key)
            self._drop_outdated(now)
            while len(self._items) > self._limit:
                self._items.popitem(last=False)

    def get(self, key: KeyT) -> ValueT | None:
        """Return the value, or None if it is missing or expired."""
        item = self._items.get(key)
        if item is None or self._clock() - item[0] >= self._seconds:
            return None
        return item[1]

    def drop(self, key: KeyT) -> None:
        """Drop an item, if it exists."""
        with self._lock:
            self._items.pop(key, None)

    def drop_outdated(self) -> None:
        """Drop expired items."""
        with self._lock:
            self._drop_outdated(self._clock())

    def clear(self) -> None:
        """Drop all items."""
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
