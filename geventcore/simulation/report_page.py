"""Measurements as one HTML page that needs nothing else: no network, no fonts, and no script to be complete.

A page has sections, one for each load; a section has one measurement, or several that are compared. Jinja2 fills
``page.html.j2``; without it, which is an extra, there is no page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

from geventcore.errors import ConfigError
from geventcore.simulation.charts import MOST_LINES, Axis, Chart, Line, Point, line_chart
from geventcore.simulation.load import GET_CONFIG, METHODS, RECV_STATS
from geventcore.simulation.measurement import PERCENTS, Measurement
from geventcore.simulation.records import KINDS, RUN
from geventcore.simulation.report_text import COLUMNS, duration
from geventcore.simulation.sampler import Sample
from geventcore.units import size_text

#: Rows of a table of errors or processes; the others are only counted.
_MOST_ROWS = 20

#: The calls of which a comparison shows percentiles.
_COMPARED = (RUN, GET_CONFIG, RECV_STATS)


@dataclass(frozen=True)
class Table:
    """A table of a section's own; cells are plain text, those of `text_columns` are aligned left."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Section:
    """A load and the measurements under it.

    Attributes:
        note: how to read it.
        measurements: of one server, or of several under the same load.
        tables: further ones.
    """

    title: str
    note: str
    measurements: Sequence[Measurement]
    tables: Sequence[Table] = field(default_factory=tuple)


def check_page_possible() -> None:
    """Raise `ConfigError` if a page cannot be made here."""
    _jinja2()


