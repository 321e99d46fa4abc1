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

from contrib.bench.arena import Arena, BenchError, parse_contestant
from contrib.bench.command import parser, show_progress, with_arena, write_report
from geventcore.fleet.load.job import Pace
from geventcore.fleet.load.measurement import Measurement
from geventcore.fleet.load.page import Section, Table
from geventcore.fleet.load.text import summary
from geventcore.fleet.load.turn import take_turn
from geventcore.fleet.repository import Shape

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
    made.add_argument("--seed", type=int, default=0, help="other numbers, other victims")
    options = made.parse_args(arguments)

    def measure(arena: Arena) -> int:
        contestant = parse_contestant(options.server)
        pace = Pace(concurrency=options.concurrency)
        measurement = Measurement(contestant.name, f"{pace.describe()}; a worker is killed every {options.every:g} s")
        with arena.serving(contestant) as running:
            killer = Killer(running.pid, options.every, options.seed)
            try:
                load = arena.load(running, pace, options.seconds)
                take_turn(measurement, load, [running.pid], show_progress, killer.begin)
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
        write_report(options.report, f"Killed workers of {contestant.name}", note, [section], vars(options))
        return 1 if measurement.total("runs_failed") or not killer.killed else 0

    return with_arena(lambda: Shape(clients=options.clients, entries=options.entries), measure)


if __name__ == "__main__":
    sys.exit(main())
