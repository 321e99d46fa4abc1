"""The fleet: how many hosts are in which state, the trend, and the hours of a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from geventcore.storage.fleet_queries import HourRow, first_and_last
from geventcore.storage.report_model import EntryKind
from geventcore.storage.report_queries import now_milliseconds
from geventcore.web import charts
from geventcore.web.asking import moment_arg, same_arguments, same_page, selection_arg
from geventcore.web.current import services
from geventcore.web.fleet import Host, State, count_states, is_problem
from geventcore.web.hours import HOUR, Hours
from geventcore.web.resources import DIVISIONS, breakdown
from geventcore.web.texts import duration_text, moment, number_text

page = Blueprint("fleet", __name__)

#: Name of a range of the trend -> hours.
RANGES = {"day": 24, "week": 168, "month": 720}
#: The most hosts in the grid; those with problems come first.
GRID = 600
PROBLEMS, DIVISION_ROWS, ATTENTION = 8, 8, 6
#: Severity of states, for the order of the grid.
_SEVERITY = (State.DIRTY, State.STALE, State.NEVER, State.MODIFIED, State.CLEAN)


@page.get("/")
def index() -> ResponseReturnValue:
    """Show the state of all hosts, or of some, at a moment."""
    given = services()
    at, selection = moment_arg(), selection_arg()
    fleet = given.fleet.at(at)
    hosts = fleet.select(selection)
    known = fleet.select(replace(selection, state=""))
    counts = count_states(known)
    span = request.args.get("range", "day")
    if span not in RANGES:
        raise BadRequest(f"range: expected one of {', '.join(RANGES)}")
    hours = _trend_hours(at, span)
    by = request.args.get("by", "profile")
    if by not in DIVISIONS:
        raise BadRequest(f"by: expected one of {', '.join(DIVISIONS)}")
    divisions = breakdown(known, by)
    problems = given.problems.count(hosts, [EntryKind.BAD, EntryKind.MODIFIED])
    has_reports = any(host.timestamp for host in fleet.hosts)
    if not has_reports and at is None:
        return render_template("no_reports.html", detail="")
    return render_template(
        "fleet.html",
        fleet=fleet,
        at=at,
        selection=selection,
        counts=counts,
        total=sum(counts.values()),
        bar=charts.stacked(counts),
        hours=hours,
        span=span,
        charts=_trend_charts(hours, span),
        ranges=RANGES,
        by=by,
        divisions=[(each, charts.stacked(each.states)) for each in divisions[:DIVISION_ROWS]],
        more_divisions=max(0, len(divisions) - DIVISION_ROWS),
        problems=[problem for problem in problems if problem.kind is EntryKind.BAD][:PROBLEMS],
        changes=[problem for problem in problems if problem.kind is EntryKind.MODIFIED][:PROBLEMS],
        grid=sorted(hosts, key=lambda host: (_SEVERITY.index(host.state), host.name))[:GRID],
        shown=len(hosts),
        attention=_attention(known),
        marks=[(host, fleet.marks[host.name]) for host in known if host.name in fleet.marks][:ATTENTION],
        newest=max((host.timestamp for host in fleet.hosts), default=0),
        expired=sum(host.expired is not None for host in fleet.hosts),
        choices=choices(fleet.hosts),
        at_field=_field(at),
        same_page=same_page,
        same_arguments=same_arguments,
        earlier=_field((now_milliseconds() if at is None else at) - HOUR),
    )


def choices(hosts: Sequence[Host]) -> dict[str, list[str]]:
    """Return the values that hosts can be selected by."""
    found: dict[str, set[str]] = {name: set() for name in DIVISIONS}
    for host in hosts:
        found["group"].update(host.groups)
        found["bundle"].update(host.bundles)
        found["profile"].add(host.profile)
        found["server"].add(host.server)
    return {name: sorted(values - {""}) for name, values in found.items()}


def _attention(hosts: Sequence[Host]) -> list[Host]:
    """Return the hosts that have been silent for longest, and those with most bad entries."""
    silent = sorted((host for host in hosts if host.state is State.STALE), key=lambda host: host.timestamp)
    worst = sorted((host for host in hosts if host.state is State.DIRTY), key=lambda host: -host.bad)
    half = ATTENTION // 2
    chosen = [*silent[:half], *worst[: ATTENTION - min(half, len(silent))]]
    return [host for host in chosen if is_problem(host)]


def _field(at: int | None) -> str:
    """Return a moment as the value of a form's field; empty for the present."""
    return "" if at is None else moment(at, services().zone).strftime("%Y-%m-%dT%H:%M")


def _trend_hours(at: int | None, span: str) -> Hours:
    last = (now_milliseconds() if at is None else at) // HOUR * HOUR
    count = RANGES[span]
    return services().hours.get(max(0, last - (count - 1) * HOUR), count)


