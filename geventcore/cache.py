"""Caches: `Cache`, whose items carry tags, and `RecentItems`, which keeps what was used last.

In a `Cache` an item is stored under a set of tags. `Cache.expire` removes every item that has *all* the given tags, so
that one call forgets everything about a host, or everything of a kind.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

ValueT = TypeVar("ValueT")

#: Called after items were removed, with the tags, whether only the exact set was meant, and how many went.
ExpireHook = Callable[[tuple[str, ...], bool, int], None]


class Cache(Generic[ValueT]):
    """Items by sets of tags; may be used from any thread."""

    def __init__(self) -> None:
        self._items: dict[frozenset[str], ValueT] = {}
        self._lock = threading.Lock()
        self._hooks: list[ExpireHook] = []

    def get(self, *tags: str) -> ValueT | None:
        """The item with exactly these tags, or None."""
        return self._items.get(frozenset(tags))

    def put(self, value: ValueT, *tags: str) -> None:
        """Store an item under these tags."""
        with self._lock:
            self._items[frozenset(tags)] = value

    def expire(self, *tags: str, exact: bool = False) -> int:
        """Remove the items that have all of `tags` (no tags: everything), or just the one with exactly these tags.

        Returns how many went.
        """
        wanted = frozenset(tags)
        with self._lock:
            gone = [wanted] if exact and wanted in self._items else []
            if not exact:
                gone = [key for key in self._items if wanted <= key]
            for key in gone:
                del self._items[key]
        for hook in self._hooks:
            hook(tags, exact, len(gone))
        return len(gone)

    def add_expire_hook(self, hook: ExpireHook) -> None:
        """Have `hook` called after every `expire`."""
        self._hooks.append(hook)

    def __len__(self) -> int:
        return len(self._items)


KeyT = TypeVar("KeyT", bound=Hashable)


class RecentItems(Generic[KeyT, ValueT]):
    """Items of which the ones used last are kept, up to a total size; may be used from any thread.

    There are two generations. New and used items are in the young one; when that has half of the size, it becomes the
    old one and what the old one has is forgotten. So an item stays while it is used, and looking one up costs little
    more than a dictionary does.
    """

    def __init__(self, limit: int) -> None:
        """`limit`: the total size; 0 keeps nothing."""
        self.limit = limit
        self._young: dict[KeyT, tuple[ValueT, int]] = {}
        self._old: dict[KeyT, tuple[ValueT, int]] = {}
        self._size = 0
        self._old_size = 0

    @property
    def size(self) -> int:
        """The total size of what is kept."""
        return self._size + self._old_size

    def get(self, key: KeyT) -> ValueT | None:
        """The item of a key, or None."""
        found = self._young.get(key)
        if found is not None:
            return found[0]
        found = self._old.get(key)
        if found is None:
            return None
        self.put(key, *found)
        return found[0]

    def put(self, key: KeyT, value: ValueT, size: int) -> None:
        """Keep an item. One that is larger than half of the limit is not kept."""
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
