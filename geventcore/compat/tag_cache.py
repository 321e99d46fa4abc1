"""``Bcfg2.Server.Cache``: one cache for all data, whose items have tags.

Client metadata have the tag ``Metadata`` and the client's name. Expiring these tags also expires the server's cached
metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, MutableMapping
from typing import Any

from geventcore import cache
from geventcore.compat.current import get_core
from geventcore.errors import CoreInitError

__all__ = ["Cache", "add_expire_hook", "expire"]

METADATA = "Metadata"

_store: cache.Cache[Any] = cache.Cache()


class Cache(MutableMapping[Any, Any]):
    """The items with the given tags and one more tag, which is the key."""

    def __init__(self, *tags: Hashable) -> None:
        self.tags = frozenset(tags)

    def __getitem__(self, key: Hashable) -> Any:
        try:
            return _store[self.tags | {key}]
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: Hashable, value: Any) -> None:
        _store.put(value, *self.tags, key)

    def __delitem__(self, key: Hashable) -> None:
        try:
            _store.remove(*self.tags, key)
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[Any]:
        found = [tags - self.tags for tags in _store if self.tags < tags and len(tags) == len(self.tags) + 1]
        return iter([next(iter(rest)) for rest in found])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def expire(self, key: Hashable | None = None) -> None:
        """Expire all items with these tags, or only the item with a key."""
        if key is None:
            expire(*self.tags)
        else:
            expire(*self.tags, key, exact=True)


def expire(*tags: Hashable, exact: bool = False) -> None:
    """Expire the items that have all these tags; with `exact`, only items without other tags."""
    _store.expire(*tags, exact=exact)


def _expire_metadata(tags: tuple[Any, ...], _exact: bool, _count: int) -> None:
    rest = {*tags} - {METADATA}
    if len(rest) > 1 or (rest and METADATA not in tags):
        return
    try:
        context = get_core().context
    except CoreInitError:
        return
    context.expire_metadata(str(next(iter(rest))) if rest else None)


_store.add_expire_hook(_expire_metadata)


def add_expire_hook(function: Callable[[tuple[Any, ...], bool, int], None]) -> None:
    """Register a function to call after each `expire`, with the tags, `exact`, and the number of expired items."""
    _store.add_expire_hook(function)
