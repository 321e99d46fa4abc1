"""Compare servers under the load of many clients.

    python -m contrib.bench.compare geventcore bcfg2-builtin --levels 1:15,64:20,1000:90

All serve copies of one generated repository with the same options. At every level of concurrency they take turns, A,
B, A, B, so that whatever else the machine does meets all. For each turn the server is started afresh, on a fresh copy,
and is stopped when the time of the level is over. Options of one server are given with its name:
`geventcore,gevent.pool_size=100`. With one server only, it is measured alone; `geventcore-builtin geventcore-gevent
geventcore-multiprocessing …` puts all cores side by side.

The table has a row for each level and server, and below each but the first what the first divided by it gives. Runs are
whole client runs, calls single answers; failed runs gave up as a client would, cut ones were not finished when the time
was over. What was not finished counts among the times with those it had taken so far. Errors are failed attempts, bad
are entries the server could not bind. `cpu/call` is the processor time of all processes of the server divided by the
calls answered; memory is the largest seen under load, in `pss` shared pages count once. Everything runs on this
machine's loopback addresses.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contrib.bench.candidates import SERVERS, BenchError, Candidate, parse_candidate
from contrib.bench.command import add_report, load_of, show_progress, write_report
from geventcore.cli.command import termination_as_interrupt
from geventcore.errors import GeventcoreError
from geventcore.simulation.load import Pace
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.report_page import Section
from geventcore.simulation.report_text import comparison
from geventcore.simulation.repository import Shape
from geventcore.simulation.test_bed import PLUGINS, TestBed

#: The more clients, the longer it takes until the first ones have made all their calls.
DEFAULT_LEVELS = "1:15,16:15,64:20,256:40,1000:90"


@dataclass(frozen=True)
class Level:
    """An amount of load: so many runs under way at the same time, for so many seconds."""

    clients: int
    seconds: float


def parse_level(text: str) -> Level:
    """A level from the command line: `CLIENTS:SECONDS`.

    Raises:
        BenchError: it is malformed.
    """
    clients, _, seconds = text.partition(":")
    try:
        level = Level(int(clients), float(seconds))
    except ValueError as error:
        raise BenchError(f"{text}: a level is CLIENTS:SECONDS") from error
    if level.clients < 1 or not 0 < level.seconds < math.inf:
        raise BenchError(f"{text}: clients and seconds must be positive")
    return level


def compare(bed: TestBed, candidates: Sequence[Candidate], levels: Sequence[Level], rounds: int) -> list[Section]:
    """Measure every candidate at every level, by turns; says on standard error what it is doing.

    Ctrl-C ends it, and what was measured by then is returned.

    Raises:
        GeventcoreError: a server or the load did not work.
    """
    sections: list[Section] = []
    for level in levels:
        pace = Pace(None, concurrency=level.clients)
        measurements = [Measurement(candidate.name, pace.describe()) for candidate in candidates]
        sections.append(Section(f"{level.clients} clients", f"{pace.describe()}, {level.seconds:g} s", measurements))
        for number in range(rounds):
            for candidate, measurement in zip(candidates, measurements, strict=True):
                print(f"{level.clients} clients, round {number + 1}: {candidate.name}", file=sys.stderr, flush=True)
                with bed.serving(candidate.options, candidate.command) as running:
                    load = load_of(bed, running, pace, level.seconds)
                    measure_load(measurement, load, [running.pid], show_progress)
                if measurement.interrupted:
                    return sections
    return sections


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m contrib.bench.compare",
        description="Compare Bcfg2 servers under the load of many clients.",
        epilog=f"Servers: {', '.join(SERVERS)}",
    )
    parser.add_argument(
        "servers",
        nargs="+",
        metavar="server",
        help="NAME[,section.option=value…]; the others are compared with the first",
    )
    parser.add_argument("--levels", default=DEFAULT_LEVELS, help=f"CLIENTS:SECONDS,… (default: {DEFAULT_LEVELS})")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each server at each level")
    parser.add_argument("--clients", type=int, help="clients in the repository (default: 100, or the highest level)")
    parser.add_argument("--entries", type=int, default=400, help="entries per client")
    parser.add_argument("--plugins", default=",".join(PLUGINS), help="of all servers, in load order")
    add_report(parser, "compare")
    options = parser.parse_args(arguments)
    try:
        levels = [parse_level(text) for text in options.levels.split(",")]
        most = max(100, *(level.clients for level in levels))
        shape = Shape(clients=options.clients or most, entries=options.entries)
        candidates = [parse_candidate(text) for text in options.servers]
        with termination_as_interrupt(), tempfile.TemporaryDirectory(prefix="bench-") as directory:
            bed = TestBed(Path(directory), shape, options.plugins.split(","))
            sections = compare(bed, candidates, levels, options.rounds)
    except (GeventcoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted before anything was measured", file=sys.stderr)
        return 130
    print(comparison([(section.title, one) for section in sections for one in section.measurements]))
    note = f"{shape.clients} clients with {shape.entries} entries each, {options.rounds} turns of each server."
    write_report(options.report, " and ".join(options.servers), note, sections, vars(options) | vars(shape))
    return 0


if __name__ == "__main__":
    sys.exit(main())
