"""Measurements as one HTML page that needs nothing else: no network, no fonts, and no script to be complete.

A page has sections, one for each load; a section has one measurement, or several that are compared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from importlib.resources import files

from geventcore.fleet.load.charts import MOST_LINES, Axis, Line, Point, line_chart
from geventcore.fleet.load.conversation import GET_CONFIG, METHODS, RECV_STATS
from geventcore.fleet.load.measurement import PERCENTS, Measurement
from geventcore.fleet.load.records import KINDS, RUN
from geventcore.fleet.load.sampler import Sample
from geventcore.fleet.load.text import COLUMNS, duration

#: Rows of a table of errors or processes; those beyond are only counted.
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
    """A load and what was measured under it.

    Attributes:
        note: how to read it.
        measurements: of one server, or of several under the same load.
        tables: what else there is.
    """

    title: str
    note: str
    measurements: Sequence[Measurement]
    tables: Sequence[Table] = field(default_factory=tuple)


def html_page(title: str, note: str, sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """The page. `facts` say on what it was measured."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    script = files(__package__).joinpath("page.js").read_text(encoding="utf-8")
    made = time.strftime("%Y-%m-%d %H:%M")
    body = "".join(_section(section, alone=len(sections) == 1) for section in sections)
    machine = "; ".join(f"{name}: {value}" for name, value in facts.items())
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>\n{style}</style></head>\n<body><main><header><h1>{escape(title)}</h1><p>{escape(note)}</p></header>\n"
        f"{body}\n<footer>Measured {made}. {escape(machine)}</footer></main>\n"
        f"<script>\n{script}</script></body></html>\n"
    )


def _section(section: Section, alone: bool) -> str:
    parts = ["<section>"]
    if not alone:
        parts.append(f"<h2>{escape(section.title)}</h2>")
    if section.note:
        parts.append(f"<p>{escape(section.note)}</p>")
    for measurement in section.measurements:
        if measurement.interrupted:
            parts.append(
                f'<p class="warning">{escape(measurement.label)}: interrupted after {duration(measurement.seconds)};'
                " this is what was measured by then.</p>"
            )
    if len(section.measurements) > 1:
        parts.append(_comparison(section.measurements))
    for measurement in section.measurements:
        if len(section.measurements) == 1:
            parts.append(_tiles(measurement))
    if section.measurements:
        parts.append('<div class="charts">' + "".join(_charts(section.measurements)) + "</div>")
    for measurement in section.measurements:
        if len(section.measurements) > 1:
            parts.append(f"<h3>{escape(measurement.label)}</h3>")
        facts = "; ".join(f"{name}: {value}" for name, value in measurement.facts.items())
        if facts:
            parts.append(f"<p>{escape(facts)}</p>")
        parts += _tables(measurement)
    parts += [f"<h3>{escape(table.title)}</h3>{_table(table)}" for table in section.tables]
    parts.append("</section>")
    return "".join(parts)


# -- numbers


def _tiles(measurement: Measurement) -> str:
    total = measurement.total
    failed, bad = total("runs_failed"), total("bad_entries")
    run = measurement.distribution(RUN)
    tiles = [
        ("", _with_unit(f"{measurement.per_second('runs_ok'):.1f}", "runs/s"), f"{total('runs_ok'):,.0f} good runs"),
        ("bad" if failed else "good", f"{failed:,.0f}", "failed runs"),
        ("", f"{total('retries'):,.0f}", "calls repeated"),
    ]
    if run is not None:
        tiles.append(("", _unit_apart(duration(run.percentiles[50.0])), "half of the runs take less"))
        tiles.append(("", _unit_apart(duration(run.percentiles[99.0])), "99 % of the runs take less"))
    per_call, per_run = measurement.cpu_per("calls"), measurement.client_cpu_per_run()
    if per_call is not None:
        tiles.append(("", _with_unit(f"{per_call * 1000:.2f}", "ms"), "server's processor time a call"))
    if measurement.peak_pss is not None:
        tiles.append(("", _with_unit(f"{measurement.peak_pss / 1e6:,.0f}", "MB"), "most memory of the server (PSS)"))
    if per_run is not None:
        tiles.append(("", _with_unit(f"{per_run * 1000:.2f}", "ms"), "clients' processor time a run"))
    if bad:
        tiles.append(("bad", f"{bad:,.0f}", "entries that could not be bound"))
    items = "".join(f'<li class="{kind}"><b>{value}</b><span>{escape(text)}</span></li>' for kind, value, text in tiles)
    return f'<ul class="tiles">{items}</ul>'


