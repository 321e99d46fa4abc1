"""What it costs to build configurations, without a network.

    python -m contrib.bench.render --entries 400,1000,5000

For each size a repository is generated and read by a local core. Each client's configuration is then built and
serialised; the first time for each client is its *cold* build, later ones are *warm* (templates are compiled, regular
expressions and rules are looked up). Times are processor time of this process, the median over clients, so other
processes matter little. ``--profile`` prints where the time of one more round goes.
"""

from __future__ import annotations

import argparse
import cProfile
import logging
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.core.base import Core
from geventcore.options.common import FILEMONITOR, PLUGINS, REPOSITORY
from geventcore.options.settings import default_settings
from tests.peers.sites import PLUGINS as BENCH_PLUGINS
from tests.repositories.generate import Shape, generate


@dataclass(frozen=True)
class Cost:
    """Processor time in milliseconds, and what it bought."""

    entries: int
    kilobytes: float
    load_seconds: float
    metadata: float
    cold: float
    warm: float


def milliseconds(function: Callable[[str], object], names: Iterable[str]) -> float:
    """The median processor time of one call."""
    times = []
    for name in names:
        start = time.process_time()
        function(name)
        times.append((time.process_time() - start) * 1000)
    return statistics.median(times)


def measure(repository: Path, rounds: int, profile: bool) -> Cost:
    """Build every client's configuration of a repository."""
    settings = default_settings({REPOSITORY: repository, PLUGINS: BENCH_PLUGINS, FILEMONITOR: "pseudo"})
    core = Core(settings)
    try:
        start = time.perf_counter()
        core.load()
        loaded = time.perf_counter() - start
        names = core.metadata_source().list_clients()

        build = core.write_configuration
        cold = milliseconds(build, names)
        metadata = milliseconds(core.build_metadata, names * rounds)
        warm = milliseconds(build, names * rounds)
        document = build(names[0])
        failures = document.count(b" failure=")
        if failures:
            raise SystemExit(f"{failures} entries of {names[0]} cannot be bound; the figures would mean nothing")
        if profile:
            profiler = cProfile.Profile()
            for name in names:
                profiler.runcall(build, name)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        entries = sum(len(structure) for structure in etree.fromstring(document))
        return Cost(entries, len(document) / 1024, loaded, metadata, cold, warm)
    finally:
        core.shutdown()


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--entries", default="400", help="entries per client, with commas between several sizes")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="how often each client's configuration is built warm")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    print("entries    KB  load s  metadata ms  cold ms  warm ms  warm us/entry")
    for size in options.entries.split(","):
        with tempfile.TemporaryDirectory() as directory:
            repository = Path(directory) / "repository"
            generate(repository, Shape(clients=options.clients, entries=int(size)))
            cost = measure(repository, options.rounds, options.profile)
        print(
            f"{cost.entries:7d} {cost.kilobytes:5.0f} {cost.load_seconds:7.2f} {cost.metadata:12.3f} {cost.cold:8.2f}"
            f" {cost.warm:8.2f} {cost.warm * 1000 / cost.entries:14.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
