"""Durations by name: what ``get_statistics`` answers and the performance log prints."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    """Durations by name; may be used from any thread."""

    def __init__(self) -> None:
        self._timings: dict[str, Timing] = {}
        self._lock = threading.Lock()

    def add(self, name: str, seconds: float) -> None:
        """Count one duration."""
        with self._lock:
            timing = self._timings.get(name)
            if timing is None:
                self._timings[name] = Timing(seconds, seconds, seconds, 1)
                return
            timing.minimum = min(timing.minimum, seconds)
            timing.maximum = max(timing.maximum, seconds)
            timing.total += seconds
            timing.count += 1

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Count how long the block takes, also if it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._timings.clear()

    def snapshot(self) -> dict[str, list[float | int]]:
        """Name -> ``[minimum, maximum, mean, count]``."""
        with self._lock:
            return {name: timing.as_list() for name, timing in self._timings.items()}
