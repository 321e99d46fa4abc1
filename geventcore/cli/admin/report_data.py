"""The commands of ``admin`` on the database of reports, under the names that Bcfg2 has for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import click

from geventcore.cli.command import start_logging, with_settings
from geventcore.cli.db import check, upgrade
from geventcore.cli.local_core import format_flag, is_original, print_json
from geventcore.cli.reports.asking import HOST_NAME, report_database
from geventcore.cli.reports.command import purge
from geventcore.core.databases import require_libraries
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.storage.config import DatabaseConfig, database_config, reporting_config

#: Entries that Bcfg2 counts, by its names of classes, in the order of its list.
_ENTRY_CLASSES = (
    *("FailureEntry", "ActionEntry", "PathEntry", "PackageEntry"),
    *("PathEntry", "ServiceEntry"),
)
#: For each engine: the client program, and its arguments.
_SHELLS = {"sqlite3": "sqlite3", "postgresql": "psql", "mysql": "mysql"}


@click.command("reportsstats")
@format_flag
@with_settings()
def reportsstats(settings: LoadedSettings, as_json: bool) -> None:
    """Count what the database of reports has."""
    from geventcore.storage.report_counts import count_reports

    with report_database(settings) as database:
        counts = database.read(count_reports, snapshot=True)
    if as_json:
        print_json(
            {
                "hosts": counts.hosts,
                "reports": counts.reports,
                "groups": counts.groups,
                "bundles": counts.bundles,
                "entries": dict(sorted(counts.entries.items())),
                "failures": counts.failures,
            }
        )
        return
    lines: list[tuple[str, int]] = [("Group", counts.groups), ("Bundle", counts.bundles)]
    for name in _ENTRY_CLASSES:
        tag = name.removesuffix("Entry")
        # Bcfg2 stores a file that was found bad anew for each report, and other entries once.
        number = counts.mentions[tag] if tag == "Path" else counts.entries[tag]
        lines.append((name, counts.failures if tag == "Failure" else number))
    lines += [("Client", counts.hosts), ("Interaction", counts.reports), ("Performance", counts.stamps)]
    if is_original():
        for name, number in lines:
            click.echo(f"{name} has {number} records")
        return
    shown = {
        "hosts": counts.hosts,
        "reports": counts.reports,
        "groups": counts.groups,
        "bundles": counts.bundles,
        **{f"different states of {tag}": number for tag, number in sorted(counts.entries.items())},
    }
    for label, number in shown.items():
        click.echo(f"{number:>10}  {label}")


@click.command("purgereports")
@click.option("--client", type=HOST_NAME, metavar="HOST", help="Only reports of this host.")
@click.option("--days", type=click.IntRange(0), help="Only reports older than this many days.")
@click.option("--expired", is_flag=True, help="Only reports of hosts that are out of service.")
@click.option("--state", type=click.Choice(["dirty", "clean", "modified"]), help="Only reports of this state.")
@click.pass_context
@with_settings()
def purgereports(
    settings: LoadedSettings,  # noqa: ARG001 - for the common flags
    ctx: click.Context,
    client: str | None,
    days: int | None,
    expired: bool,
    state: str | None,
) -> int:
    """Remove reports that match all conditions; see also geventcore reports purge."""
    if client is None and days is None and not expired and state is None:
        if is_original():
            click.echo("Refusing to prune all data. Specify an option to purgereports")
            return 1
        raise click.UsageError("refusing to remove all reports: pass --client, --days, --expired or --state")
    ctx.invoke(purge, host=client, days=days, expired=expired, state=state)
    return 0


@click.command("scrubreports")
@with_settings()
def scrubreports(settings: LoadedSettings) -> None:
    """Remove rows of the database of reports that no report refers to."""
    from geventcore.storage.report_purging import remove_orphans
    from geventcore.storage.report_writing import today

    with report_database(settings) as database:
        removed = sum(remove_orphans(database, today()))
    click.echo(f"removed {removed} rows without references")


@click.command("reportssqlall")
@with_settings()
def reportssqlall(settings: LoadedSettings) -> None:
    """Print the SQL statements that make the tables, for the configured database."""
    from geventcore.storage.sql_text import creating_statements

    for statement in creating_statements(_config(settings)):
        click.echo(f"{statement};\n")


@click.command("dbshell", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--reporting", is_flag=True, help="Open the database of reports, if that is another one.")
@with_settings()
def dbshell(settings: LoadedSettings, arguments: Sequence[str], reporting: bool) -> None:
    """Open the prompt of the database: sqlite3, psql or mysql, whichever the database needs."""
    config = _config(settings, reporting)
    program = shutil.which(_SHELLS[config.engine])
    if program is None:
        raise GeventcoreError(f"{config} needs the program {_SHELLS[config.engine]}, which is not installed")
    if config.is_file and not os.path.exists(config.name):
        raise GeventcoreError(f"{config} does not exist; geventcore db upgrade makes it")
    words, variables = _shell_arguments(config)
    os.execvpe(program, [program, *words, *arguments], {**os.environ, **variables})


def _shell_arguments(config: DatabaseConfig) -> tuple[list[str], dict[str, str]]:
    """Return the arguments for the client program, and environment variables: a password is not an argument."""
    if config.is_file:
        return [config.name], {}
    user, host = ("-U", "-h") if config.engine == "postgresql" else ("-u", "-h")
    words = [word for flag, value in ((user, config.user), (host, config.host)) if value for word in (flag, value)]
    if config.port:
        words += ["-p" if config.engine == "postgresql" else "-P", str(config.port)]
    variable = "PGPASSWORD" if config.engine == "postgresql" else "MYSQL_PWD"
    return [*words, config.name], {variable: config.password} if config.password else {}


def _config(settings: LoadedSettings, reporting: bool = True) -> DatabaseConfig:
    start_logging(settings)
    require_libraries()
    return reporting_config(settings) if reporting else database_config(settings)


#: Name of Bcfg2 -> our command that does the same.
SAME = {"validatedb": check, "syncdb": upgrade, "initreports": upgrade, "updatereports": upgrade}
