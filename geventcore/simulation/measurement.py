"""Everything that was measured of one server under one load, in numbers.

Percentiles are nearest-rank: a value that was really seen, which at least so many percent of all do not exceed. Calls
that were under way at the end count with the time that they had taken so far: the truth is no smaller, and a server
that leaves most clients waiting would otherwise be judged by the few that it serves.
"""

from __future__ import annotations

import math
import os
import platform
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from geventcore import __version__
from geventcore.simulation.engine import Progress
from geventcore.simulation.load import Load
from geventcore.simulation.load_processes import LoadProcesses
from geventcore.simulation.observation import Observation
from geventcore.simulation.records import CUT, FAILED, GOOD, KINDS, RUN, LoadResult
from geventcore.simulation.sampler import Sampler, Samples

#: The percentiles of tables.
PERCENTS = (50.0, 90.0, 99.0, 99.9)
#: Points of a curve of percentiles: closer together towards the slow end, where few calls are.
_CURVE_PERCENTS = tuple(100 * (1 - 10 ** (-step / 16)) for step in range(65))
#: Intervals that a load is divided into for curves over time, at most.
_INTERVALS = 80


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of the values that at least `percent` percent do not exceed; `ordered` is not empty."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True)
class Distribution:
    """A distribution of durations, in seconds; `percentiles` has the keys of PERCENTS."""

    count: int
    mean: float
    percentiles: Mapping[float, float]
    maximum: float

    @classmethod
    def of(cls, ordered: Sequence[float]) -> Distribution | None:
        """Return that of values in ascending order; None if there are none."""
        if not ordered:
            return None
        values = {percent: percentile(ordered, percent) for percent in PERCENTS}
        return cls(len(ordered), math.fsum(ordered) / len(ordered), values, ordered[-1])


@dataclass
class Turn:
    """One load on one server.

    Attributes:
        result: of the clients.
        cpu_seconds: processor time of the server's processes meanwhile, or None if it is not known.
        samples: of the server's processes.
    """

    result: LoadResult
    cpu_seconds: float | None = None
    samples: Samples = field(default_factory=Samples)


