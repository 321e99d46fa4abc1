"""``bcfg2-reports``: the commands, flags and output of Bcfg2's program, under its name.

`geventcore.cli.reports.command` has the commands of this program, with more columns and JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from geventcore.cli.command import common_flags, with_settings
from geventcore.cli.reports.asking import report_database
from geventcore.cli.reports.output import printable
from geventcore.options import LoadedSettings
from geventcore.reporting.options import TIME_ZONE
from geventcore.storage.report_model import EntryKind, Interaction

if TYPE_CHECKING:
    from geventcore.storage.report_queries import Finding, Report, Which

F = TypeVar("F", bound=Callable[..., Any])

FIELDS = ("name", "time", "state", "total", "good", "bad", "modified", "extra", "stale")
_DEFAULT_FIELDS = "name,time,state"
_TIME_WIDTH = 19
_ENTRY_WIDTH = 70
_EXIT_UNKNOWN = 2
#: The order in which entries are shown.
_ORDER = (EntryKind.BAD, EntryKind.MODIFIED, EntryKind.EXTRA)
#: The tags that reports may have.
_TYPES = frozenset(
    {
        *("Action", "Package", "Path", "Service", "POSIXUser", "POSIXGroup", "SEBoolean", "SEFcontext"),
        *("SEInterface", "SELogin", "SEModule", "SENode", "SEPermissive", "SEPort", "SEUser"),
    }
)


@click.group("bcfg2-reports")
@common_flags
def original() -> None:
    """Show the reports of clients, as bcfg2-reports does."""


def _run_flags(function: F) -> F:
    """Add the flags that leave out runs."""
    for option in (
        click.option(
            "-i", "--no-only-important", "no_important", is_flag=True, help="Leave out runs for important entries."
        ),
        click.option("-n", "--no-dry-run", is_flag=True, help="Leave out dry runs."),
    ):
        function = option(function)
    return function


def _fields(_ctx: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    names = [name.strip().lower() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: expected some of {', '.join(FIELDS)}")
    return names


def _fields_flag(function: F) -> F:
    return click.option("--fields", default=_DEFAULT_FIELDS, callback=_fields, metavar="LIST", help="The columns.")(
        function
    )


def _chosen(no_dry_run: bool = False, no_important: bool = False) -> Which:
    from geventcore.storage.report_queries import Which

    return Which(dry_runs=not no_dry_run, only_important=not no_important)


def _last_of(settings: LoadedSettings, host: str, which: Which) -> Interaction | None:
    """Return the last report of a host, or None; end the program if the host has never reported."""
    from geventcore.storage.report_queries import host_names, last_interaction

    with report_database(settings) as database:
        if host not in database.read(lambda connection: host_names(connection, host)):
            click.echo(f"No such host: {host}")
            click.get_current_context().exit(_EXIT_UNKNOWN)
        found = database.read(lambda connection: last_interaction(connection, host, which), snapshot=True)
    if found is None:
        click.echo(f"No interactions found for host: {host}")
    return found


@original.command()
@click.argument("host")
@click.option("-b", "--bad", is_flag=True, help="Only bad entries.")
@click.option("-e", "--extra", is_flag=True, help="Only extra entries.")
@click.option("-m", "--modified", is_flag=True, help="Only modified entries.")
@_run_flags
@with_settings()
def show(
    settings: LoadedSettings, host: str, bad: bool, extra: bool, modified: bool, no_dry_run: bool, no_important: bool
) -> None:
    """Show the bad, modified and extra entries of a host."""
    interaction = _last_of(settings, host.lower(), _chosen(no_dry_run, no_important))
    wanted = {EntryKind.BAD: bad, EntryKind.MODIFIED: modified, EntryKind.EXTRA: extra}
    kinds = [kind for kind in _ORDER if wanted[kind]] or _ORDER
    for kind in kinds if interaction is not None else ():
        for state in interaction.of_kind(kind) if interaction is not None else ():
            click.echo(f"{printable(state.label):{_ENTRY_WIDTH}} {kind.label}")


@original.command()
@click.argument("host")
@_run_flags
@with_settings()
def total(settings: LoadedSettings, host: str, no_dry_run: bool, no_important: bool) -> None:
    """Count the entries of a host."""
    interaction = _last_of(settings, host.lower(), _chosen(no_dry_run, no_important))
    if interaction is not None:
        click.echo(f"Total managed entries: {interaction.total} (good: {interaction.good})")


@original.command()
@click.argument("host")
@with_settings()
def expire(settings: LoadedSettings, host: str) -> None:
    """Take a host out of service, or put it back."""
    from geventcore.storage.report_queries import now_milliseconds
    from geventcore.storage.report_writing import toggle_expired

    name = host.lower()
    with report_database(settings) as database:
        expired = database.write(lambda connection: toggle_expired(connection, name, now_milliseconds()))
    if expired is None:
        click.echo(f"No such host: {name}")
        click.get_current_context().exit(_EXIT_UNKNOWN)
    click.echo(f"{name} {'' if expired else 'un-'}expired.")


@original.command()
@click.option("-c", "--clean", is_flag=True, help="Only clean hosts.")
@click.option("--dirty", is_flag=True, help="Only dirty hosts; -d under the name bcfg2-reports.")
@click.option("--stale", is_flag=True, help="Only hosts that have not reported for a day.")
@_fields_flag
@_run_flags
@with_settings()
def clients(
    settings: LoadedSettings,
    clean: bool,
    dirty: bool,
    stale: bool,
    fields: list[str],
    no_dry_run: bool,
    no_important: bool,
) -> None:
    """List hosts."""
    if clean + dirty + stale > 1:
        raise click.UsageError("pass only one of --clean, --dirty and --stale")
    found = _last_reports(settings, _chosen(no_dry_run, no_important))
    reports = [
        report
        for report in found
        if report.expired is None
        and not (clean and report.state != "clean")
        and not (dirty and report.state != "dirty")
        and not (stale and not report.is_stale())
    ]
    zone = settings[TIME_ZONE]
    # The column is as wide as the names of all hosts need, shown or not.
    names = [printable(report.client) for report in found]
    _print_table(fields, [_values(report, zone) for report in reports], names)


def _last_reports(settings: LoadedSettings, which: Which) -> list[Report]:
    from geventcore.storage.report_queries import last_reports

    with_expired = dataclasses.replace(which, expired=True)
    with report_database(settings) as database:
        return database.read(lambda connection: last_reports(connection, with_expired))


@original.command()
@click.argument("wanted", nargs=-1, metavar="[TYPE:NAME]...")
@click.option("--badentry", is_flag=True, help="Only bad entries.")
@click.option("--modifiedentry", is_flag=True, help="Only modified entries.")
@click.option("--extraentry", is_flag=True, help="Only extra entries.")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with entries, one on each line.",
)
@_fields_flag
@_run_flags
@with_settings()
def entries(
    settings: LoadedSettings,
    wanted: Sequence[str],
    badentry: bool,
    modifiedentry: bool,
    extraentry: bool,
    file: Path | None,
    fields: list[str],
    no_dry_run: bool,
    no_important: bool,
) -> None:
    """List the hosts on which entries are bad, modified or extra."""
    chosen = {EntryKind.BAD: badentry, EntryKind.MODIFIED: modifiedentry, EntryKind.EXTRA: extraentry}
    kinds = [kind for kind in _ORDER if chosen[kind]] or list(_ORDER)
    lines = [] if file is None else [line.strip() for line in file.read_text().splitlines() if line.strip()]
    named = [_entry(text) for text in (*wanted, *lines)]
    if not named:
        raise click.UsageError("name entries as TYPE:NAME, or a file with --file")
    found = _findings(settings, named, kinds, _chosen(no_dry_run, no_important))
    zone = settings[TIME_ZONE]
    _print_table(fields, [_values(finding.report, zone) for finding in found])


@original.command()
@click.argument("wanted", metavar="TYPE:NAME")
@_fields_flag
@_run_flags
@with_settings()
def entry(settings: LoadedSettings, wanted: str, fields: list[str], no_dry_run: bool, no_important: bool) -> None:
    """Show the state of an entry on all hosts."""
    named = [_entry(wanted)]
    found = _findings(settings, named, _ORDER, _chosen(no_dry_run, no_important))
    columns = ["entry state" if name == "state" else name for name in fields]
    zone = settings[TIME_ZONE]
    rows = [{**_values(each.report, zone), "entry state": each.kind.label.capitalize()} for each in found]
    _print_table(columns, rows)


def _entry(text: str) -> tuple[str, str]:
    tag, colon, name = text.partition(":")
    if not colon or not name:
        raise click.UsageError(f"{text!r} is not TYPE:NAME, such as Path:/etc/motd")
    if tag not in _TYPES:
        click.echo(f"Unhandled/unknown type {tag}")
        click.get_current_context().exit(_EXIT_UNKNOWN)
    return tag, name


def _findings(
    settings: LoadedSettings, wanted: Sequence[tuple[str, str]], kinds: Sequence[EntryKind], which: Which
) -> list[Finding]:
    from geventcore.storage.report_queries import last_reports, who_has

    with report_database(settings) as database:
        return database.read(
            lambda connection: who_has(connection, last_reports(connection, which), wanted, kinds), snapshot=True
        )


def _values(report: Report, zone: tzinfo | None) -> dict[str, str]:
    moment = datetime.fromtimestamp(report.timestamp / 1000, timezone.utc).astimezone(zone)
    return {
        "name": printable(report.client),
        "time": f"{moment:%Y-%m-%d %H:%M:%S}",
        "state": report.state,
        **{name: str(getattr(report, name)) for name in ("total", "good", "bad", "modified", "extra")},
        "stale": str(report.is_stale()),
    }


def _print_table(columns: Sequence[str], rows: Iterable[Mapping[str, str]], names: Iterable[str] = ()) -> None:
    shown = list(rows)
    if not shown:
        click.echo("No match found")
        return
    widths = [len(column) for column in columns]
    for number, column in enumerate(columns):
        if column == "name":
            widths[number] = max(map(len, (*names, *(row["name"] for row in shown))))
        elif column == "time":
            widths[number] = _TIME_WIDTH
    for row in [{column: column.title() for column in columns}, *shown]:
        click.echo("  ".join(row[column].ljust(width) for column, width in zip(columns, widths, strict=True)))
