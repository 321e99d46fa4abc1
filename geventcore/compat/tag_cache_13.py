"""``Bcfg2.Cache`` of Bcfg2 1.3: a dictionary with `expire`."""

from __future__ import annotations

from typing import Any

__all__ = ["Cache"]


class Cache(dict[Any, Any]):
    """A dictionary from which one item, or all items, can be expired."""

    def expire(self, key: Any = None) -> None:
        if key is None:
            self.clear()
        else:
            self.pop(key, None)