def html_page(title: str, note: str, sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """Return the page; `facts` are of the machine. `ConfigError` if Jinja2 is not installed."""
    directory = files(__package__)
    style, script, template = (
        directory.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html.j2")
    )
    environment = _jinja2().Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page: str = environment.from_string(template).render(
        title=title,
        note=note,
        style=style,
        script=script,
        sections=[_section(section) for section in sections],
        made=time.strftime("%Y-%m-%d %H:%M"),
        machine=_in_one_line(facts),
    )
    return page


def _section(section: Section) -> Mapping[str, Any]:
    """Return the variables of a section in the template."""
    measurements = section.measurements
    return {
        "title": section.title,
        "note": section.note,
        "interrupted": [(one.label, duration(one.seconds)) for one in measurements if one.interrupted],
        "comparison": _comparison(measurements) if len(measurements) > 1 else None,
        "tiles": list(_tiles(measurements[0])) if len(measurements) == 1 else [],
        "charts": list(_charts(measurements)) if measurements else [],
        "servers": [
            {
                "title": one.label if len(measurements) > 1 else "",
                "facts": _in_one_line(one.facts),
                "tables": list(_tables(one)),
            }
            for one in measurements
        ],
        "tables": section.tables,
    }


def _in_one_line(facts: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in facts.items())


def _tiles(measurement: Measurement) -> Iterator[tuple[str, str, str]]:
    """Yield class, value and meaning of the figures at the top."""
    total = measurement.total
    run = measurement.distribution(RUN)
    yield "", f"{measurement.per_second('runs_ok'):.1f} runs/s", f"{total('runs_ok'):,.0f} good runs"
    yield "bad" if total("runs_failed") else "good", f"{total('runs_failed'):,.0f}", "failed runs"
    yield "", f"{total('retries'):,.0f}", "calls repeated"
    if run is not None:
        yield "", duration(run.percentiles[50.0]), "half of the runs take less"
        yield "", duration(run.percentiles[99.0]), "99 % of the runs take less"
    per_call, per_run = measurement.cpu_per("calls"), measurement.client_cpu_per_run()
    if per_call is not None:
        yield "", f"{per_call * 1000:.2f} ms", "server's processor time a call"
    if measurement.peak_pss is not None:
        yield "", size_text(measurement.peak_pss), "most memory of the server (PSS)"
    if per_run is not None:
        yield "", f"{per_run * 1000:.2f} ms", "clients' processor time a run"
    if total("bad_entries"):
        yield "bad", f"{total('bad_entries'):,.0f}", "entries that could not be bound"


def _comparison(measurements: Sequence[Measurement]) -> Table:
    rows: list[Sequence[str]] = []
    for number, measurement in enumerate(measurements):
        rows.append([measurement.label, *(column.cell(measurement) for column in COLUMNS)])
        if number:
            ratios = [column.ratio(measurements[0], measurement) for column in COLUMNS]
            rows.append([f"{measurements[0].label} / this", *ratios])
    return Table("", ["server", *(column.title for column in COLUMNS)], rows)


def _tables(measurement: Measurement) -> Iterator[Table]:
    rows: list[Sequence[str]] = []
    found = [("whole run" if kind == RUN else name, measurement.distribution(kind)) for kind, name in enumerate(KINDS)]
    for name, one in (*found, ("connection and handshake", measurement.connects())):
        if one is not None:
            times = (one.mean, *one.percentiles.values(), one.maximum)
            rows.append([name, f"{one.count:,}", *map(duration, times)])
    yield Table("", ["", "cases", "mean", *(f"p{percent:g}" for percent in PERCENTS), "longest"], rows)
    for title, unit, reasons in (
        ("Failed runs", "runs", measurement.reasons(of_runs=True)),
        ("Failed calls", "calls", measurement.errors()),
    ):
        if reasons:
            rows = [[f"{count:,}", reason] for reason, count in list(reasons.items())[:_MOST_ROWS]]
            if len(reasons) > _MOST_ROWS:
                rows.append(["", f"and {len(reasons) - _MOST_ROWS} more kinds"])
            yield Table(title, [unit, "reason"], rows, frozenset({1}))
    example = measurement.example()
    if example is not None:
        rows = [[tag, f"{count:,}"] for tag, count in example[1].entries.items()]
        rows += [[problem, "bad"] for problem in example[1].problems[:_MOST_ROWS]]
        yield Table(f"Entries of {example[0]}", ["kind", "entries"], rows)
    processes = next((turn.samples.largest for turn in measurement.turns if turn.samples.largest), ())
    if processes:
        rows = [
            [
                str(one.pid),
                one.name,
                size_text(one.pss),
                size_text(one.rss),
                f"{one.cpu_seconds:,.1f} s",
                f"{one.descriptors:,}",
                f"{one.threads:,}",
            ]
            for one in processes[:_MOST_ROWS]
        ]
        header = ["process", "name", "PSS", "RSS", "processor time", "descriptors", "threads"]
        yield Table("The server's processes when they took most memory", header, rows, frozenset({0, 1}))


def _charts(measurements: Sequence[Measurement]) -> Iterator[Chart]:
    yield from _percentile_charts(measurements)
    over_time = [measurement.over_time() for measurement in measurements]
    seconds = Axis("seconds since the load began", _number)
    throughput = [
        Line(measurement.label, list(zip(one.seconds, one.runs_per_second, strict=True)), _colour(number))
        for number, (measurement, one) in enumerate(zip(measurements, over_time, strict=True))
    ]
    note = "runs that ended well, in each second"
    if len(measurements) == 1:
        # Clients that begin together end together: only their calls show what went on before.
        calls = list(zip(over_time[0].seconds, over_time[0].calls_per_second, strict=True))
        throughput = [replace(throughput[0], name="runs"), Line("calls", calls, 1)]
        note = "runs and calls that ended well, in each second"
    yield line_chart("Throughput", note, throughput, seconds, Axis("in a second", _number))
    lines = []
    for number, (measurement, one) in enumerate(zip(measurements, over_time, strict=True)):
        name = f"{measurement.label}, " if len(measurements) > 1 else ""
        lines.append(Line(f"{name}p50", list(zip(one.seconds, one.p50, strict=True)), _colour(number)))
        lines.append(Line(f"{name}p99", list(zip(one.seconds, one.p99, strict=True)), _colour(number), dashed=True))
    yield line_chart(
        "Whole runs over time", "half of those that ended then took less, and 99 % of them", lines, seconds, _TIME_AXIS
    )
    yield line_chart(
        "Failed calls",
        "attempts that failed, in each second; clients try each call three times",
        [
            Line(measurement.label, list(zip(one.seconds, one.retries_per_second, strict=True)), _colour(number))
            for number, (measurement, one) in enumerate(zip(measurements, over_time, strict=True))
        ],
        seconds,
        Axis("calls/s", _number),
    )
    if any(turn.samples.samples for measurement in measurements for turn in measurement.turns):
        yield from _process_charts(measurements, seconds)


def _percentile_charts(measurements: Sequence[Measurement]) -> Iterator[Chart]:
    percents = [50.0, 90.0, 99.0, 99.9, 99.99]
    if len(measurements) == 1:
        curves = {kind: measurements[0].curve(kind) for kind in (*range(len(METHODS)), RUN)}
        lines = [
            Line("whole run" if kind == RUN else KINDS[kind], curve, _colour(number))
            for number, (kind, curve) in enumerate(curves.items())
            if curve
        ]
        yield line_chart(
            "How long calls take",
            "so many percent take no longer than this; both axes stretch what is rare",
            lines,
            _percent_axis(lines, percents),
            _TIME_AXIS,
        )
        return
    for kind in _COMPARED:
        lines = [Line(one.label, one.curve(kind), _colour(number)) for number, one in enumerate(measurements)]
        yield line_chart(
            f"How long {'a whole run' if kind == RUN else KINDS[kind]} takes",
            "so many percent take no longer than this; both axes stretch what is rare",
            lines,
            _percent_axis(lines, percents),
            _TIME_AXIS,
        )


def _percent_axis(lines: Sequence[Line], percents: Sequence[float]) -> Axis:
    most = max((percent for line in lines for percent, _ in line.points), default=50.0)
    ticks = [0.0, *(percent for percent in percents if percent <= most)]
    return Axis(
        "percent of calls",
        lambda percent: f"{percent:.4g}" if percent < 99.9 else f"{percent:.6g}",
        ticks=ticks,
        place=lambda percent: -math.log10(1 - percent / 100),
    )


def _process_charts(measurements: Sequence[Measurement], seconds: Axis) -> Iterator[Chart]:
    charts: tuple[tuple[str, str, str, Callable[[Sequence[Sample], int], float | None]], ...] = (
        ("Memory", "all processes of the server; shared pages count once (PSS)", "MB", lambda s, n: s[n].pss / 1e6),
        ("Processors busy", "by all processes of the server; 1 is one processor", "processors", _busy),
        (
            "Open descriptors",
            "of all processes of the server: connections and files",
            "",
            lambda s, n: s[n].descriptors,
        ),
        ("Threads", "of all processes of the server", "", lambda s, n: s[n].threads),
    )
    for title, note, unit, value in charts:
        lines = []
        for number, measurement in enumerate(measurements):
            for turn in measurement.turns:
                samples = turn.samples.samples
                points: list[Point] = [(one.seconds, value(samples, at)) for at, one in enumerate(samples)]
                lines.append(Line(measurement.label, points, _colour(number)))
        yield line_chart(title, note, lines, seconds, Axis(unit, _number, is_count=not unit))


def _busy(samples: Sequence[Sample], number: int) -> float | None:
    """Processor time per second since the sample before."""
    if number == 0:
        return None
    now, before = samples[number], samples[number - 1]
    time_between = now.seconds - before.seconds
    return max(0.0, now.cpu_seconds - before.cpu_seconds) / time_between if time_between > 0.05 else None


def _colour(number: int) -> int:
    return number % MOST_LINES


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if value >= 100 else f"{value:.3g}"


def _short_time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.3g} ms" if seconds >= 0.001 else f"{seconds * 1e6:.3g} µs"


_TIME_AXIS = Axis("time, log scale", _short_time, is_log=True)


def _jinja2() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ConfigError("the page cannot be made without Jinja2: pip install 'geventcore[bench]'") from error
    return jinja2
