"""The text format of Prometheus: a writer, in the version that a scraper accepts, and a parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from geventcore.metrics.families import Sample, definitions


class _Samples(Collector):
    """A collector for prometheus_client."""

    def __init__(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        for definition in definitions():
            metric = Metric(definition.name, definition.help, definition.type)
            for name, labels, value in self._samples.get(definition.name, ()):
                metric.add_sample(name, dict(labels), value)
            yield metric


def expose(samples: Mapping[str, Sequence[Sample]], accept: str) -> tuple[bytes, str]:
    """Return the text and its content type for a scraper's ``Accept`` header."""
    encode, content_type = choose_encoder(accept)
    return encode(_Samples(samples)), content_type


def parse(text: str) -> list[Sample]:
    """Parse a text.

    Raises:
        ValueError: the text is not in this format.
    """
    return [
        (sample.name, tuple(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