@dataclass
class Measurement:
    """All turns of one server under the same load.

    Attributes:
        label: the server.
        load: the load, in words.
        clients: the names of the clients.
        facts: other things to know: name -> value.
        interrupted: whether it was ended before its time.
    """

    label: str
    load: str
    clients: Sequence[str] = ()
    facts: dict[str, str] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    interrupted: bool = False

    def __post_init__(self) -> None:
        self._durations: dict[int, array[float]] = {}

    def add(self, turn: Turn) -> None:
        """Add a turn."""
        self.turns.append(turn)
        self._durations.clear()

    def total(self, count: str) -> float:
        """Return a sum of `Counts` over all turns."""
        return float(sum(getattr(turn.result.counts, count) for turn in self.turns))

    @property
    def seconds(self) -> float:
        """The length of all turns."""
        return sum(turn.result.seconds for turn in self.turns)

    def per_second(self, count: str) -> float:
        """Return a count per second of load."""
        return self.total(count) / self.seconds if self.seconds else 0.0

    @property
    def cpu_seconds(self) -> float | None:
        """Processor time of the server in all turns; None if it is not known of one."""
        known = [turn.cpu_seconds for turn in self.turns if turn.cpu_seconds is not None]
        return sum(known) if known and len(known) == len(self.turns) else None

    def cpu_per(self, count: str) -> float | None:
        """Return seconds of the server's processor time for each of a count, such as ``calls``; None if not known."""
        number = self.total(count)
        return None if self.cpu_seconds is None or not number else self.cpu_seconds / number

    def client_cpu_per_run(self) -> float | None:
        """Return seconds of the clients' processor time for each good run; None without one."""
        runs = self.total("runs_ok")
        return self.total("client_cpu_seconds") / runs if runs else None

    @property
    def peak_pss(self) -> int | None:
        """The most memory of all processes together, in bytes; None if it was not sampled."""
        return max((turn.samples.peak_pss for turn in self.turns), default=0) or None

    @property
    def peak_rss(self) -> int | None:
        """The same, with shared pages counted for each process."""
        return max((turn.samples.peak_rss for turn in self.turns), default=0) or None

    def reasons(self, *, of_runs: bool) -> dict[str, int]:
        """Return reason -> number of runs, or of attempts, that failed for it, the most frequent first."""
        counter: Counter[str] = Counter()
        for turn in self.turns:
            records = turn.result.records
            for kind, outcome in zip(records.kind, records.outcome, strict=True):
                if (kind == RUN) == of_runs and outcome >= FAILED:
                    counter[records.reasons[outcome - FAILED]] += 1
        return dict(counter.most_common())

    def errors(self) -> dict[str, int]:
        """Return reason -> number of attempts that failed for it."""
        return self.reasons(of_runs=False)

    def attempts(self, kind: int) -> tuple[int, int, int]:
        """Return how many attempts of a method were answered, failed, and repeated another."""
        answered = failed = repeated = 0
        for turn in self.turns:
            for number, outcome, *_ in turn.result.records.of_kind(kind):
                answered += outcome == GOOD
                failed += outcome >= FAILED
                repeated += number > 1
        return answered, failed, repeated

    def clients_seen(self) -> int:
        """Return how many clients have ended a run."""
        seen: set[int] = set()
        for turn in self.turns:
            records = turn.result.records
            rows = zip(records.client, records.kind, records.outcome, strict=True)
            seen.update(client for client, kind, outcome in rows if kind == RUN and outcome != CUT)
        return len(seen)

    def observed(self) -> dict[str, Observation]:
        """Return client -> its last configuration; empty if answers were not parsed."""
        return {name: seen for turn in self.turns for name, seen in turn.result.observed.items()}

    def example(self) -> tuple[str, Observation] | None:
        """Return the client with the most entries, and its configuration; of several the first by name."""
        return min(self.observed().items(), key=lambda item: (-item[1].total, item[0]), default=None)

    def durations(self, kind: int) -> Sequence[float]:
        """Return the seconds of a method's calls, or of runs, ascending: good ones, and those cut at the end."""
        if kind not in self._durations:
            values = array("d")
            for turn in self.turns:
                values.extend(
                    seconds for _, outcome, _, _, seconds in turn.result.records.of_kind(kind) if outcome in (GOOD, CUT)
                )
            self._durations[kind] = array("d", sorted(values))
        return self._durations[kind]

    def distribution(self, kind: int) -> Distribution | None:
        """Return the distribution of `durations`."""
        return Distribution.of(self.durations(kind))

    def connects(self) -> Distribution | None:
        """Return the distribution of the seconds until the TLS handshake was done."""
        return Distribution.of(
            sorted(connected for turn in self.turns for connected in turn.result.records.connected if connected >= 0)
        )

    def curve(self, kind: int) -> list[tuple[float, float]]:
        """Return ``(percent, seconds)`` of a method or run, as far as its number of cases bears."""
        ordered = self.durations(kind)
        return [
            (percent, percentile(ordered, percent))
            for percent in _CURVE_PERCENTS
            if ordered and (1 - percent / 100) * len(ordered) >= 1
        ]

    def over_time(self) -> OverTime:
        """Return the events in each interval of the load."""
        return OverTime.of(self)

    def as_json(self) -> dict[str, Any]:
        """Return everything, as `json.dump` takes it. Times are in seconds, memory in bytes."""
        counts = {name: self.total(name) for name in vars(LoadResult().counts)}
        kinds = {name: self.distribution(kind) for kind, name in enumerate(KINDS)}
        return {
            "server": self.label,
            "load": self.load,
            "facts": self.facts,
            "interrupted": self.interrupted,
            "seconds": self.seconds,
            "counts": counts,
            "runs_per_second": self.per_second("runs_ok"),
            "calls_per_second": self.per_second("calls"),
            "server_cpu_seconds": self.cpu_seconds,
            "server_cpu_seconds_per_call": self.cpu_per("calls"),
            "client_cpu_seconds_per_run": self.client_cpu_per_run(),
            "peak_pss": self.peak_pss,
            "peak_rss": self.peak_rss,
            "latency": {name: _distribution_json(found) for name, found in kinds.items() if found is not None},
            "connect": _distribution_json(self.connects()),
            "failures": self.reasons(of_runs=True),
            "errors": self.errors(),
            "clients": self.clients,
            "configurations": {
                name: {"total": seen.total, "good": seen.good, "problems": seen.problems}
                for name, seen in self.observed().items()
            },
            "turns": [
                {
                    "seconds": turn.result.seconds,
                    "counts": vars(turn.result.counts),
                    "server_cpu_seconds": turn.cpu_seconds,
                    "processes": turn.samples.as_json(),
                    "calls": turn.result.records.as_json(),
                }
                for turn in self.turns
            ],
        }


