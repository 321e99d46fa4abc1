"""The addresses of the API. Each takes the parameters of the page that shows the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound

from geventcore.errors import GeventcoreError
from geventcore.storage.fleet_queries import Mark
from geventcore.storage.report_queries import now_milliseconds
from geventcore.web import resources
from geventcore.web.api.description import description
from geventcore.web.asking import (
    kinds_arg,
    moment_arg,
    number_arg,
    selection_arg,
    sorted_by,
)
from geventcore.web.certificates import look_at
from geventcore.web.current import services
from geventcore.web.fleet import Host, State, count_states
from geventcore.web.hours import HOUR
from geventcore.web.pages import entries as entry_pages
from geventcore.web.pages import hosts as host_pages
from geventcore.web.pages.search import search as find
from geventcore.web.tables import Table
from geventcore.web.texts import iso_text

api = Blueprint("api", __name__, url_prefix="/api")

#: The most rows of an answer, and the most hours.
ROWS, HOURS = 10_000, 24 * 31


@api.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """Describe the API."""
    return jsonify(description())


def _answer(table: Table) -> ResponseReturnValue:
    style = request.args.get("format", "json") or "json"
    if style == "csv":
        disposition = f'attachment; filename="{table.name}.csv"'
        return Response(
            table.as_csv(), mimetype="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
        )
    if style != "json":
        raise BadRequest("format: expected json or csv")
    return Response(table.as_json(), mimetype="application/json")


def _part(items: Any) -> Any:
    offset, limit = number_arg("offset", 0, 0, 10_000_000), number_arg("limit", ROWS, 1, ROWS)
    return items[offset : offset + limit]


@api.get("/v1/summary")
def summary() -> ResponseReturnValue:
    """Count hosts by state."""
    given, at = services(), moment_arg()
    fleet = given.fleet.at(at)
    hosts = fleet.select(selection_arg())
    newest = max((host.timestamp for host in hosts), default=0)
    return jsonify(
        at=iso_text(now_milliseconds() if at is None else at, given.zone),
        hosts=len(hosts),
        states={state.value: count for state, count in count_states(hosts).items()},
        newest_report=iso_text(newest, given.zone) if newest else None,
        clients_error=fleet.clients_error or None,
    )


@api.get("/v1/hosts")
def hosts() -> ResponseReturnValue:
    """List hosts with their last reports."""
    given = services()
    fleet = given.fleet.at(moment_arg())
    found, _ = sorted_by(fleet.select(selection_arg()), host_pages.SORT_KEYS, "name")
    return _answer(resources.hosts_table(_part(found), fleet, given, len(found)))


@api.get("/v1/breakdown")
def breakdown() -> ResponseReturnValue:
    """Divide the hosts by group, profile, bundle or server."""
    by = request.args.get("by", "") or "profile"
    if by not in resources.DIVISIONS:
        raise BadRequest(f"by: expected one of {', '.join(resources.DIVISIONS)}")
    chosen = services().fleet.at(moment_arg()).select(selection_arg())
    return _answer(resources.breakdown_table(resources.breakdown(chosen, by), by))


@api.get("/v1/hours")
def hours() -> ResponseReturnValue:
    """Count the runs of hours."""
    given = services()
    count = number_arg("count", 24, 1, HOURS)
    end = moment_arg()
    last = (now_milliseconds() if end is None else end) // HOUR * HOUR
    return _answer(resources.hours_table(given.hours.get(max(0, last - (count - 1) * HOUR), count), given))


@api.get("/v1/hosts/<path:name>")
def host(name: str) -> ResponseReturnValue:
    """Return a host with its last run, or the last one before a moment, and the entries of the run."""
    given = services()
    found, at = host_pages.find_host(name), moment_arg()
    runs = resources.runs_of(given, name, 1, None if at is None else at + 1)
    run = resources.load_run(given, runs[0]) if runs else None
    mark = given.fleet.at().marks.get(name)
    return jsonify(
        host=resources.host_row(found, given, {}),
        mark=_mark(mark),
        run=None if run is None else _run(run),
    )


def _mark(mark: Mark | None) -> dict[str, Any] | None:
    if mark is None:
        return None
    return {"note": mark.note, "author": mark.author, "since": iso_text(mark.since, services().zone)}


def _run(run: resources.Run) -> dict[str, Any]:
    row = resources.host_row(run.host, services(), {})
    return {
        **{name: row[name] for name in resources.RUN_COLUMNS},
        "groups": list(run.interaction.groups),
        "bundles": list(run.interaction.bundles),
        "phases": [{"name": name, "seconds": milliseconds / 1000} for name, milliseconds in run.phases],
        "entries": [resources.entry_object(kind, state) for kind, state in run.interaction.entries],
    }


@api.get("/v1/hosts/<path:name>/runs")
def runs(name: str) -> ResponseReturnValue:
    """List the runs of a host, newest first."""
    host_pages.find_host(name)
    limit = number_arg("limit", 100, 1, ROWS)
    found: list[Host] = resources.runs_of(services(), name, limit, moment_arg("before"))
    return _answer(resources.runs_table(found, services()))


@api.get("/v1/hosts/<path:name>/entry")
def history(name: str) -> ResponseReturnValue:
    """Return the history of an entry on a host."""
    host_pages.find_host(name)
    tag, entry = host_pages.entry_args()
    limit = number_arg("limit", 500, 1, ROWS)
    return _answer(resources.history_table(resources.entry_history(services(), name, tag, entry, limit), services()))


@api.get("/v1/hosts/<path:name>/probes")
def probes(name: str) -> ResponseReturnValue:
    """Return the last results of a host's probes; those of hidden probes are null."""
    host_pages.find_host(name)
    try:
        found = services().site.probes(name)
    except GeventcoreError as err:
        return {"error": "the repository cannot be read", "detail": str(err)}, 503
    rows = [{"name": probe.name, "result": probe.result} for probe in found]
    return _answer(Table("probes", ("name", "result"), rows))


