"""The latency of calls in two kinds of phases, quiet and disturbed, and their table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from geventcore.errors import GeventcoreError
from geventcore.simulation.measurement import percentile
from geventcore.simulation.records import GOOD, LoadResult


@dataclass
class Latencies:
    """Of calls, in seconds."""

    answered: list[float] = field(default_factory=list)
    failed: int = 0

    def milliseconds(self, percent: float) -> float:
        """Return a percentile."""
        return percentile(sorted(self.answered), percent) * 1000 if self.answered else float("nan")

    def add(self, result: LoadResult, call: str) -> None:
        """Add the calls of one kind of a load. Calls that could not begin count as failed."""
        rows = result.records.of_kind(call)
        self.answered += [seconds for _, outcome, _, _, seconds in rows if outcome == GOOD]
        self.failed += result.counts.runs_failed + result.counts.runs_not_begun


#: Measures one server: its name, an empty directory and the options; returns the quiet and the disturbed latencies.
Measure = Callable[[str, Path, argparse.Namespace], tuple[Latencies, Latencies]]


def print_latencies(measure: Measure, options: argparse.Namespace) -> int:
    """Print one line for each of `options.servers`. Returns the exit status."""
    print("server                         calls  failed  p50 quiet  p50 with  p99 quiet  p99 with   max with")
    for name in options.servers:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            try:
                quiet, disturbed = measure(name, Path(directory), options)
            except GeventcoreError as err:
                print(f"{name}: {err}", file=sys.stderr)
                return 1
        print(
            f"{name:30} {len(disturbed.answered):5d} {disturbed.failed:7d}"
            f" {quiet.milliseconds(50):10.1f} {disturbed.milliseconds(50):9.1f}"
            f" {quiet.milliseconds(99):10.1f} {disturbed.milliseconds(99):9.1f}"
            f" {disturbed.milliseconds(100):10.1f}",
            flush=True,
        )
    return 0
