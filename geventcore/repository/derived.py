"""Values that are computed from an object, and forgotten with it.

Files that change are parsed into new objects, and a reload makes new settings. So the identity of the source tells if a
value is still good, and nothing has to be invalidated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

SourceT = TypeVar("SourceT")
T = TypeVar("T")


class Derived(Generic[SourceT, T]):
    """A value computed from one source, and computed again when the source is another object.

    It may be used from any thread; two threads that meet a new source may both compute.
    """

    __slots__ = ("_compute", "_kept")

    def __init__(self, compute: Callable[[SourceT], T]) -> None:
        self._compute = compute
        self._kept: tuple[SourceT, T] | None = None

    def get(self, source: SourceT) -> T:
        """Return the value for `source`; raises what computing it raises."""
        kept = self._kept
        if kept is None or kept[0] is not source:
            kept = self._kept = (source, self._compute(source))
        return kept[1]
