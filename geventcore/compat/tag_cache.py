"""``Bcfg2.Server.Cache``: one cache for everything, whose items carry tags.

The metadata of clients have the tag ``Metadata`` and the client's name: what expires those here has the server forget
them, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from typing import Any

from geventcore.compat.current import get_core
from geventcore.errors import CoreInitError

__all__ = ["Cache", "add_expire_hook", "expire"]

METADATA = "Metadata"

_lock = threading.RLock()
_items: dict[frozenset[Hashable], Any] = {}
_hooks: list[Callable[[tuple[Any, ...], bool, int], None]] = []


class Cache(MutableMapping[Any, Any]):
    """The items with some tags and one tag more, which is the key."""

    def __init__(self, *tags: Hashable) -> None:
        self.tags = frozenset(tags)

    def __getitem__(self, key: Hashable) -> Any:
        try:
            return _items[self.tags | {key}]
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: Hashable, value: Any) -> None:
        with _lock:
            _items[self.tags | {key}] = value

    def __delitem__(self, key: Hashable) -> None:
        with _lock:
            if self.tags | {key} not in _items:
                raise KeyError(key)
            del _items[self.tags | {key}]

    def __iter__(self) -> Iterator[Any]:
        with _lock:
            found = [tags - self.tags for tags in _items if self.tags < tags and len(tags) == len(self.tags) + 1]
        return iter([next(iter(rest)) for rest in found])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def expire(self, key: Hashable | None = None) -> None:
        """Forget everything that has these tags, or just the item of a key."""
        if key is None:
            expire(*self.tags)
        else:
            expire(*self.tags, key, exact=True)


def expire(*tags: Hashable, exact: bool = False) -> None:
    """Forget what has all these tags, and maybe more; `exact`: just what has these and no others."""
    wanted = frozenset(tags)
    with _lock:
        gone = [item for item in _items if (item == wanted if exact else wanted <= item)]
        for item in gone:
            del _items[item]
    _expire_metadata(wanted)
    for hook in list(_hooks):
        hook(tags, exact, len(gone))


def _expire_metadata(tags: frozenset[Hashable]) -> None:
    rest = tags - {METADATA}
    if len(rest) > 1 or (rest and METADATA not in tags):
        return
    try:
        context = get_core().context
    except CoreInitError:
        return
    context.expire_metadata(str(next(iter(rest))) if rest else None)


def add_expire_hook(function: Callable[[tuple[Any, ...], bool, int], None]) -> None:
    """Have a function called after each `expire`: with the tags, whether exact, and how many items went."""
    _hooks.append(function)
