"""The latency of clients while an update changes many files of the repository.

    python -m contrib.bench.checkout geventcore-gevent geventcore-builtin
    python -m contrib.bench.checkout geventcore-gevent --touch --rounds 20

Clients get their configurations at a steady rate that leaves the server mostly idle. In the second phase a program
rewrites many files of the repository, again and again with ``--rounds``. With ``--touch`` it changes only their times.

The table tells the latency of GetConfig without and with the update, in milliseconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contrib.bench.candidates import SERVERS
from contrib.bench.latencies import Latencies, print_latencies
from geventcore.simulation.load import GET_CONFIG, Load, Pace, RetryPolicy, RunPlan
from geventcore.simulation.load_processes import LoadProcesses
from geventcore.simulation.repository import Shape
from geventcore.simulation.test_bed import TestBed

#: Changes files in a process of its own: directory, number of files, rounds, seconds before it begins, "touch" or not.
_UPDATE = """
import os, pathlib, sys, time
directory, files, rounds, delay, way = sys.argv[1:]
time.sleep(float(delay))
paths = sorted(p for p in pathlib.Path(directory).rglob("*") if p.is_file() and "Cfg" in p.parts)[:int(files)]
for number in range(int(rounds)):
    for path in paths:
        if way == "touch":
            os.utime(path)
        else:
            path.write_bytes(path.read_bytes() + b"\\n")
print(len(paths))
"""

#: Seconds of a phase before the update begins.
_DELAY_SECONDS = 2.0


def phase(load: Load, update: Sequence[str] = ()) -> Latencies:
    """Make the load once, beside the command `update` if there is one."""
    found = Latencies()
    with LoadProcesses(load) as processes:
        processes.prepare()
        process = subprocess.Popen(update, stdout=subprocess.DEVNULL) if update else None
        result = processes.run()
        if process is not None:
            process.wait()
    found.add(result, GET_CONFIG)
    return found


def measure(name: str, directory: Path, options: argparse.Namespace) -> tuple[Latencies, Latencies]:
    """Return the latencies of one server without and with an update."""
    bed = TestBed(directory, Shape(clients=options.clients, bundles=40, entries=options.entries))
    with bed.serving(SERVERS[name].options, SERVERS[name].command) as server:
        load = replace(
            bed.load(server),
            pace=Pace(None, rate=options.rate),
            seconds=options.seconds,
            retry=RetryPolicy(attempts=1),
            plan=RunPlan(only=frozenset({GET_CONFIG})),
        )
        phase(load)
        quiet = phase(load)
        way = "touch" if options.touch else "write"
        counts = (options.files, options.rounds, _DELAY_SECONDS)
        update = [sys.executable, "-c", _UPDATE, os.fspath(directory / "repository"), *map(str, counts), way]
        return quiet, phase(load, update)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each server."""
    parser = argparse.ArgumentParser(
        prog="python -m contrib.bench.checkout", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("servers", nargs="+", choices=sorted(SERVERS), metavar="server", help=", ".join(SERVERS))
    parser.add_argument("--clients", type=int, default=100, help="as many may wait at the same time")
    parser.add_argument("--entries", type=int, default=1000, help="entries of each client")
    parser.add_argument("--rate", type=float, default=10.0, help="calls per second, of all clients together")
    parser.add_argument("--files", type=int, default=2000, help="how many files change")
    parser.add_argument("--rounds", type=int, default=1, help="how often each of them changes")
    parser.add_argument("--touch", action="store_true", help="change only the times of files")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a phase")
    options = parser.parse_args(arguments)
    return print_latencies(measure, options)


if __name__ == "__main__":
    sys.exit(main())
