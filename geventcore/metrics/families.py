"""Metric types. A metric is a family of values, one for each combination of labels.

Every request updates about twenty values, so an update is one lookup and one addition (docs: design/metrics, "Cost").
There is no lock: CPython switches threads only at calls and loops, and there is neither between reading a number from a
list and storing the sum.

A forked worker begins at zero (`reset_all`): the counts of its parent belong to the parent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.utils import floatToGoString

#: Name, labels in their order, value.
Sample = tuple[str, tuple[tuple[str, str], ...], float]

#: Upper bounds in seconds. The cheapest call takes less than a millisecond, and a client gives up after 90 seconds.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)


@dataclass(frozen=True)
class Definition:
    """The definition of a family.

    Attributes:
        name: name without the suffixes of samples.
        type: ``counter``, ``gauge`` or ``histogram``.
        help: one sentence, with the unit if the name has none.
        labels: names of the labels.
        merging: operation that merges the values of several processes: ``sum``, ``min`` or ``max``.
    """

    name: str
    type: str
    help: str
    labels: tuple[str, ...]
    merging: str = "sum"


class Family:
    """The values of one metric: label values -> cell, a list of numbers."""

    def __init__(self, definition: Definition, size: int) -> None:
        self.definition = definition
        self._size = size
        self._cells: dict[tuple[str, ...], list[float]] = {}
        self.reset()
        _families.append(self)

    def reset(self) -> None:
        """Remove all values."""
        self._cells.clear()
        if not self.definition.labels:
            self._new_cell(())

    def samples(self) -> list[Sample]:
        """Return the current values."""
        names = self.definition.labels
        found: list[Sample] = []
        for labels, cell in list(self._cells.items()):
            found += self._samples_of(tuple(zip(names, labels, strict=True)), cell)
        return found

    def _samples_of(self, labels: tuple[tuple[str, str], ...], cell: Sequence[float]) -> list[Sample]:
        return [(self.definition.name, labels, cell[0])]

    def _new_cell(self, labels: tuple[str, ...]) -> list[float]:
        if len(labels) != len(self.definition.labels):
            raise ValueError(f"{self.definition.name} has the labels {self.definition.labels}, not {labels}")
        # Another thread may have added the cell meanwhile.
        return self._cells.setdefault(labels, [0.0] * self._size)


class CounterFamily(Family):
    """A metric that only grows."""

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        """Define a counter; `name` is without ``_total``, which the text format adds."""
        super().__init__(Definition(name, "counter", help, tuple(labels)), 1)

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """Increase the counter."""
        cell = self._cells.get(labels) or self._new_cell(labels)
        cell[0] += by

    def _samples_of(self, labels: tuple[tuple[str, str], ...], cell: Sequence[float]) -> list[Sample]:
        return [(f"{self.definition.name}_total", labels, cell[0])]


class GaugeFamily(Family):
    """A metric with a current value."""

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), merging: str = "sum") -> None:
        super().__init__(Definition(name, "gauge", help, tuple(labels), merging), 1)

    def set(self, value: float, *labels: str) -> None:
        """Set the value."""
        cell = self._cells.get(labels) or self._new_cell(labels)
        cell[0] = float(value)


class HistogramFamily(Family):
    """A histogram of durations with at least one label."""

    def __init__(self, name: str, help: str, labels: Sequence[str], bounds: Sequence[float] = SECONDS) -> None:
        # A cell has the number of durations in each bucket, the number of longer ones, and the sum.
        super().__init__(Definition(name, "histogram", help, tuple(labels)), len(bounds) + 2)
        self._bounds = bounds
        self._bound_texts = [*map(floatToGoString, bounds), "+Inf"]

    def observe(self, seconds: float, *labels: str) -> None:
        """Record one duration."""
        cell = self._cells.get(labels) or self._new_cell(labels)
        cell[bisect_left(self._bounds, seconds)] += 1
        cell[-1] += seconds

    def _samples_of(self, labels: tuple[tuple[str, str], ...], cell: Sequence[float]) -> list[Sample]:
        name = self.definition.name
        *counts, total = cell
        up_to = list(accumulate(counts))
        buckets: list[Sample] = [
            (f"{name}_bucket", (*labels, ("le", bound)), count)
            for bound, count in zip(self._bound_texts, up_to, strict=True)
        ]
        return [*buckets, (f"{name}_count", labels, up_to[-1]), (f"{name}_sum", labels, total)]


_families: list[Family] = []


def families() -> Sequence[Family]:
    """Return all families in the order of their definition."""
    return _families


def definitions() -> list[Definition]:
    """Return the definitions of all families in their order."""
    return [family.definition for family in _families]


def reset_all() -> None:
    """Reset all families to zero. For a forked worker, before anything else runs in it."""
    for family in _families:
        family.reset()
