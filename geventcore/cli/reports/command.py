"""The commands of ``geventcore reports``. Names and flags are those of ``bcfg2-reports``."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geventcore.cli.command import common_flags, with_settings
from geventcore.cli.reports.asking import HOST_NAME, format_flag, report_database, which_flags
from geventcore.cli.reports.output import Row, Value, print_json, print_rows, printable, time_text
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.reporting.options import TIME_ZONE
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.units import size_text

if TYPE_CHECKING:
    from datetime import tzinfo

    from geventcore.storage.report_queries import Finding, Report, Which

#: The columns that ``--fields`` accepts.
FIELDS = (
    *("name", "time", "state", "total", "good", "bad", "modified", "extra", "stale"),
    *("profile", "version", "revision", "server", "dry-run", "expired"),
)
DEFAULT_FIELDS = "name,time,state"
#: `purge` prints its progress after this many reports.
PROGRESS_REPORTS = 10_000


@click.group()
@common_flags
def command() -> None:
    """Show the reports of clients.

    Most commands use the last report of each host, and leave out hosts that are out of service.
    """


def _row(report: Report, zone: tzinfo | None) -> dict[str, Value]:
    return {
        "name": report.client,
        "time": time_text(report.timestamp, zone),
        "state": report.state,
        **{name: getattr(report, name) for name in ("total", "good", "bad", "modified", "extra")},
        "stale": report.is_stale(),
        **{name: getattr(report, name) for name in ("profile", "version", "revision", "server")},
        "dry-run": report.dry_run,
        "expired": time_text(report.expired, zone),
    }


def _fields(_ctx: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    names = [name.strip().lower() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in FIELDS]
    if unknown or not names:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'}: expected some of {', '.join(FIELDS)}")
    return names


@command.command()
@click.argument("globs", nargs=-1, type=HOST_NAME)
@click.option("-c", "--clean", is_flag=True, help="Only clean hosts.")
# Its short flag in bcfg2-reports, -d, is that of --debug.
@click.option("--dirty", is_flag=True, help="Only dirty hosts.")
@click.option("-m", "--modified", is_flag=True, help="Only hosts with modified entries.")
@click.option("--stale", is_flag=True, help="Only hosts that have not reported for more than 25 hours.")
@click.option("--expired", is_flag=True, help="Include hosts that are out of service.")
@click.option(
    "--fields",
    default=DEFAULT_FIELDS,
    show_default=True,
    callback=_fields,
    metavar="LIST",
    help=f"The columns, separated by commas: {', '.join(FIELDS)}.",
)
@which_flags
@format_flag
@with_settings()
def clients(
    settings: LoadedSettings,
    globs: Sequence[str],
    clean: bool,
    dirty: bool,
    modified: bool,
    stale: bool,
    expired: bool,
    fields: list[str],
    which: Which,
    style: str,
) -> None:
    """List hosts and the state in their last report."""
    if clean and dirty:
        raise click.UsageError("a host is either clean or dirty")
    found = [
        report
        for report in _last_reports(settings, which, expired=expired)
        if (not globs or any(fnmatch.fnmatchcase(report.client, glob) for glob in globs))
        and not (clean and report.state != "clean")
        and not (dirty and report.state != "dirty")
        and not (modified and not report.modified)
        and not (stale and not report.is_stale())
    ]
    zone = settings[TIME_ZONE]
    print_rows([_row(report, zone) for report in found], fields, style)


def _last_reports(settings: LoadedSettings, which: Which, expired: bool = False) -> list[Report]:
    from geventcore.storage.report_queries import last_reports

    chosen = dataclasses.replace(which, expired=expired)
    with report_database(settings) as database:
        return database.read(lambda connection: last_reports(connection, chosen))


@command.command()
@which_flags
@format_flag
@with_settings()
def summary(settings: LoadedSettings, which: Which, style: str) -> None:
    """Count hosts by the state in their last report."""
    reports = _last_reports(settings, which, expired=True)
    active = [report for report in reports if report.expired is None]
    counts = {
        "clean": sum(report.state == "clean" for report in active),
        "dirty": sum(report.state == "dirty" for report in active),
        "with modified entries": sum(report.modified > 0 for report in active),
        "with extra entries": sum(report.extra > 0 for report in active),
        "stale": sum(report.is_stale() for report in active),
        "all in service": len(active),
        "out of service": len(reports) - len(active),
    }
    print_rows([{"hosts": name, "number": number} for name, number in counts.items()], ("hosts", "number"), style)


@command.command()
@click.argument("host", type=HOST_NAME)
@click.option("-b", "--bad", is_flag=True, help="Only bad entries.")
@click.option("-e", "--extra", is_flag=True, help="Only extra entries.")
@click.option("-m", "--modified", is_flag=True, help="Only modified entries.")
@click.option("--diff", is_flag=True, help="Show the differences of files, too.")
@which_flags
@format_flag
@with_settings()
def show(
    settings: LoadedSettings, host: str, bad: bool, extra: bool, modified: bool, diff: bool, which: Which, style: str
) -> None:
    """Show a host's last report: bad, modified and extra entries with details."""
    interaction = _last_interaction(settings, host, which)
    wanted = {EntryKind.BAD: bad, EntryKind.MODIFIED: modified, EntryKind.EXTRA: extra}
    kinds = [kind for kind, is_wanted in wanted.items() if is_wanted] or list(EntryKind)
    entries = [(kind, state) for kind, state in interaction.entries if kind in kinds]
    if style == "json":
        print_json(_as_json(interaction, entries, settings[TIME_ZONE]))
    elif style == "csv":
        rows = [_entry_row(kind, state) for kind, state in entries]
        print_rows(rows, ("kind", "type", "name", "how"), style)
    else:
        _print_report(interaction, entries, settings[TIME_ZONE], diff)