def _with_unit(value: str, unit: str) -> str:
    return f"{value} <small>{unit}</small>"


def _unit_apart(text: str) -> str:
    value, _, unit = text.partition(" ")
    return _with_unit(value, unit)


def _comparison(measurements: Sequence[Measurement]) -> str:
    header = ["server", *(column.title for column in COLUMNS)]
    rows = []
    for number, measurement in enumerate(measurements):
        rows.append(("", [measurement.label, *(column.cell(measurement) for column in COLUMNS)]))
        if number:
            ratios = [column.ratio(measurements[0], measurement) for column in COLUMNS]
            rows.append(("ratio", [f"{measurements[0].label} / this", *ratios]))
    return _rows(header, rows, frozenset({0}))


def _tables(measurement: Measurement) -> Iterator[str]:
    header = ["what", "cases", "mean", *(f"p{percent:g}" for percent in PERCENTS), "longest"]
    rows = []
    found = [(name, measurement.distribution(kind)) for kind, name in enumerate(KINDS)]
    for name, one in (*found, ("connection and handshake", measurement.connects())):
        if one is not None:
            times = [one.mean, *one.percentiles.values(), one.maximum]
            rows.append(["whole run" if name == "run" else name, f"{one.count:,}", *map(duration, times)])
    yield _table(Table("", header, rows))
    errors = measurement.errors()
    if errors:
        yield "<h3>Failed calls</h3>"
        rows = [[f"{count:,}", reason] for reason, count in list(errors.items())[:_MOST_ROWS]]
        if len(errors) > _MOST_ROWS:
            rows.append(["", f"and {len(errors) - _MOST_ROWS} more kinds"])
        yield _table(Table("", ["calls", "reason"], rows, frozenset({1})))
    processes = next((turn.samples.largest for turn in measurement.turns if turn.samples.largest), ())
    if processes:
        yield "<h3>The server's processes when they took most memory</h3>"
        rows = [
            [
                str(one.pid),
                one.name,
                f"{one.pss / 1e6:,.1f} MB",
                f"{one.rss / 1e6:,.1f} MB",
                f"{one.cpu_seconds:,.1f} s",
                f"{one.descriptors:,}",
                f"{one.threads:,}",
            ]
            for one in processes[:_MOST_ROWS]
        ]
        header = ["process", "name", "PSS", "RSS", "processor time", "descriptors", "threads"]
        yield _table(Table("", header, rows, frozenset({0, 1})))


def _table(table: Table) -> str:
    return _rows(table.header, [("", row) for row in table.rows], table.text_columns)


def _rows(header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], text_columns: frozenset[int]) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=text' if number in text_columns else ''}>{escape(cell)}</{tag}>"
            for number, cell in enumerate(row)
        )

    body = "".join(f"<tr{f' class={kind}' if kind else ''}>{cells('td', row)}</tr>" for kind, row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells("th", header)}</tr></thead><tbody>{body}</tbody></table></div>'
    )


# -- charts


def _charts(measurements: Sequence[Measurement]) -> Iterator[str]:
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


def _percentile_charts(measurements: Sequence[Measurement]) -> Iterator[str]:
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


def _process_charts(measurements: Sequence[Measurement], seconds: Axis) -> Iterator[str]:
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
