"""A measurement for the terminal: one server in full, or several side by side with ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from geventcore.simulation.load import GET_CONFIG, METHODS
from geventcore.simulation.measurement import PERCENTS, Distribution, Measurement
from geventcore.simulation.records import KINDS, RUN
from geventcore.units import counted, size_text

#: Reasons and problems beyond these are only counted.
_SHOWN = 10


@dataclass(frozen=True)
class Column:
    """A column of a comparison: a value of a measurement, and its format."""

    title: str
    value: Callable[[Measurement], float | None]
    scale: float = 1.0
    decimals: int = 0
    has_ratio: bool = True

    def cell(self, measurement: Measurement) -> str:
        """Return the value as text."""
        value = self.value(measurement)
        return "-" if value is None else f"{value * self.scale:.{self.decimals}f}"

    def ratio(self, first: Measurement, other: Measurement) -> str:
        """Return the first's value divided by the other's; empty where that makes no sense."""
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
    """Return measurements as text: level of load, server, columns.

    Below the second and further servers of a level stand the first one's values divided by theirs.
    """
    lines = []
    first: tuple[str, Measurement] | None = None
    for level, measurement in rows:
        lines.append([level, measurement.label, *(column.cell(measurement) for column in COLUMNS)])
        if first is None or first[0] != level:
            first = (level, measurement)
        else:
            lines.append(["", "  first / this", *(column.ratio(first[1], measurement) for column in COLUMNS)])
    return text_table(["load", "server", *(column.title for column in COLUMNS)], lines, left=frozenset({1}))


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: frozenset[int] = frozenset({0})) -> str:
    """Return a table as plain text; cells of the columns `left` are aligned left, the others right."""
    lines = [list(header), *([*row, *[""] * (len(header) - len(row))] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number in left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def summary(measurement: Measurement) -> str:
    """Return one measurement in lines of plain text, without a newline at the end."""
    return "\n".join(_lines(measurement))


def _lines(measurement: Measurement) -> Iterator[str]:
    total = measurement.total
    ended = int(total("runs_ok") + total("runs_failed"))
    yield f"{measurement.label}: {measurement.load}"
    yield (
        f"{counted(measurement.clients_seen(), 'client')} made {counted(ended, 'run')} in {measurement.seconds:.1f} s"
        f" ({measurement.per_second('runs_ok'):.1f} runs/s): {total('runs_ok'):.0f} good,"
        f" {total('runs_failed'):.0f} failed, {total('runs_cut'):.0f} unfinished;"
        f" {counted(int(total('retries')), 'call')} repeated, {total('bad_entries'):.0f} bad entries"
    )
    if total("runs_not_begun"):
        yield f"{counted(int(total('runs_not_begun')), 'run')} did not begin at their time: all clients were busy"
    yield ""
    yield text_table(_HEADER, list(_rows(measurement)))
    yield from _resources(measurement)
    yield from _example(measurement)
    for title, reasons in (
        ("Failed runs:", measurement.reasons(of_runs=True)),
        ("Failed calls:", measurement.errors()),
    ):
        if reasons:
            yield ""
            yield title
            yield from _counts(reasons, _SHOWN)


_HEADER = ("", "calls", "failed", "again", *(f"p{percent:g}" for percent in PERCENTS), "longest")


def _rows(measurement: Measurement) -> Iterator[list[str]]:
    for kind, name in enumerate(KINDS[: len(METHODS)]):
        counts = measurement.attempts(kind)
        found = measurement.distribution(kind)
        if any(counts) or found is not None:
            yield [name, *map(str, counts), *_times(found)]
    for name, found in (("whole run", measurement.distribution(RUN)), ("connect + TLS", measurement.connects())):
        if found is not None:
            yield [name, str(found.count), "", "", *_times(found)]


def _times(found: Distribution | None) -> list[str]:
    return [] if found is None else [duration(seconds) for seconds in (*found.percentiles.values(), found.maximum)]


def _resources(measurement: Measurement) -> Iterator[str]:
    yield ""
    if measurement.cpu_seconds is not None:
        cores = measurement.cpu_seconds / measurement.seconds if measurement.seconds else 0.0
        per_call = measurement.cpu_per("calls") or 0.0
        yield f"server: {per_call * 1000:.2f} ms of processor time a call, {cores:.2f} processors busy"
    if measurement.peak_pss is not None:
        yield f"server: {size_text(measurement.peak_pss)} of memory at most (PSS of all processes)"
    per_run = measurement.client_cpu_per_run()
    if per_run is not None:
        yield f"clients: {per_run * 1000:.2f} ms of processor time a run, on this machine"


def _example(measurement: Measurement) -> Iterator[str]:
    found = measurement.example()
    if found is None:
        return
    name, seen = found
    yield ""
    yield f"{name} got {seen.total} entries, {seen.good} of them good:"
    yield from _counts(seen.entries, len(seen.entries))
    yield from (f"  bad: {problem}" for problem in seen.problems[:_SHOWN])


def _counts(counts: Mapping[str, int], shown: int) -> Iterator[str]:
    for name, count in list(counts.items())[:shown]:
        yield f"{count:>6}  {name}"
    if len(counts) > shown:
        yield f"        and {len(counts) - shown} more kinds"


def duration(seconds: float) -> str:
    """Return a time with its unit, in three or four digits."""
    if seconds >= 1:
        return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
