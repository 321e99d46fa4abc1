"""The use of pools, which limit concurrent work: connections, requests, memory.

The owner of a pool registers a function that returns its state. It is called only when metrics are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geventcore.metrics.definitions import POOL_LIMIT, POOL_USED, POOL_WAITING


@dataclass(frozen=True)
class PoolUse:
    """The state of a pool.

    Attributes:
        limit: capacity.
        used: used part.
        waiting: number of waiting requests, as far as known.
    """

    limit: int
    used: int
    waiting: int = 0


class Pools:
    """The pools of one server process, by name."""

    def __init__(self) -> None:
        self._pools: dict[str, Callable[[], PoolUse]] = {}

    def add(self, name: str, look: Callable[[], PoolUse]) -> None:
        """Register the function `look`, which returns the pool's state and must not block."""
        self._pools[name] = look

    def refresh(self) -> None:
        """Update the metrics."""
        for name, look in self._pools.items():
            use = look()
            POOL_LIMIT.set(use.limit, name)
            POOL_USED.set(use.used, name)
            POOL_WAITING.set(use.waiting, name)