def _last_interaction(settings: LoadedSettings, host: str, which: Which) -> Interaction:
    from geventcore.storage.report_queries import last_interaction

    with report_database(settings) as database:
        found = database.read(lambda connection: last_interaction(connection, host, which), snapshot=True)
    if found is None:
        raise GeventcoreError(f"no matching report of {host}")
    return found


def _print_report(
    interaction: Interaction, entries: Sequence[tuple[EntryKind, EntryState]], zone: tzinfo | None, diff: bool
) -> None:
    kinds = {kind.label: len(interaction.of_kind(kind)) for kind in EntryKind}
    lines = {
        "Host": interaction.client,
        "Reported": f"{time_text(interaction.timestamp, zone)} to {interaction.server}",
        "State": f"{interaction.state}{' (dry run)' if interaction.dry_run else ''}",
        "Entries": f"{interaction.good} of {interaction.total} are good; "
        + ", ".join(f"{number} {name}" for name, number in kinds.items()),
        "Profile": interaction.profile or "",
        "Revision": interaction.revision,
        "Duration": _duration(interaction),
    }
    for label, text in lines.items():
        click.echo(f"{label + ':':<10} {printable(text)}".rstrip())
    for kind in EntryKind:
        states = [state for found, state in entries if found is kind]
        if states:
            click.echo(f"\n{kind.label.capitalize()} entries:")
        for state in states:
            click.echo(f"  {printable(state.label)}")
            how = how_it_was_found(state)
            if how:
                click.echo(f"      {printable(how)}")
            if diff and state.content is not None:
                for line in _content_lines(state):
                    click.echo(f"      | {printable(line)}")


def _duration(interaction: Interaction) -> str:
    if not interaction.stamps:
        return ""
    start = interaction.stamps[0][1]
    longest = [
        f"{name} {(at - before) / 1000:.1f} s"
        for (_, before), (name, at) in zip(interaction.stamps, interaction.stamps[1:], strict=False)
        if at - before >= 100
    ]
    return f"{(interaction.stamps[-1][1] - start) / 1000:.1f} s" + (f" ({', '.join(longest)})" if longest else "")


def _content_lines(state: EntryState) -> list[str]:
    content = state.content
    if content is None:
        return []
    if content.kind in ("diff", "inexact diff"):
        return content.data.splitlines()
    if content.kind == "too large":
        size = f"{size_text(content.size)} of differences, " if content.size else "differences of "
        digest = content.data if " " in content.data else f"SHA-256 {content.data}"
        return [f"{size}more than [reporting] file_limit; {digest}"]
    return [f"{size_text(content.size)} that are no text"]


