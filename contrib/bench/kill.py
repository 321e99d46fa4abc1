"""Workers that are killed under load: no run may fail for it.

    python -m contrib.bench.kill

Every few seconds one of the server's worker processes, taken at random, gets SIGKILL: the calls that it was serving are
lost, and their clients try them again as real ones do. The table tells how many were killed and how long it took until
there were as many processes again. The exit status is 1 if a run failed.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Sequence

import psutil

from contrib.bench.candidates import BenchError, parse_candidate
from contrib.bench.command import load_of, parser, show_progress, with_test_bed, write_report
from geventcore.simulation.load import Pace
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.report_page import Section, Table
from geventcore.simulation.report_text import summary
from geventcore.simulation.repository import Shape
from geventcore.simulation.test_bed import TestBed

_POLL_SECONDS = 0.02


class Killer:
    """Kills a child of the process `pid` at intervals, from `begin` until `end`.

    Attributes:
        killed: number of processes.
        replaced_seconds: how long it took, each time, until there were as many as before.
    """

    def __init__(self, pid: int, interval_seconds: float, seed: int) -> None:
        self._process = psutil.Process(pid)
        self._interval = interval_seconds
        self._chance = random.Random(seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._kill_at_intervals, daemon=True)
        self.killed = 0
        self.replaced_seconds: list[float] = []

    def workers(self) -> list[int]:
        """The children that are there."""
        return [child.pid for child in self._process.children() if child.status() != psutil.STATUS_ZOMBIE]

    def begin(self) -> None:
        """Start killing; `BenchError` if there is nobody to kill."""
        if not self.workers():
            raise BenchError("the server has no worker processes: give it some, as geventcore,gevent.workers=4")
        self._thread.start()

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _kill_at_intervals(self) -> None:
        while not self._ended.wait(self._interval):
            workers = self.workers()
            if not workers:
                continue
            victim = self._chance.choice(workers)
            os.kill(victim, signal.SIGKILL)
            self.killed += 1
            killed = time.monotonic()
            while not self._ended.wait(_POLL_SECONDS):
                there = self.workers()
                if victim not in there and len(there) >= len(workers):
                    self.replaced_seconds.append(time.monotonic() - killed)
                    break


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    made = parser("kill", __doc__ or "", server="geventcore,gevent.workers=4", clients=1000, entries=100)
    made.add_argument("--concurrency", type=int, default=64, help="runs under way (default: 64)")
    made.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    made.add_argument("--every", type=float, default=5.0, help="seconds between two kills (default: 5)")
    made.add_argument("--seed", type=int, default=0, help="random seed of the choice of workers")
    options = made.parse_args(arguments)

    def measure(bed: TestBed) -> int:
        candidate = parse_candidate(options.server)
        pace = Pace(None, concurrency=options.concurrency)
        measurement = Measurement(candidate.name, f"{pace.describe()}; a worker is killed every {options.every:g} s")
        with bed.serving(candidate.options, candidate.command) as running:
            killer = Killer(running.pid, options.every, options.seed)
            try:
                load = load_of(bed, running, pace, options.seconds)
                measure_load(measurement, load, [running.pid], show_progress, killer.begin)
            finally:
                killer.end()
        print(summary(measurement))
        took = killer.replaced_seconds
        row = [str(killer.killed), str(len(took))]
        row += [f"{statistics.median(took):.2f}", f"{max(took):.2f}"] if took else ["-", "-"]
        header = ["killed", "replaced", "seconds until then (median)", "seconds (longest)"]
        print("\n" + "\n".join(f"{name}: {value}" for name, value in zip(header, row, strict=True)))
        section = Section("", measurement.load, [measurement], [Table("Killed workers", header, [row])])
        note = f"{options.clients} clients with {options.entries} entries each."
        write_report(options.report, f"Killed workers of {candidate.name}", note, [section], vars(options))
        return 1 if measurement.total("runs_failed") or not killer.killed else 0

    return with_test_bed(lambda: Shape(clients=options.clients, entries=options.entries), measure)


if __name__ == "__main__":
    sys.exit(main())
