"""Caches: `Cache` finds items by tags, `RecentItems` keeps the most recently used items.

`Cache` stores an item under a set of tags. `Cache.expire` removes every item that has *all* the given tags, so one
call removes everything about a host, or everything of a kind.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

ValueT = TypeVar("ValueT")

#: Called after items were removed. Arguments: the tags, whether the set must match exactly, the number of removed
#: items.
ExpireHook = Callable[[tuple[Any, ...], bool, int], None]


class Cache(Generic[ValueT]):
    """A thread-safe cache of items under sets of tags."""

    def __init__(self) -> None:
        self._items: dict[frozenset[Hashable], ValueT] = {}
        self._lock = threading.Lock()
        self._hooks: list[ExpireHook] = []

    def get(self, *tags: Hashable) -> ValueT | None:
        """Return the item with exactly these tags, or None."""
        return self._items.get(frozenset(tags))

    def put(self, value: ValueT, *tags: Hashable) -> None:
        """Store an item under these tags."""
        with self._lock:
            self._items[frozenset(tags)] = value

    def expire(self, *tags: Hashable, exact: bool = False) -> int:
        """Remove the items that have all of `tags` (no tags: all items), or the one with exactly these tags.

        Returns the number of removed items.
        """
        wanted: frozenset[Hashable] = frozenset(tags)
        with self._lock:
            gone = [wanted] if exact and wanted in self._items else []
            if not exact:
                gone = [key for key in self._items if wanted <= key]
            for key in gone:
                del self._items[key]
        for hook in list(self._hooks):
            hook(tags, exact, len(gone))
        return len(gone)

    def remove(self, *tags: Hashable) -> ValueT:
        """Remove the item with exactly these tags and return it, without a call of the hooks; `KeyError` if none."""
        with self._lock:
            return self._items.pop(frozenset(tags))

    def __getitem__(self, tags: frozenset[Hashable]) -> ValueT:
        return self._items[tags]

    def __iter__(self) -> Iterator[frozenset[Hashable]]:
        """Iterate over the tags of every item, as of now."""
        with self._lock:
            return iter(list(self._items))

    def add_expire_hook(self, hook: ExpireHook) -> None:
        """Call `hook` after every `expire`."""
        self._hooks.append(hook)

    def __len__(self) -> int:
        return len(self._items)


KeyT = TypeVar("KeyT", bound=Hashable)


class RecentItems(Generic[KeyT, ValueT]):
    """A thread-safe cache of the most recently used items, up to a total size.

    There are two generations. New and used items are in the young one. When it reaches half of the limit, it becomes
    the old one, and the items of the previous old one are dropped. So an item stays while it is used, and a lookup
    costs little more than one in a dictionary.
    """

    def __init__(self, limit: int) -> None:
        """Make an empty cache; `limit` is the largest total size, and 0 keeps nothing."""
        self.limit = limit
        self._young: dict[KeyT, tuple[ValueT, int]] = {}
        self._old: dict[KeyT, tuple[ValueT, int]] = {}
        self._size = 0
        self._old_size = 0

    @property
    def size(self) -> int:
        """The total size of the items."""
        return self._size + self._old_size

    def get(self, key: KeyT) -> ValueT | None:
        """Return the item of a key, or None."""
        found = self._young.get(key)
        if found is not None:
            return found[0]
        found = self._old.get(key)
        if found is None:
            return None
        self.put(key, *found)
        return found[0]

    def put(self, key: KeyT, value: ValueT, size: int) -> None:
        """Store an item. Items larger than half of the limit are not stored."""
        half = self.limit // 2
        if size > half:
            return
        if self._size + size > half:
            self._old, self._young = self._young, {}
            self._old_size, self._size = self._size, 0
        self._young[key] = (value, size)
        self._size += size

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
