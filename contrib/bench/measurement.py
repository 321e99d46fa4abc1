"""What was measured of one server at one level of load, and the table that sets two servers side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from contrib.bench.meter import Peak


@dataclass
class Measurement:
    """All turns of one server at one level, summed up.

    Attributes:
        load: sums of the counts in `load.Result`.
        errors: kind -> count.
        durations: `run` or a method -> seconds each that was finished took.
        unfinished: `run` or a method -> seconds each that was not finished had taken so far.
        cpu_seconds: of the server's processes while under load.
        peak: of the turn that took most.
    """

    load: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    errors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    durations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unfinished: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu_seconds: float = 0.0
    peak: Peak = field(default_factory=Peak)

    def add(self, result: Mapping[str, object], cpu_seconds: float, peak: Peak) -> None:
        """Take in one turn: the JSON object of `load`, and what the meter saw."""
        for name, value in result.items():
            if isinstance(value, (int, float)) and name != "concurrency":
                self.load[name] += value
        for kind, count in _mapping(result["errors"]).items():
            self.errors[kind] += int(str(count))
        for name, values in _mapping(result["durations"]).items():
            self.durations[name] += _list(values)
        for name, values in _mapping(result["unfinished"]).items():
            self.unfinished[name] += _list(values)
        self.cpu_seconds += cpu_seconds
        self.peak = Peak(
            max(self.peak.rss_bytes, peak.rss_bytes),
            max(self.peak.pss_bytes, peak.pss_bytes),
            max(self.peak.processes, peak.processes),
        )

    def percentile(self, name: str, fraction: float) -> float | None:
        """A duration in seconds; None if there were none.

        What was not finished counts with the time it had taken so far. So the truth is no smaller; without it, a server
        that leaves most clients waiting would be judged by the few which it serves.
        """
        ordered = sorted([*self.durations.get(name, ()), *self.unfinished.get(name, ())])
        return ordered[round((len(ordered) - 1) * fraction)] if ordered else None

    def per_second(self, count: str) -> float:
        """A count of `load` per second of load."""
        return self.load[count] / self.load["seconds"]

    def cpu_per_call(self) -> float | None:
        """Seconds of processor time for each call that was answered."""
        return self.cpu_seconds / self.load["calls"] if self.load["calls"] else None

    def as_json(self) -> dict[str, object]:
        """Everything but the single durations."""
        names = ("run", *sorted(name for name in self.durations if name != "run"))
        return {
            **self.load,
            "errors": self.errors,
            "cpu_seconds": self.cpu_seconds,
            "peak": vars(self.peak),
            "latency": {
                name: {f"p{100 * fraction:g}": self.percentile(name, fraction) for fraction in (0.5, 0.9, 0.99, 1.0)}
                for name in names
            },
        }


@dataclass(frozen=True)
class Column:
    """A column of the table: how a measurement's value is found and written."""

    title: str
    value: Callable[[Measurement], float | None]
    scale: float = 1.0
    decimals: int = 0
    has_ratio: bool = True


COLUMNS = (
    Column("runs/s", lambda m: m.per_second("runs_ok"), decimals=1),
    Column("calls/s", lambda m: m.per_second("calls"), decimals=1),
    Column("failed", lambda m: m.load["runs_failed"], has_ratio=False),
    Column("cut", lambda m: m.load["runs_cut"], has_ratio=False),
    Column("errors", lambda m: sum(m.errors.values()), has_ratio=False),
    Column("bad", lambda m: m.load["bad_entries"], has_ratio=False),
    Column("run p50 ms", lambda m: m.percentile("run", 0.50), 1000),
    Column("run p99 ms", lambda m: m.percentile("run", 0.99), 1000),
    Column("GetConfig p50", lambda m: m.percentile("GetConfig", 0.50), 1000, 1),
    Column("p99 ms", lambda m: m.percentile("GetConfig", 0.99), 1000, 1),
    Column("cpu/call ms", lambda m: m.cpu_per_call(), 1000, 2),
    Column("rss MB", lambda m: m.peak.rss_bytes, 1e-6),
    Column("pss MB", lambda m: m.peak.pss_bytes, 1e-6),
)


def table(rows: Sequence[tuple[int, str, Measurement]]) -> str:
    """The measurements as text: level, server, columns.

    Below the second and further servers of a level stands what the first one divided by them gives.
    """
    lines = [["clients", "server", *(column.title for column in COLUMNS)]]
    first: tuple[int, Measurement] | None = None
    for level, name, measurement in rows:
        lines.append([str(level), name, *(_cell(column, measurement) for column in COLUMNS)])
        if first is None or first[0] != level:
            first = (level, measurement)
        else:
            lines.append(["", "  first / this", *(_ratio(column, first[1], measurement) for column in COLUMNS)])
    widths = [max(len(line[position]) for line in lines) for position in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if position == 1 else cell.rjust(width) for position, (cell, width) in pairs)
        for pairs in (list(enumerate(zip(line, widths, strict=True))) for line in lines)
    )


def _cell(column: Column, measurement: Measurement) -> str:
    value = column.value(measurement)
    return "-" if value is None else f"{value * column.scale:.{column.decimals}f}"


def _ratio(column: Column, first: Measurement, second: Measurement) -> str:
    dividend, divisor = column.value(first), column.value(second)
    if not column.has_ratio or dividend is None or not divisor:
        return ""
    return f"x{dividend / divisor:.2f}"


def _list(value: object) -> list[float]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
