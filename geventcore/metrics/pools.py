"""How full the pools are that bound what is done at once: connections, requests, renders.

Whoever has a pool registers a function that looks at it, and is asked when somebody wants to know. So a pool costs
nothing in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geventcore.metrics.definitions import POOL_LIMIT, POOL_USED, POOL_WAITING


@dataclass(frozen=True)
class PoolUse:
    """The state of a pool.

    Attributes:
        limit: how many there is room for at once.
        used: how many are in.
        waiting: how many wait for room, as far as that can be known.
    """

    limit: int
    used: int
    waiting: int = 0


class Pools:
    """The pools of one server process, by name."""

    def __init__(self) -> None:
        self._pools: dict[str, Callable[[], PoolUse]] = {}

    def add(self, name: str, look: Callable[[], PoolUse]) -> None:
        """Have `look` called when somebody wants to know; it must not wait."""
        self._pools[name] = look

    def refresh(self) -> None:
        """Bring the metrics up to date."""
        for name, look in self._pools.items():
            use = look()
            POOL_LIMIT.set(use.limit, name)
            POOL_USED.set(use.used, name)
            POOL_WAITING.set(use.waiting, name)
