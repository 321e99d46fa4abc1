"""Durations by name, for ``get_statistics`` and the performance log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass


@dataclass
class Timing:
    """Durations of one kind, in seconds."""

    minimum: float
    maximum: float
    total: float
    count: int

    def as_list(self) -> list[float | int]:
        """Return ``[minimum, maximum, mean, count]``, the format of ``get_statistics``."""
        return [self.minimum, self.maximum, self.total / self.count, self.count]


def merged(snapshots: Iterable[Mapping[str, Sequence[float | int]]]) -> dict[str, list[float | int]]:
    """Merge snapshots of several processes, with weighted means."""
    totals: dict[str, list[float | int]] = {}
    for snapshot in snapshots:
        for name, (minimum, maximum, mean, count) in snapshot.items():
            if name not in totals:
                totals[name] = [minimum, maximum, mean, count]
                continue
            total = totals[name]
            both = total[3] + count
            totals[name] = [min(total[0], minimum), max(total[1], maximum), (total[2] * total[3] + mean * count) / both]
            totals[name].append(both)
    return totals


class Timings:
    """Thread-safe durations by name. `geventcore.metrics.families` explains why there is no lock.

    Attributes:
        owner: the class of the core, which the names of its own durations begin with, as in Bcfg2.
    """

    def __init__(self, owner: str = "Core") -> None:
        self.owner = owner
        self._timings: dict[str, Timing] = {}

    def add(self, name: str, seconds: float) -> None:
        """Record one duration."""
        timing = self._timings.get(name)
        if timing is None:
            timing = self._timings.setdefault(name, Timing(seconds, seconds, 0.0, 0))
        if seconds < timing.minimum:
            timing.minimum = seconds
        if seconds > timing.maximum:
            timing.maximum = seconds
        timing.total += seconds
        timing.count += 1

    def measure(self, name: str) -> AbstractContextManager[None]:
        """Measure a block, also if it raises."""
        return _Measurement(self, name)

    def measure_own(self, name: str) -> AbstractContextManager[None]:
        """Measure a block of the core itself."""
        return _Measurement(self, f"{self.owner}:{name}")

    def clear(self) -> None:
        """Forget everything."""
        self._timings.clear()

    def snapshot(self) -> dict[str, list[float | int]]:
        """Return name -> ``[minimum, maximum, mean, count]``."""
        # A name exists shortly before its first duration is recorded.
        return {name: timing.as_list() for name, timing in list(self._timings.items()) if timing.count}


class _Measurement:
    """A measured block."""

    def __init__(self, timings: Timings, name: str) -> None:
        self._timings = timings
        self._name = name
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._timings.add(self._name, time.perf_counter() - self._start)
