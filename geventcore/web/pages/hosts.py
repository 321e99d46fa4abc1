"""Hosts: the list, one host with its runs and entries, and its configuration as it would be now."""

from __future__ import annotations

import logging

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound

from geventcore.errors import GeventcoreError
from geventcore.storage.fleet_queries import Mark, host_expired, set_expired, set_mark
from geventcore.storage.report_model import EntryKind
from geventcore.storage.report_queries import now_milliseconds
from geventcore.web.asking import moment_arg, page_of, same_arguments, same_page, selection_arg, sorted_by
from geventcore.web.current import services
from geventcore.web.differences import diff_lines, is_sensitive, is_text, why_not_shown
from geventcore.web.fleet import Host, State, count_states
from geventcore.web.pages.fleet import choices
from geventcore.web.resources import differences, entry_history, how, load_run, runs_of
from geventcore.web.site import Probe
from geventcore.web.texts import iso_text

log = logging.getLogger(__name__)

page = Blueprint("hosts", __name__, url_prefix="/hosts")

#: Runs in the strip of a host, and rows in its table of runs.
STRIP, RUNS, HISTORY = 48, 30, 500
LONGEST_NOTE = 500
_STATES = list(State)

SORT_KEYS = {
    "name": lambda host: host.name,
    "state": lambda host: (_STATES.index(host.state), host.name),
    "reported": lambda host: host.timestamp,
    "bad": lambda host: host.bad,
    "modified": lambda host: host.modified,
    "extra": lambda host: host.extra,
    "total": lambda host: host.total,
    "profile": lambda host: (host.profile, host.name),
    "server": lambda host: (host.server, host.name),
    "duration": lambda host: host.duration or 0,
}


@page.get("")
def index() -> ResponseReturnValue:
    """List hosts."""
    given = services()
    at, selection = moment_arg(), selection_arg()
    fleet = given.fleet.at(at)
    hosts, order = sorted_by(fleet.select(selection), SORT_KEYS, "name")
    return render_template(
        "hosts.html",
        fleet=fleet,
        at=at,
        at_field=request.args.get("at", ""),
        selection=selection,
        hosts=page_of(hosts, order=order),
        counts=count_states(hosts),
        choices=choices(fleet.hosts),
        same_page=same_page,
        arguments=same_arguments("page"),
        total=len(fleet.hosts),
    )


def find_host(name: str) -> Host:
    """Return a host; `NotFound` if nothing is known about it."""
    host = services().fleet.at().get(name)
    if host is None:
        raise NotFound(f"No host {name} has reported, and none of this name is in the client list.")
    return host


@page.get("/<path:name>")
def show(name: str) -> ResponseReturnValue:
    """Show a host and its last run, or the last one before a moment."""
    return _show(name, moment_arg())


@page.get("/<path:name>/runs/<int:timestamp>")
def run(name: str, timestamp: int) -> ResponseReturnValue:
    """Show one run of a host."""
    return _show(name, timestamp, is_exact=True)


def _show(name: str, at: int | None, *, is_exact: bool = False) -> ResponseReturnValue:
    given = services()
    host = find_host(name)
    runs = runs_of(given, name, STRIP)
    chosen = runs
    if at is not None:
        chosen = runs_of(given, name, 1, min(at + 1, 2**62))
        if is_exact and (not chosen or chosen[0].timestamp != at):
            raise NotFound(f"{name} has no report of this time. It may have been removed.")
    loaded = load_run(given, chosen[0]) if chosen else None
    return render_template(
        "host.html",
        host=host,
        run=loaded,
        is_last=loaded is not None and bool(runs) and loaded.host.timestamp == runs[0].timestamp,
        at=at,
        runs=runs,
        strip=list(reversed(runs)),
        kinds=EntryKind,
        mark=given.fleet.at().marks.get(name),
        has_site=given.site.is_known,
        history=runs[:RUNS],
        slowest=max((each.duration or 0 for each in runs), default=0),
        **entry_functions(),
    )