def how_it_was_found(state: EntryState) -> str:
    """Describe an entry's state in one line."""
    if state.failure is not None:
        return f"the server could not bind it: {state.failure}"
    if state.is_missing:
        return "it was missing"
    said = [
        f"{name} {found or 'nothing'} instead of {wanted or 'nothing'}" for name, wanted, found in state.differences()
    ]
    pruned = [dict(attributes).get("name", "") for tag, attributes in state.children if tag == "Prune"]
    if pruned:
        said.append(f"to prune: {', '.join(pruned)}")
    if state.content is not None:
        said.append("content")
    return "; ".join(said)


def _entry_row(kind: EntryKind, state: EntryState) -> dict[str, Value]:
    return {"kind": kind.label, "type": state.tag, "name": state.name, "how": how_it_was_found(state)}


def _as_json(
    interaction: Interaction, entries: Sequence[tuple[EntryKind, EntryState]], zone: tzinfo | None
) -> dict[str, Any]:
    return {
        "name": interaction.client,
        "time": time_text(interaction.timestamp, zone),
        **{name: getattr(interaction, name) for name in ("server", "state", "revision", "total", "good")},
        **{name: getattr(interaction, name) for name in ("dry_run", "only_important", "profile", "version")},
        "groups": list(interaction.groups),
        "bundles": list(interaction.bundles),
        "stamps": {name: at / 1000 for name, at in interaction.stamps},
        "entries": [
            {
                **_entry_row(kind, state),
                "attributes": dict(state.attributes),
                "children": [{"tag": tag, **dict(attributes)} for tag, attributes in state.children],
                "content": None
                if state.content is None
                else {"kind": state.content.kind, "data": state.content.data, "size": state.content.size},
            }
            for kind, state in entries
        ],
    }


@command.command()
@click.argument("host", type=HOST_NAME)
@which_flags
@format_flag
@with_settings()
def total(settings: LoadedSettings, host: str, which: Which, style: str) -> None:
    """Count the entries in a host's last report."""
    interaction = _last_interaction(settings, host, which)
    row: Row = {
        "name": host,
        "total": interaction.total,
        "good": interaction.good,
        **{kind.label: len(interaction.of_kind(kind)) for kind in EntryKind},
    }
    print_rows([row], tuple(row), style)


@command.command()
@click.argument("host", type=HOST_NAME)
@click.option("--limit", type=click.IntRange(1), default=48, show_default=True, help="The number of reports.")
@which_flags
@format_flag
@with_settings()
def history(settings: LoadedSettings, host: str, limit: int, which: Which, style: str) -> None:
    """List a host's reports, newest first."""
    from geventcore.storage.report_queries import reports_of

    with report_database(settings) as database:
        found = database.read(lambda connection: reports_of(connection, host, limit, which))
    if not found:
        raise GeventcoreError(f"no matching report of {host}")
    columns = ("time", "state", "total", "good", "bad", "modified", "extra", "revision", "dry-run")
    print_rows([_row(report, settings[TIME_ZONE]) for report in found], columns, style)


@command.command()
@click.argument("host", type=HOST_NAME)
@with_settings()
def expire(settings: LoadedSettings, host: str) -> None:
    """Take a host out of service, or put it back.

    A host that is out of service keeps its reports, but does not appear in lists.
    """
    from geventcore.storage.report_queries import now_milliseconds
    from geventcore.storage.report_writing import toggle_expired

    with report_database(settings) as database:
        expired = database.write(lambda connection: toggle_expired(connection, host, now_milliseconds()))
    if expired is None:
        raise GeventcoreError(f"no report of {host}")
    click.echo(f"{host} is {'out of' if expired else 'back in'} service.")


def _parse_entry(text: str) -> tuple[str, str]:
    tag, colon, name = text.strip().partition(":")
    if not colon or not tag or not name:
        raise click.UsageError(f"invalid entry {text!r}: expected Type:name, such as Path:/etc/motd")
    return tag, name


