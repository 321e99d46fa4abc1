"""The search for hosts and entries."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from geventcore.storage.fleet_queries import SEARCH_LIMIT, find_entries
from geventcore.storage.report_model import EntryKind
from geventcore.web.current import services
from geventcore.web.fleet import Host, Selection
from geventcore.web.problems import Problem

page = Blueprint("search", __name__)

#: The most results of each kind on the page.
SHOWN = 50


def search(text: str) -> tuple[list[Host], list[Problem], list[tuple[str, str]]]:
    """Return the hosts, the entries that are a problem now, and entries of earlier reports with a text in the name."""
    given = services()
    fleet = given.fleet.at()
    hosts = [*fleet.select(Selection(text=text)), *fleet.select(Selection(text=text, expired=True))]
    current = [
        problem
        for problem in given.problems.count(fleet.select(Selection()), list(EntryKind))
        if text.lower() in problem.name.lower()
    ]
    known = {(problem.tag, problem.name) for problem in current}
    earlier = [entry for entry in given.database.read(lambda c: find_entries(c, text)) if entry not in known]
    return hosts, current[:SEARCH_LIMIT], earlier


@page.get("/search")
def index() -> ResponseReturnValue:
    """Show the hosts and entries with a text in the name."""
    text = request.args.get("q", "").strip()[:300]
    if not text:
        return render_template("search.html", text="", hosts=[], current=[], earlier=[], shown=SHOWN)
    hosts, current, earlier = search(text)
    if len(hosts) == 1 and hosts[0].name == text.lower():
        return redirect(url_for("hosts.show", name=hosts[0].name))
    return render_template("search.html", text=text, hosts=hosts, current=current, earlier=earlier, shown=SHOWN)
