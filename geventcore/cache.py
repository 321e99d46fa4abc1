"""A cache whose items carry tags.

An item is stored under a set of tags. `Cache.expire` removes every item that has *all* the given tags, so that one call
forgets everything about a host, or everything of a kind.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
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
