"""Entries: the most common problems of the fleet, and the hosts that have an entry."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from geventcore.web.asking import kinds_arg, moment_arg, page_of, same_arguments, same_page, selection_arg, sorted_by
from geventcore.web.current import services
from geventcore.web.pages.fleet import choices
from geventcore.web.pages.hosts import entry_args, entry_functions
from geventcore.web.problems import Problem

page = Blueprint("entries", __name__)

#: The hosts that are shown for each state of an entry; the rest is in the list behind the link.
SHOWN_HOSTS = 60

SORT_KEYS = {
    "hosts": lambda problem: (problem.hosts, problem.tag, problem.name),
    "states": lambda problem: (problem.states, problem.hosts),
    "tag": lambda problem: (problem.tag, problem.name),
    "name": lambda problem: problem.name,
    "kind": lambda problem: (problem.kind, -problem.hosts),
}


def chosen_problems() -> tuple[list[Problem], list[str], int]:
    """Return the entries that the request asks for, the tags that there are, and the number of hosts."""
    given = services()
    # The text selects entries here, not hosts.
    selection = replace(selection_arg(), text="")
    hosts = given.fleet.at(moment_arg()).select(selection)
    tag, text = request.args.get("tag", ""), request.args.get("q", "").strip().lower()
    problems = given.problems.count(hosts, kinds_arg())
    tags = sorted({problem.tag for problem in problems})
    found = [
        problem
        for problem in problems
        if (not tag or problem.tag == tag) and (not text or text in problem.name.lower())
    ]
    return found, tags, len(hosts)


@page.get("/entries")
def index() -> ResponseReturnValue:
    """List bad, modified and extra entries by the number of hosts."""
    problems, tags, hosts = chosen_problems()
    ordered, order = sorted_by(problems, SORT_KEYS, "-hosts")
    at = moment_arg()
    return render_template(
        "entries.html",
        problems=page_of(ordered, order=order),
        tags=tags,
        hosts=hosts,
        kind=request.args.get("kind", ""),
        tag=request.args.get("tag", ""),
        at=at,
        at_field=request.args.get("at", ""),
        selection=selection_arg(),
        choices=choices(services().fleet.at(at).hosts),
        same_page=same_page,
        arguments=same_arguments("page"),
    )


@page.get("/entry")
def show() -> ResponseReturnValue:
    """Show the hosts that have an entry, those with the same state together."""
    tag, name = entry_args()
    given = services()
    fleet = given.fleet.at(moment_arg())
    hosts = fleet.select(replace(selection_arg(), text=""))
    kinds = kinds_arg()
    groups = [group for group in given.problems.who_has(hosts, tag, name) if group.kind in kinds]
    return render_template(
        "entry.html",
        tag=tag,
        name=name,
        groups=groups,
        hosts=len({host.name for group in groups for host in group.hosts}),
        total=len(hosts),
        shown_hosts=SHOWN_HOSTS,
        at=fleet.at,
        arguments=same_arguments(),
        same_page=same_page,
        **entry_functions(),
    )
