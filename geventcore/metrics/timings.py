"""Durations by name: what ``get_statistics`` answers and the performance log prints."""

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
        """``[minimum, maximum, mean, count]``, as it goes over the wire."""
        return [self.minimum, self.maximum, self.total / self.count, self.count]


def merged(snapshots: Iterable[Mapping[str, Sequence[float | int]]]) -> dict[str, list[float | int]]:
    """Snapshots of several processes as one, means weighted."""
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
    """Durations by name; may be used from any thread (for why there is no lock see `geventcore.metrics.families`)."""

    def __init__(self) -> None:
        self._timings: dict[str, Timing] = {}

    def add(self, name: str, seconds: float) -> None:
        """Count one duration."""
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
        """Count how long the block takes, also if it raises."""
        return _Measurement(self, name)

    def clear(self) -> None:
        """Forget everything."""
        self._timings.clear()

    def snapshot(self) -> dict[str, list[float | int]]:
        """Name -> ``[minimum, maximum, mean, count]``."""
        # A name is there an instant before its first duration is counted.
        return {name: timing.as_list() for name, timing in list(self._timings.items()) if timing.count}


class _Measurement:
    """A block that is timed."""

    def __init__(self, timings: Timings, name: str) -> None:
        self._timings = timings
        self._name = name
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._timings.add(self._name, time.perf_counter() - self._start)
