"""Specificity, as plugins for Bcfg2 use it."""

from __future__ import annotations

import functools
from typing import Any

from geventcore.plugin import specificity as server

__all__ = ["Specificity"]


@functools.total_ordering
class Specificity:
    """The clients that a file is for. The most specific sorts first.

    Attributes:
        all: true for every client.
        group, prio: the group, and its priority: higher wins.
        hostname: the only client.
        delta: unused.
    """

    def __init__(
        self,
        all: bool = False,
        group: Any = False,
        hostname: Any = False,
        prio: int = 0,
        delta: Any = False,
    ) -> None:
        self.hostname = hostname
        self.all = all
        self.group = group
        self.prio = int(prio or 0)
        self.delta = delta

    def matches(self, metadata: Any) -> bool:
        """Return true if it is for a client."""
        return bool(self.all or self.hostname == metadata.hostname or self.group in metadata.groups)

    @property
    def _rank(self) -> tuple[int, int]:
        if self.hostname:
            return (0, 0)
        return (1, -self.prio) if self.group else (2, 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Specificity) and self._identity == other._identity

    def __lt__(self, other: Specificity) -> bool:
        return self._rank < other._rank

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Any, ...]:
        return (self.all, self.group, self.hostname, self.prio)

    def __str__(self) -> str:
        if self.hostname:
            return f"specificity for host {self.hostname}"
        if self.group:
            return f"specificity for group {self.group} with priority {self.prio}"
        return "specificity for all"

    __repr__ = __str__


def to_server(specific: Specificity) -> server.Specificity:
    """Convert to the server's class."""
    return server.Specificity(specific.hostname or None, specific.group or None, specific.prio)


def to_bcfg2(specific: server.Specificity) -> Specificity:
    """Convert to Bcfg2's class."""
    return Specificity(
        all=specific.is_for_all,
        group=specific.group or False,
        hostname=specific.hostname or False,
        prio=specific.priority,
    )