@command.command()
@click.argument("wanted", nargs=-1, metavar="[TYPE:NAME]...")
@click.option("--badentry", "--bad", "bad", is_flag=True, help="Only bad entries.")
@click.option("--modifiedentry", "--modified", "modified", is_flag=True, help="Only modified entries.")
@click.option("--extraentry", "--extra", "extra", is_flag=True, help="Only extra entries.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with entries, one on each line.",
)
@which_flags
@format_flag
@with_settings()
def entries(
    settings: LoadedSettings,
    wanted: Sequence[str],
    bad: bool,
    modified: bool,
    extra: bool,
    files: Sequence[Path],
    which: Which,
    style: str,
) -> None:
    """List the hosts with one of the given entries. Without entries, list all entries with host counts."""
    from geventcore.storage.report_queries import entry_counts, last_reports

    lines = [line for file in files for line in file.read_text().splitlines() if line.strip()]
    chosen = {EntryKind.BAD: bad, EntryKind.MODIFIED: modified, EntryKind.EXTRA: extra}
    kinds = [kind for kind, is_wanted in chosen.items() if is_wanted] or list(EntryKind)
    if wanted or files:
        named = [_parse_entry(text) for text in (*wanted, *lines)]
        _print_findings(_who_has(settings, named, kinds, which), ("name", "kind", "type", "entry"), settings, style)
        return
    with report_database(settings) as database:
        counts = database.read(
            lambda connection: entry_counts(connection, last_reports(connection, which), kinds), snapshot=True
        )
    rows: list[Row] = [
        {"hosts": count.hosts, "kind": count.kind.label, "type": count.tag, "name": count.name} for count in counts
    ]
    print_rows(rows, ("hosts", "kind", "type", "name"), style)


@command.command()
@click.argument("wanted", metavar="TYPE:NAME")
@which_flags
@format_flag
@with_settings()
def entry(settings: LoadedSettings, wanted: str, which: Which, style: str) -> None:
    """List the hosts on which an entry is bad, modified or extra, with its state."""
    found = _who_has(settings, [_parse_entry(wanted)], list(EntryKind), which)
    _print_findings(found, ("name", "time", "kind", "how"), settings, style)


def _who_has(
    settings: LoadedSettings, wanted: Sequence[tuple[str, str]], kinds: Sequence[EntryKind], which: Which
) -> list[Finding]:
    from geventcore.storage.report_queries import last_reports, who_has

    with report_database(settings) as database:
        return database.read(
            lambda connection: who_has(connection, last_reports(connection, which), wanted, kinds), snapshot=True
        )


def _print_findings(findings: Sequence[Finding], columns: Sequence[str], settings: LoadedSettings, style: str) -> None:
    rows: list[Row] = [
        {
            "name": finding.report.client,
            "time": time_text(finding.report.timestamp, settings[TIME_ZONE]),
            "kind": finding.kind.label,
            "type": finding.state.tag,
            "entry": finding.state.name,
            "how": how_it_was_found(finding.state),
        }
        for finding in findings
    ]
    print_rows(rows, columns, style)


@command.command()
@click.option("--client", "host", type=HOST_NAME, help="Only reports of this host.")
@click.option("--days", type=click.IntRange(0), help="Only reports older than this many days.")
@click.option("--expired", is_flag=True, help="Only reports of hosts that are out of service.")
@click.option("--state", type=click.Choice(["dirty", "clean", "modified"]), help="Only reports of this state.")
@with_settings()
def purge(settings: LoadedSettings, host: str | None, days: int | None, expired: bool, state: str | None) -> None:
    """Remove reports and their details.

    The command removes the reports that match all conditions; without conditions, those older than [reporting]
    keep_days. It works in small steps beside a running server, and can be interrupted. Details that no report refers to
    are removed after two days. A SQLite file keeps its size and reuses the space.
    """
    from geventcore.reporting.options import KEEP_DAYS
    from geventcore.reporting.retention import before_days
    from geventcore.storage.report_purging import Progress, Purge
    from geventcore.storage.report_purging import purge as purge_reports

    with report_database(settings) as database:
        if host is None and days is None and not expired and state is None:
            days = settings[KEEP_DAYS] or None
        what = Purge(host, None if days is None else before_days(days), expired, state)
        if what.is_everything or (days == 0 and host is None and not expired and state is None):
            raise click.UsageError(
                "refusing to remove all reports; select some with --client, --days, --expired or --state"
            )
        progress = Progress()
        shown = 0
        for progress in purge_reports(database, what):
            if progress.reports - shown >= PROGRESS_REPORTS:
                shown = progress.reports
                click.echo(f"  {shown} reports", err=True)
    click.echo(
        f"removed {progress.reports} reports, {progress.hosts} hosts, and {progress.orphans} rows without references"
    )