def entry_functions() -> dict[str, object]:
    """Return what templates call to show entries."""
    return {
        "how": how,
        "differences": differences,
        "diff_lines": diff_lines,
        "is_text": is_text,
        "is_sensitive": is_sensitive,
        "why_not_shown": why_not_shown,
    }


@page.get("/<path:name>/probes")
def probes(name: str) -> ResponseReturnValue:
    """Show the last results of a host's probes. The page of the host loads this part: it takes a moment."""
    find_host(name)
    found: list[Probe] = []
    error = ""
    try:
        found = services().site.probes(name)
    except GeventcoreError as err:
        error = str(err)
    has_site = services().site.is_known
    return render_template("probes.html", name=name, probes=found, error=error, has_site=has_site)


@page.get("/<path:name>/entry")
def entry(name: str) -> ResponseReturnValue:
    """Show the history of one entry on a host."""
    tag, entry_name = entry_args()
    host = find_host(name)
    periods = entry_history(services(), name, tag, entry_name, HISTORY)
    return render_template(
        "history.html",
        host=host,
        tag=tag,
        name=entry_name,
        periods=periods,
        runs=sum(period.runs for period in periods),
        arguments={"tag": tag, "name": entry_name},
        **entry_functions(),
    )


def entry_args() -> tuple[str, str]:
    """Return the tag and the name of an entry; `BadRequest` if one is missing."""
    tag, name = request.args.get("tag", ""), request.args.get("name", "")
    if not tag or not name:
        raise BadRequest("expected the parameters tag and name, such as tag=Path and name=/etc/motd")
    return tag, name


@page.get("/<path:name>/configuration")
def configuration(name: str) -> ResponseReturnValue:
    """Show the configuration that a host would get now."""
    find_host(name)
    built, error = None, ""
    try:
        built = services().site.configuration(name)
    except GeventcoreError as err:
        error = str(err)
    entries = [] if built is None else list(built.entries)
    wanted = request.args.get("q", "").strip()
    failed = request.args.get("failed", "") == "yes"
    chosen = [
        each
        for each in entries
        if (not wanted or wanted.lower() in f"{each.tag}:{each.name} {each.bundle}".lower())
        and (not failed or each.failure)
    ]
    return render_template(
        "configuration.html",
        name=name,
        built=built,
        error=error,
        has_site=services().site.is_known,
        entries=page_of(chosen, 200),
        total=len(entries),
        failures=sum(bool(each.failure) for each in entries),
        failed=failed,
        same_page=same_page,
    )


# -- changes


@page.post("/<path:name>/expire")
def expire(name: str) -> ResponseReturnValue:
    """Take a host out of service, or put it back."""
    find_host(name)
    wanted = request.form.get("expired") == "yes"
    changed = services().database.write(
        lambda connection: (
            0
            if (host_expired(connection, name) is not None) == wanted
            else set_expired(connection, [name], now_milliseconds() if wanted else None)
        )
    )
    services().fleet.forget()
    if changed:
        log.info("%s has %s %s", g.caller, "taken out of service:" if wanted else "put back into service:", name)
    flash(f"{name} is {'out of' if wanted else 'in'} service.")
    return redirect(url_for("hosts.show", name=name))


@page.post("/<path:name>/mark")
def mark(name: str) -> ResponseReturnValue:
    """Set or remove the mark of a host."""
    note = " ".join(request.form.get("note", "").split())[:LONGEST_NOTE]
    new = Mark(note, str(g.caller), now_milliseconds()) if note else None
    if not services().database.write(lambda connection: set_mark(connection, name, new)):
        raise NotFound(f"{name} has never reported, so it cannot be marked.")
    services().fleet.forget()
    log.info("%s has %s %s", g.caller, f"marked ({note!r})" if note else "removed the mark of", name)
    flash(f"{name} is marked." if note else f"The mark of {name} is removed.")
    return redirect(url_for("hosts.show", name=name))


def run_label(host: Host) -> str:
    """Describe a run for the strip."""
    return f"{iso_text(host.timestamp, services().zone)}: {host.state.value}"
