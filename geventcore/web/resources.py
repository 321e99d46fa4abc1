"""The tables that pages and the API have in common: rows of plain values, and how to make them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geventcore.storage.fleet_queries import (
    entries_of_findings,
    phases,
    runs_of_host,
    states_of_entry,
)
from geventcore.storage.report_encoding import entry_number
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.storage.report_queries import entry_states, load_interaction
from geventcore.web.differences import is_sensitive, is_text, why_not_shown
from geventcore.web.fleet import Fleet, Host, State, count_states
from geventcore.web.hours import HOUR, Hours
from geventcore.web.live import ServerView
from geventcore.web.problems import Problem, SameState
from geventcore.web.services import Services
from geventcore.web.site import BuiltConfiguration
from geventcore.web.tables import Table
from geventcore.web.texts import iso_text

HOST_COLUMNS = (
    *("name", "state", "reported", "total", "good", "bad", "modified", "extra", "profile", "server", "revision"),
    *("version", "dry_run", "only_important", "duration_seconds", "expired", "mark", "groups", "bundles"),
)
RUN_COLUMNS = HOST_COLUMNS[1:15]
PROBLEM_COLUMNS = ("kind", "tag", "name", "hosts", "states")
SAME_COLUMNS = ("kind", "host", "reported", "how", "differences", "sensitive")
HOUR_COLUMNS = (
    *("start", "runs", "dirty", "modified", "failures", "hosts", "dirty_hosts", "median_seconds", "is_known"),
)
BREAKDOWN_COLUMNS = ("name", "hosts", *(state.value for state in State))
HISTORY_COLUMNS = ("first", "last", "runs", "kind", "how")
CONFIGURATION_COLUMNS = ("tag", "name", "bundle", "plugin", "file", "line", "failure", "attributes", "reasons")
METHOD_COLUMNS = ("server", "method", "calls", "errors", "per_second", "p50_seconds", "p95_seconds", "p99_seconds")
#: What the fleet can be divided by.
DIVISIONS = ("group", "profile", "bundle", "server")


def host_row(host: Host, services: Services, marks: Mapping[str, Any]) -> dict[str, Any]:
    """Return a host as a row."""
    has_report = host.timestamp > 0
    return {
        "name": host.name,
        "state": host.state.value,
        "reported": iso_text(host.timestamp, services.zone) if has_report else None,
        **{name: getattr(host, name) for name in ("total", "good", "bad", "modified", "extra")},
        **{name: getattr(host, name) for name in ("profile", "server", "revision", "version")},
        "dry_run": host.dry_run,
        "only_important": host.only_important,
        "duration_seconds": None if host.duration is None else host.duration / 1000,
        "expired": iso_text(host.expired, services.zone) or None,
        "mark": marks[host.name].note if host.name in marks else None,
        "groups": list(host.groups),
        "bundles": list(host.bundles),
    }


def hosts_table(hosts: Iterable[Host], fleet: Fleet, services: Services, total: int | None = None) -> Table:
    """Return hosts as a table."""
    return Table("hosts", HOST_COLUMNS, [host_row(host, services, fleet.marks) for host in hosts], total)


def runs_table(hosts: Iterable[Host], services: Services) -> Table:
    """Return the runs of a host as a table."""
    return Table("runs", RUN_COLUMNS, [host_row(host, services, {}) for host in hosts])


def problems_table(problems: Iterable[Problem], total: int | None = None) -> Table:
    """Return entries and the numbers of hosts that have them as a table."""
    rows = [
        {"kind": each.kind.label, "tag": each.tag, "name": each.name, "hosts": each.hosts, "states": each.states}
        for each in problems
    ]
    return Table("entries", PROBLEM_COLUMNS, rows, total)


def how(state: EntryState) -> str:
    """Describe a state in one line."""
    if state.failure is not None:
        return f"the server could not bind it: {state.failure}"
    if state.is_missing:
        return "it was missing"
    if is_sensitive(state):
        said = [f"{name} differs" for name, _, _ in state.differences()]
    else:
        said = [
            f"{name}: {found or 'nothing'} instead of {wanted or 'nothing'}"
            for name, wanted, found in state.differences()
        ]
    pruned = [dict(attributes).get("name", "") for tag, attributes in state.children if tag == "Prune"]
    if pruned:
        said.append(f"to prune: {', '.join(pruned)}")
    if state.content is not None:
        said.append("the content differs")
    return "; ".join(said)


def differences(state: EntryState) -> list[dict[str, str]]:
    """Return each attribute that differs, with the expected and the actual value; no values if it is sensitive."""
    if is_sensitive(state):
        return [{"attribute": name, "expected": "", "found": ""} for name, _, _ in state.differences()]
    return [{"attribute": name, "expected": wanted, "found": found} for name, wanted, found in state.differences()]


def same_table(groups: Sequence[SameState], services: Services) -> Table:
    """Return the hosts with an entry as a table."""
    rows = [
        {
            "kind": group.kind.label,
            "host": host.name,
            "reported": iso_text(host.timestamp, services.zone),
            "how": how(group.state),
            "differences": differences(group.state),
            "sensitive": is_sensitive(group.state),
        }
        for group in groups
        for host in group.hosts
    ]
    return Table("entry", SAME_COLUMNS, rows)


def hours_table(hours: Hours, services: Services) -> Table:
    """Return hours as a table."""
    rows = []
    for number, row in enumerate(hours.rows):
        median = None if row is None or row.median_milliseconds is None else row.median_milliseconds / 1000
        counts = {name: 0 if row is None else getattr(row, name) for name in HOUR_COLUMNS[1:7]}
        start = iso_text(hours.start + number * HOUR, services.zone)
        rows.append({"start": start, **counts, "median_seconds": median, "is_known": row is not None})
    return Table("hours", HOUR_COLUMNS, rows)


@dataclass(frozen=True)
class Division:
    """The hosts of a group, profile, bundle or server, by state."""

    name: str
    hosts: int
    states: Mapping[State, int]


def breakdown(hosts: Iterable[Host], by: str) -> list[Division]:
    """Divide hosts by one of `DIVISIONS`; those with most unclean hosts come first."""
    members: dict[str, list[Host]] = defaultdict(list)
    for host in hosts:
        if host.state is State.NEVER:
            continue
        value = getattr(host, f"{by}s" if by in ("group", "bundle") else by)
        for name in value if isinstance(value, tuple) else (value,):
            members[name].append(host)
    found = [Division(name, len(having), count_states(having)) for name, having in members.items()]
    return sorted(found, key=lambda each: (-each.states[State.DIRTY] - each.states[State.STALE], each.name))


def breakdown_table(divisions: Iterable[Division], by: str) -> Table:
    """Return the parts of the fleet as a table."""
    rows = [
        {"name": each.name, "hosts": each.hosts, **{state.value: each.states[state] for state in State}}
        for each in divisions
    ]
    return Table(f"by-{by}", BREAKDOWN_COLUMNS, rows)


def methods_table(servers: Iterable[ServerView]) -> Table:
    """Return the methods of all servers as a table; durations are in seconds."""
    rows = [
        {
            "server": server.address,
            "method": method.name,
            "calls": method.calls,
            "errors": method.errors,
            "per_second": round(method.per_second, 3),
            **dict(zip(METHOD_COLUMNS[5:], method.percentiles, strict=True)),
        }
        for server in servers
        for method in server.methods
    ]
    return Table("methods", METHOD_COLUMNS, rows)


# -- one host


@dataclass(frozen=True)
class Run:
    """A run of a host, with its entries; `host` has the counts."""

    host: Host
    interaction: Interaction

    def of_kind(self, kind: EntryKind) -> list[EntryState]:
        """Return the entries of a kind."""
        return self.interaction.of_kind(kind)

    @property
    def phases(self) -> list[tuple[str, int]]:
        """The phases of the run and their durations in milliseconds."""
        return phases(self.interaction.stamps)


def load_run(services: Services, host: Host) -> Run | None:
    """Return a run with its entries; None if it was removed meanwhile."""
    found = services.database.read(
        lambda connection: load_interaction(connection, host.name, host.timestamp), snapshot=True
    )
    return None if found is None else Run(host, found)


def runs_of(services: Services, name: str, limit: int, before: int | None = None) -> list[Host]:
    """Return the last runs of a host, newest first."""
    return services.fleet.runs(lambda connection: runs_of_host(connection, name, limit, before))


def entry_object(kind: EntryKind, state: EntryState) -> dict[str, Any]:
    """Return an entry for programs. Values of sensitive entries are left out."""
    content = state.content
    hidden = is_sensitive(state)
    return {
        "kind": kind.label,
        "tag": state.tag,
        "name": state.name,
        "how": how(state),
        "differences": differences(state),
        "sensitive": hidden,
        "diff": content.data if content is not None and is_text(content) and not hidden else None,
        "not_shown": why_not_shown(state) or None,
    }


@dataclass(frozen=True)
class Period:
    """Consecutive runs of a host in which an entry had the same state; `state` is None if it was not reported."""

    first: int
    last: int
    runs: int
    kind: EntryKind | None
    state: EntryState | None


def entry_history(services: Services, name: str, tag: str, entry: str, limit: int) -> list[Period]:
    """Return the states of an entry in the last runs of a host, newest first."""
    runs = runs_of(services, name, limit)

    def read(connection: Any) -> tuple[dict[int, Any], dict[int, EntryState]]:
        states = entry_states(connection, states_of_entry(connection, entry_number(tag, entry)))
        return entries_of_findings(connection, {run.findings for run in runs}), states

    entries, states = services.database.read(read, snapshot=True)
    found: list[Period] = []
    for run in runs:
        having = next(((kind, state) for kind, state in entries.get(run.findings, ()) if state in states), None)
        kind, state = (having[0], states[having[1]]) if having else (None, None)
        last = found[-1] if found else None
        if last is not None and (last.kind, last.state) == (kind, state):
            found[-1] = Period(run.timestamp, last.last, last.runs + 1, kind, state)
        else:
            found.append(Period(run.timestamp, run.timestamp, 1, kind, state))
    return found


def history_table(periods: Iterable[Period], services: Services) -> Table:
    """Return the history of an entry as a table."""
    rows = [
        {
            "first": iso_text(each.first, services.zone),
            "last": iso_text(each.last, services.zone),
            "runs": each.runs,
            "kind": None if each.kind is None else each.kind.label,
            "how": None if each.state is None else how(each.state),
        }
        for each in periods
    ]
    return Table("history", HISTORY_COLUMNS, rows)


def configuration_table(built: BuiltConfiguration) -> Table:
    """Return a configuration as a table. Values of sensitive entries are left out."""
    rows = [
        {
            **{name: getattr(entry, name) for name in CONFIGURATION_COLUMNS[:7]},
            "attributes": {} if entry.is_sensitive else dict(entry.attributes),
            "reasons": list(entry.reasons),
        }
        for entry in built.entries
    ]
    return Table("configuration", CONFIGURATION_COLUMNS, rows)
