"""Measurements with known numbers."""

from __future__ import annotations

from collections.abc import Iterable

from geventcore.simulation.load import GET_CONFIG
from geventcore.simulation.measurement import Measurement, Turn
from geventcore.simulation.records import CUT, GOOD, RUN, LoadResult
from geventcore.simulation.sampler import ProcessSample, Sample, Samples


def turn(
    seconds: float,
    runs: Iterable[float],
    unfinished: Iterable[float] = (),
    reasons: Iterable[str] = (),
    cpu_seconds: float | None = None,
    memory: Iterable[int] = (),
) -> Turn:
    """A turn in which runs took so many seconds each, one after the other, with one call in each."""
    result = LoadResult(seconds=seconds)
    records, counts = result.records, result.counts
    started = 0.0
    for duration in runs:
        records.add(0, GET_CONFIG, 1, GOOD, started, duration / 4, duration / 2)
        records.add(0, RUN, 1, GOOD, started, -1.0, duration)
        counts.runs_ok += 1
        counts.calls += 1
        started += duration
    for duration in unfinished:
        records.add(0, RUN, 1, CUT, 0.0, -1.0, duration)
        counts.runs_cut += 1
    for reason in reasons:
        records.add(0, GET_CONFIG, 1, records.reason(reason), 0.5, -1.0, 0.1)
        counts.retries += 1
    counts.client_cpu_seconds = 0.001 * counts.runs_ok
    samples = [
        Sample(float(number), number * 0.5, 2 * pss, pss, 10 + number, 3, 2) for number, pss in enumerate(memory)
    ]
    largest = [ProcessSample(100, "python", 1.0, 2_000_000, 1_000_000, 10, 3)] if samples else []
    return Turn(result, cpu_seconds, Samples(samples, largest))


def measurement(*turns: Turn, label: str = "a server") -> Measurement:
    """A measurement of these turns."""
    made = Measurement(label, "16 runs under way at any time", ["node1.example.net"])
    for one in turns:
        made.add(one)
    return made
