"""The cost of building configurations, without a network.

    python -m contrib.bench.render --entries 400,1000,5000

For each size a repository is generated and read by a local core. Then these are measured, in milliseconds:

* metadata: what is known of a client is worked out;
* first: the very first configuration;
* cold: the first one of each client after that;
* warm: any later one;
* tree: a warm one that is built as a tree and then written, which is what plugins that want to see it all cost;
* report: the report of a client whose entries are all good, as it comes over the wire.

Times are processor time of this process, the median over clients of the best of `--rounds`. On a machine that is busy
with something else they are larger all the same, because the caches of the processor are shared; their ratios are not.
``--profile`` prints where the time of one more round goes.
"""

from __future__ import annotations

import argparse
import cProfile
import logging
import math
import pstats
import statistics
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.core.base import Core
from geventcore.core.methods import CoreMethods
from geventcore.options.server import FILEMONITOR, PLUGINS, REPOSITORY
from geventcore.options.settings import default_settings
from geventcore.simulation.repository import Shape, generate
from geventcore.simulation.test_bed import PLUGINS as BENCH_PLUGINS
from geventcore.wire.xmlrpc import parse_call


@dataclass(frozen=True)
class Cost:
    """Processor time in milliseconds, and what it bought."""

    entries: int
    kilobytes: float
    load_seconds: float
    metadata: float
    first: float
    cold: float
    warm: float
    tree: float
    report: float


def milliseconds(function: Callable[[str], object], names: Iterable[str], rounds: int = 1) -> float:
    """The median over names of the least processor time that a call takes."""
    times = []
    for name in names:
        best = math.inf
        for _ in range(rounds):
            start = time.process_time()
            function(name)
            best = min(best, time.process_time() - start)
        times.append(best * 1000)
    return statistics.median(times)


def report_of(document: bytes) -> bytes:
    """The call with which a client reports that every entry of its configuration is good."""
    entries = b"".join(etree.tostring(entry) for structure in etree.fromstring(document) for entry in structure)
    head = '<upload-statistics><Statistics version="2.0" revision="-1" state="clean" total="1" good="1"><Good>'
    tail = '</Good><OpStamps start="1" end="2"/></Statistics></upload-statistics>'
    return xmlrpc.client.dumps((head + entries.decode("ascii") + tail,), "RecvStats").encode()


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
        first = milliseconds(build, names[:1])
        cold = milliseconds(build, names[1:] or names)
        metadata = milliseconds(core.build_metadata, names, rounds)
        warm = milliseconds(build, names, rounds)
        tree = milliseconds(lambda name: etree.tostring(core.build_configuration(name)), names, rounds)
        document = build(names[0])
        failures = document.count(b" failure=")
        if failures:
            raise SystemExit(f"{failures} entries of {names[0]} cannot be bound; the figures would mean nothing")
        report = _report_cost(core, names[0], document, rounds)
        if profile:
            profiler = cProfile.Profile()
            for name in names:
                profiler.runcall(build, name)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        entries = sum(len(structure) for structure in etree.fromstring(document))
        return Cost(entries, len(document) / 1024, loaded, metadata, first, cold, warm, tree, report)
    finally:
        core.shutdown()


def _report_cost(core: Core, client: str, document: bytes, rounds: int) -> float:
    methods = CoreMethods(core)
    body = report_of(document)
    address = (min(core.build_metadata(client).addresses), 0)

    def receive(_: str) -> None:
        methods.receive_statistics(address, *parse_call(body).params)

    return milliseconds(receive, [client] * 10, rounds)


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--entries", default="400", help="entries per client, with commas between several sizes")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--groups", type=int, default=Shape.groups, help="profiles, each with bundles of its own")
    parser.add_argument("--bundles", type=int, default=Shape.bundles, help="bundles per client")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    columns = ("metadata", "first", "cold", "warm", "tree", "report")
    print("entries    KB  load s", *(f"{column:>8s}" for column in columns), "warm us/entry")
    for size in map(int, options.entries.split(",")):
        shape = Shape(clients=options.clients, entries=size, groups=options.groups, bundles=options.bundles)
        with tempfile.TemporaryDirectory() as directory:
            repository = Path(directory) / "repository"
            generate(repository, shape)
            cost = measure(repository, options.rounds, options.profile)
        print(
            f"{cost.entries:7d} {cost.kilobytes:5.0f} {cost.load_seconds:7.2f}",
            *(f"{getattr(cost, column):8.3f}" for column in columns),
            f"{cost.warm * 1000 / cost.entries:13.1f}",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
