"""A measurement for the terminal: one server in full, or several side by side with ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from geventcore.fleet.load.conversation import GET_CONFIG, METHODS
from geventcore.fleet.load.measurement import PERCENTS, Distribution, Measurement
from geventcore.fleet.load.records import KINDS, RUN

#: Reasons beyond these are only counted.
_SHOWN = 10


@dataclass(frozen=True)
class Column:
    """A column of a comparison: how a measurement's value is found and written."""

    title: str
    value: Callable[[Measurement], float | None]
    scale: float = 1.0
    decimals: int = 0
    has_ratio: bool = True

    def cell(self, measurement: Measurement) -> str:
        """The value as text."""
        value = self.value(measurement)
        return "-" if value is None else f"{value * self.scale:.{self.decimals}f}"

    def ratio(self, first: Measurement, other: Measurement) -> str:
        """The first's value divided by the other's; empty where that makes no sense."""
        dividend, divisor = self.value(first), self.value(other)
        return f"x{dividend / divisor:.2f}" if self.has_ratio and dividend is not None and divisor else ""


def _percentile(kind: int, percent: float) -> Callable[[Measurement], float | None]:
    def value(measurement: Measurement) -> float | None:
        found = measurement.distribution(kind)
        return None if found is None else found.percentiles[percent]

    return value


COLUMNS = (
    Column("runs/s", lambda m: m.per_second("runs_ok"), decimals=1),
    Column("calls/s", lambda m: m.per_second("calls"), decimals=1),
    Column("failed", lambda m: m.total("runs_failed"), has_ratio=False),
    Column("cut", lambda m: m.total("runs_cut"), has_ratio=False),
    Column("errors", lambda m: sum(m.errors().values()), has_ratio=False),
    Column("bad", lambda m: m.total("bad_entries"), has_ratio=False),
    Column("run p50 ms", _percentile(RUN, 50.0), 1000),
    Column("run p99 ms", _percentile(RUN, 99.0), 1000),
    Column("GetConfig p50", _percentile(GET_CONFIG, 50.0), 1000, 1),
    Column("p99 ms", _percentile(GET_CONFIG, 99.0), 1000, 1),
    Column("cpu/call ms", lambda m: m.cpu_per("calls"), 1000, 2),
    Column("rss MB", lambda m: m.peak_rss, 1e-6),
    Column("pss MB", lambda m: m.peak_pss, 1e-6),
    Column("client cpu/run ms", lambda m: m.client_cpu_per_run(), 1000, 2, has_ratio=False),
)


def comparison(rows: Sequence[tuple[str, Measurement]]) -> str:
    """Measurements as text: level of load, server, columns.

    Below the second and further servers of a level stands what the first one divided by them gives.
    """
    lines = [["load", "server", *(column.title for column in COLUMNS)]]
    first: tuple[str, Measurement] | None = None
    for level, measurement in rows:
        lines.append([level, measurement.label, *(column.cell(measurement) for column in COLUMNS)])
        if first is None or first[0] != level:
            first = (level, measurement)
        else:
            lines.append(["", "  first / this", *(column.ratio(first[1], measurement) for column in COLUMNS)])
    widths = [max(len(line[position]) for line in lines) for position in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if position == 1 else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def summary(measurement: Measurement) -> str:
    """One measurement in lines of plain text."""
    return "\n".join(_lines(measurement))


def _lines(measurement: Measurement) -> Iterator[str]:
    total = measurement.total
    yield f"{measurement.label}: {measurement.load}"
    yield (
        f"{total('runs_ok') + total('runs_failed'):.0f} runs in {measurement.seconds:.1f} s"
        f" ({measurement.per_second('runs_ok'):.1f} runs/s): {total('runs_ok'):.0f} good,"
        f" {total('runs_failed'):.0f} failed, {total('runs_cut'):.0f} unfinished;"
        f" {total('retries'):.0f} calls repeated, {total('bad_entries'):.0f} bad entries"
    )
    yield ""
    yield f"{'':17}{'cases':>8}" + "".join(f"{f'p{percent:g}':>11}" for percent in PERCENTS) + f"{'max':>11}"
    for kind in (*range(len(METHODS)), RUN):
        yield from _row("whole run" if kind == RUN else KINDS[kind], measurement.distribution(kind))
    yield from _row("connect + TLS", measurement.connects())
    yield ""
    if measurement.cpu_seconds is not None:
        cores = measurement.cpu_seconds / measurement.seconds if measurement.seconds else 0.0
        per_call = measurement.cpu_per("calls") or 0.0
        yield f"server: {per_call * 1000:.2f} ms of processor time a call, {cores:.2f} processors busy"
    if measurement.peak_pss is not None:
        yield f"server: {measurement.peak_pss / 1e6:.0f} MB of memory at most (PSS of all processes)"
    per_run = measurement.client_cpu_per_run()
    if per_run is not None:
        yield f"clients: {per_run * 1000:.2f} ms of processor time a run, on the machine that played them"
    errors = measurement.errors()
    if errors:
        yield ""
        yield "Failed calls:"
        for reason, count in list(errors.items())[:_SHOWN]:
            yield f"{count:>6}  {reason}"
        if len(errors) > _SHOWN:
            yield f"        and {len(errors) - _SHOWN} more kinds"


def _row(name: str, found: Distribution | None) -> Iterator[str]:
    if found is not None:
        times = (*found.percentiles.values(), found.maximum)
        yield f"{name:17}{found.count:>8}" + "".join(f"{duration(seconds):>11}" for seconds in times)


def duration(seconds: float) -> str:
    """A time with its unit, in three or four digits."""
    if seconds >= 1:
        return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
