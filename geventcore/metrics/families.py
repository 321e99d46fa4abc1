"""What a metric is: a family of values, one for each combination of labels.

The values are those of prometheus_client. Finding the value of some labels there costs as much as counting does, so a
family keeps what it has found. A measurement takes about a microsecond (docs: design/metrics, "Cost").

A process that is forked off to serve begins at zero (`reset_all`): what its parent has counted is the parent's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: All families. Not the library's default one, which also has values that make no sense added up over processes.
REGISTRY = CollectorRegistry()

#: Upper bounds in seconds. The cheapest call takes less than a millisecond, and a client gives up after 90 seconds.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)

MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)


@dataclass(frozen=True)
class Definition:
    """The manual of a family.

    Attributes:
        name: what it is called, without the suffixes of its samples.
        type: ``counter``, ``gauge`` or ``histogram``.
        help: one sentence, with the unit where the name has none.
        labels: the names of its labels.
        merging: how the values of several processes become one: ``sum``, ``min`` or ``max``.
    """

    name: str
    type: str
    help: str
    labels: tuple[str, ...]
    merging: str = "sum"


class Family(Generic[MetricT]):
    """The values of one metric, by the values of its labels in their order."""

    def __init__(self, definition: Definition, metric: MetricT) -> None:
        self.definition = definition
        self._metric: MetricT = metric
        self._children: dict[tuple[str, ...], MetricT] = {}

    def _child(self, labels: tuple[str, ...]) -> MetricT:
        child = self._children.get(labels)
        if child is None:
            child = self._metric.labels(*labels) if labels else self._metric
            self._children[labels] = child
        return child

    def reset(self) -> None:
        """Forget all values."""
        self._children.clear()
        if self.definition.labels:
            self._metric.clear()


class CounterFamily(Family[Counter]):
    """Counts that only grow."""

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        """`name` is without ``_total``, which the text adds."""
        definition = Definition(name, "counter", help, tuple(labels))
        super().__init__(definition, Counter(name, help, definition.labels, registry=REGISTRY))
        _families.append(self)

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """Count something, or several."""
        self._child(labels).inc(by)

    def reset(self) -> None:
        """Forget all values."""
        super().reset()
        if not self.definition.labels:
            self._metric.reset()


class GaugeFamily(Family[Gauge]):
    """Values of now."""

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), merging: str = "sum") -> None:
        definition = Definition(name, "gauge", help, tuple(labels), merging)
        super().__init__(definition, Gauge(name, help, definition.labels, registry=REGISTRY))
        _families.append(self)

    def set(self, value: float, *labels: str) -> None:
        """Replace a value."""
        self._child(labels).set(value)

    def reset(self) -> None:
        """Forget all values."""
        super().reset()
        if not self.definition.labels:
            self._metric.set(0)


class HistogramFamily(Family[Histogram]):
    """Durations, counted by how long they were. There is at least one label."""

    def __init__(self, name: str, help: str, labels: Sequence[str], bounds: Sequence[float] = SECONDS) -> None:
        definition = Definition(name, "histogram", help, tuple(labels))
        super().__init__(definition, Histogram(name, help, definition.labels, registry=REGISTRY, buckets=bounds))
        _families.append(self)

    def observe(self, seconds: float, *labels: str) -> None:
        """Count one duration."""
        self._child(labels).observe(seconds)


_families: list[CounterFamily | GaugeFamily | HistogramFamily] = []


def definitions() -> list[Definition]:
    """The manual of every family, in the order of their definition."""
    return [family.definition for family in _families]


def reset_all() -> None:
    """Begin at zero; for a process that is forked off to serve, when nothing else runs in it yet."""
    for family in _families:
        family.reset()