@dataclass(frozen=True)
class OverTime:
    """Intervals of a load, all turns laid over each other; lists have one value for each interval.

    Attributes:
        seconds: the middle of each interval.
        runs_per_second, calls_per_second: those that ended well in it.
        retries_per_second: attempts that failed in it.
        p50, p99: of the runs that ended in it, in seconds, or None.
    """

    seconds: list[float]
    runs_per_second: list[float]
    calls_per_second: list[float]
    retries_per_second: list[float]
    p50: list[float | None]
    p99: list[float | None]

    @classmethod
    def of(cls, measurement: Measurement) -> OverTime:
        """Return the intervals of all turns."""
        longest = max((turn.result.seconds for turn in measurement.turns), default=0.0)
        width = _interval_seconds(longest)
        # The rest at the end goes to the last interval, which may be half as long again, or half as short.
        count = max(1, round(longest / width))
        runs: list[list[float]] = [[] for _ in range(count)]
        answered, failed = [0] * count, [0] * count
        for turn in measurement.turns:
            records = turn.result.records
            for kind, outcome, started, seconds in zip(
                records.kind, records.outcome, records.started, records.seconds, strict=True
            ):
                interval = min(count - 1, int((started + seconds) / width))
                if kind == RUN and outcome == GOOD:
                    runs[interval].append(seconds)
                elif kind != RUN and outcome == GOOD:
                    answered[interval] += 1
                elif kind != RUN and outcome >= FAILED:
                    failed[interval] += 1
        ends = [(number + 1) * width for number in range(count - 1)] + [math.inf]
        covered = [
            sum(max(0.0, min(end, turn.result.seconds) - number * width) for turn in measurement.turns)
            for number, end in enumerate(ends)
        ]
        for ended in runs:
            ended.sort()
        return cls(
            [(number + 0.5) * width for number in range(count)],
            [len(ended) / time if time else 0.0 for ended, time in zip(runs, covered, strict=True)],
            [number / time if time else 0.0 for number, time in zip(answered, covered, strict=True)],
            [number / time if time else 0.0 for number, time in zip(failed, covered, strict=True)],
            [percentile(ended, 50) if ended else None for ended in runs],
            [percentile(ended, 99) if ended else None for ended in runs],
        )


def _interval_seconds(longest: float) -> float:
    """Return a round number of seconds that divides a load into a readable number of intervals."""
    for width in (0.5, 1, 2, 5, 10, 30, 60, 120, 300):
        if longest / width <= _INTERVALS:
            return float(width)
    return 600.0


def measure_load(
    measurement: Measurement,
    load: Load,
    server_pids: Sequence[int] = (),
    progress: Callable[[Progress], None] = lambda _: None,
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Make a load on a running server, and add a turn to the measurement, which says if it was interrupted.

    Args:
        server_pids: the processes to watch, with their descendants; none if they are not on this machine.
        begin: called when the clients are prepared, before the clock starts.

    Raises:
        LoadError: the server does not even serve one client alone, or the load did not end.
        ConfigError: the processes cannot be watched.
    """
    measurement.clients = [client.name for client in load.clients]
    measurement.facts.setdefault("load of the machine before", f"{os.getloadavg()[0]:.2f}")
    with LoadProcesses(load) as processes:
        processes.prepare()
        begin()
        if not server_pids:
            measurement.add(Turn(processes.run(progress)))
        else:
            with Sampler(server_pids) as sampler:
                before = sampler.cpu_seconds()
                result = processes.run(progress)
                used = sampler.cpu_seconds() - before
            measurement.add(Turn(result, used, sampler.result))
        measurement.interrupted = measurement.interrupted or processes.interrupted


def machine_facts() -> dict[str, str]:
    """Return facts on the machine: name -> value."""
    return {
        "processors": f"{len(os.sched_getaffinity(0))} ({_processor_name()})",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "geventcore": __version__,
    }


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            names = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine() or sys.platform


def _distribution_json(found: Distribution | None) -> dict[str, Any] | None:
    if found is None:
        return None
    values = asdict(found)
    return values | {"percentiles": {f"{percent:g}": value for percent, value in found.percentiles.items()}}