@api.get("/v1/hosts/<path:name>/configuration")
def configuration(name: str) -> ResponseReturnValue:
    """Build the configuration that a host would get now."""
    host_pages.find_host(name)
    try:
        built = services().site.configuration(name)
    except GeventcoreError as err:
        return {"error": "the configuration cannot be built", "detail": str(err)}, 503
    if built is None:
        raise NotFound("These pages do not know the repository.")
    return _answer(resources.configuration_table(built))


@api.get("/v1/entries")
def entries() -> ResponseReturnValue:
    """List bad, modified and extra entries by the number of hosts."""
    problems, _, _ = entry_pages.chosen_problems()
    ordered, _ = sorted_by(problems, entry_pages.SORT_KEYS, "-hosts")
    return _answer(resources.problems_table(_part(ordered), len(ordered)))


@api.get("/v1/entry")
def entry() -> ResponseReturnValue:
    """List the hosts that have an entry."""
    tag, name = host_pages.entry_args()
    given = services()
    chosen = given.fleet.at(moment_arg()).select(replace(selection_arg(), text=""))
    kinds = kinds_arg()
    groups = [group for group in given.problems.who_has(chosen, tag, name) if group.kind in kinds]
    return _answer(resources.same_table(groups, given))


@api.get("/v1/search")
def search() -> ResponseReturnValue:
    """Find hosts and entries by a part of the name."""
    text = request.args.get("q", "").strip()[:300]
    if not text:
        raise BadRequest("expected the parameter q")
    hosts, current, earlier = find(text)
    rows: list[dict[str, Any]] = [{"type": "host", "tag": None, "name": each.name, "hosts": None} for each in hosts]
    rows += [{"type": each.kind.label, "tag": each.tag, "name": each.name, "hosts": each.hosts} for each in current]
    rows += [{"type": "earlier", "tag": tag, "name": name, "hosts": 0} for tag, name in earlier]
    return _answer(Table("search", ("type", "tag", "name", "hosts"), rows[:ROWS]))


@api.get("/v1/servers")
def servers() -> ResponseReturnValue:
    """Return the state of running servers."""
    given = services()
    return jsonify(
        servers=[view.as_json() for view in given.live.servers()],
        certificates=[vars(look_at(file)) for file in given.certificate_files],
    )


@api.get("/v1/methods")
def methods() -> ResponseReturnValue:
    """Return the calls, errors and latencies of each method of running servers."""
    return _answer(resources.methods_table(services().live.servers()))


@api.get("/v1/files")
def files() -> ResponseReturnValue:
    """Return a message for each file of the repository that cannot be used now."""
    try:
        found = services().site.broken_files()
    except GeventcoreError as err:
        return {"error": "the repository cannot be read", "detail": str(err)}, 503
    return _answer(Table("files", ("message",), [{"message": message} for message in found]))


@api.get("/v1/states")
def states() -> ResponseReturnValue:
    """Return the states of hosts and their meaning."""
    return jsonify({state.value: state.meaning for state in State})


@api.route("/", defaults={"rest": ""})
@api.route("/<path:rest>")
def nothing(rest: str) -> ResponseReturnValue:
    """Say that there is no such address."""
    raise NotFound(f"There is no /api/{rest}; /api/openapi.json lists the addresses of the API.")
