"""Values of metrics, as a server tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from geventcore.metrics.exposition import parse
from geventcore.metrics.snapshot import Sample, Sampler


def values_in(text: str) -> Callable[..., float]:
    """Gives the value of a metric with some labels in what ``/metrics`` has answered; the sum if others differ."""
    return _values_of(parse(text))


def values_here() -> Callable[..., float]:
    """The same of this process."""
    return _values_of([sample for samples in Sampler().take().samples.values() for sample in samples])


def _values_of(samples: Sequence[Sample]) -> Callable[..., float]:
    def value(name: str, **labels: str) -> float:
        return sum(value for found, have, value in samples if found == name and labels.items() <= dict(have).items())

    return value