def _merged(rows: Sequence[HourRow | None]) -> HourRow | None:
    """Return the sum of hours; hosts are those of the hour with most, since many run in every hour."""
    known = [row for row in rows if row is not None]
    if len(known) < len(rows):
        return None
    medians = sorted(row.median_milliseconds for row in known if row.median_milliseconds is not None)
    return HourRow(
        runs=sum(row.runs for row in known),
        dirty=sum(row.dirty for row in known),
        modified=sum(row.modified for row in known),
        failures=sum(row.failures for row in known),
        hosts=max((row.hosts for row in known), default=0),
        dirty_hosts=max((row.dirty_hosts for row in known), default=0),
        median_milliseconds=medians[len(medians) // 2] if medians else None,
    )


def _trend_charts(hours: Hours, span: str) -> list[tuple[str, str, charts.Chart, str, list[tuple[str, str]]]]:
    """Return the charts: key, title, chart, the unit of the axis, and the rows of the table."""
    step = {"day": 1, "week": 3, "month": 24}[span]
    zone = services().zone
    rows = [_merged(hours.rows[start : start + step]) for start in range(0, len(hours.rows), step)]
    starts = [hours.start + number * step * HOUR for number in range(len(rows))]
    times = [moment(start, zone) for start in starts]
    if span == "day":
        ticks = {number: f"{when:%H:%M}" for number, when in enumerate(times) if when.hour % 4 == 0}
    elif span == "week":
        ticks = {number: f"{when:%a}" for number, when in enumerate(times) if when.hour < step}
    else:
        ticks = {number: f"{when.day} {when:%b}" for number, when in enumerate(times) if number % 5 == 2}
    names = [f"{when:%a %H:%M}" if span != "month" else f"{when.day} {when:%b}" for when in times]
    now = now_milliseconds()
    links = [
        url_for("fleet.index", at=_field(min(now, start + step * HOUR - 60_000)), **same_arguments("at"))
        for start in starts
    ]
    made = []
    for key, title, unit, parts, words in _CHARTS:
        values = [None if row is None else parts(row) for row in rows]
        said = ["still being counted" if row is None else words(row) for row in rows]
        labels = [f"{name}: {text}" for name, text in zip(names, said, strict=True)]
        chart = charts.columns(values, labels, links, ticks)
        made.append((key, title, chart, unit, list(zip(names, said, strict=True))))
    return made


def _runs_words(row: HourRow) -> str:
    return f"{number_text(row.runs)} runs, {number_text(row.dirty)} of them dirty"


_Parts = Callable[[HourRow], dict[str, float]]
_Words = Callable[[HourRow], str]
_CHARTS: tuple[tuple[str, str, str, _Parts, _Words], ...] = (
    (
        "runs",
        "Runs",
        "",
        lambda row: {
            "clean": row.runs - row.dirty - row.modified,
            "modified": row.modified,
            "dirty": row.dirty,
        },
        _runs_words,
    ),
    (
        "dirty",
        "Hosts with a dirty run",
        "",
        lambda row: {"dirty": row.dirty_hosts},
        lambda row: f"{number_text(row.dirty_hosts)} of {number_text(row.hosts)} hosts",
    ),
    (
        "failures",
        "Bad entries reported",
        "",
        lambda row: {"dirty": row.failures},
        lambda row: f"{number_text(row.failures)} bad entries",
    ),
    (
        "duration",
        "Duration of a run, median",
        "s",
        lambda row: {"neutral": (row.median_milliseconds or 0) / 1000},
        lambda row: duration_text(row.median_milliseconds),
    ),
)


# -- the calendar


@page.get("/calendar/")
@page.get("/calendar/<day>")
def calendar(day: str = "") -> ResponseReturnValue:
    """Show the hours of a day."""
    given = services()
    now = moment(now_milliseconds(), given.zone)
    try:
        chosen = date.fromisoformat(day or request.args.get("day", "") or now.date().isoformat())
    except ValueError:
        raise BadRequest("expected a day such as 2026-11-30") from None
    if not 1971 <= chosen.year <= 9000:
        raise BadRequest("expected a day after 1970")
    start = _local(chosen)
    count = round((_local(chosen + timedelta(days=1)) - start) / HOUR)
    # A zone may differ from full hours; the counts are those of hours since the epoch.
    hours = given.hours.get(start // HOUR * HOUR, count)
    found = given.database.read(first_and_last)
    rows = []
    for number, row in enumerate(hours.rows):
        begin = hours.start + number * HOUR
        states = (
            {}
            if row is None
            else {
                State.CLEAN: row.runs - row.dirty - row.modified,
                State.MODIFIED: row.modified,
                State.DIRTY: row.dirty,
            }
        )
        is_future = begin > now_milliseconds()
        until = min(begin + HOUR - 60_000, now_milliseconds())
        rows.append((begin, row, charts.stacked(states), is_future, _field(until)))
    days = [chosen + timedelta(days=offset) for offset in range(-6, 7)]
    return render_template(
        "calendar.html",
        day=chosen,
        today=now.date(),
        days=[each for each in days if each <= now.date()],
        rows=rows,
        hours=hours,
        previous=chosen - timedelta(days=1),
        next=chosen + timedelta(days=1),
        first=None if found is None else moment(found[0], given.zone).date(),
        busiest=max((row.runs for row in hours.rows if row is not None), default=0),
    )


def _local(day: date) -> int:
    zone = services().zone
    start = datetime.combine(day, time(), zone)
    return int((start if zone is not None else start.astimezone()).timestamp() * 1000)
