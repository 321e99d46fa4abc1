"""``geventcore db``: look after the database."""

from __future__ import annotations

import click

from geventcore.cli.common import common_flags, start_logging, with_settings
from geventcore.core.databases import require_libraries
from geventcore.options import LoadedSettings
from geventcore.storage.config import DatabaseConfig, database_config, reporting_config


@click.group()
@common_flags
def command() -> None:
    """Check the database, make or change its tables, and take over one of Bcfg2.

    If reports have a database of their own, each command is about both.
    """


@command.command()
@with_settings()
def check(settings: LoadedSettings) -> int:
    """Connect to the database, look at its tables, and try whether it can be written.

    The status is 1 if a server could not use it.
    """
    from geventcore.storage.inspection import check as check_database

    complaints = 0
    for config in _databases(settings):
        found = check_database(config)
        complaints += len(found)
        for complaint in found:
            click.echo(f"error: {complaint}")
        if not found:
            click.echo(f"{config} can be used")
    return 1 if complaints else 0


@command.command()
@with_settings()
def upgrade(settings: LoadedSettings) -> None:
    """Make the tables, or change them to what this version needs.

    Tables that are not geventcore's stay as they are. Stop the servers that use the database first, and make a copy of
    it: there is no way back to an older version.
    """
    from geventcore.storage import migration

    for config in _databases(settings):
        before = migration.schema_version(config)
        migration.upgrade(config, lambda step: click.echo(f"  {step}"))
        if before.state is migration.SchemaState.CURRENT:
            click.echo(f"{config} has version {before.needed} of the tables: nothing to do")
        else:
            click.echo(f"{config} has version {before.needed} of the tables from now on")


@command.command()
@with_settings()
def current(settings: LoadedSettings) -> int:
    """Print which version of the tables the database has, and which this program needs.

    The status is 1 if they differ.
    """
    from geventcore.storage import migration

    status = 0
    for config in _databases(settings):
        version = migration.schema_version(config)
        click.echo(f"{config}: version {version.found or 'none'}; needed is {version.needed}")
        status |= version.state is not migration.SchemaState.CURRENT
    return status


@command.command("import")
@click.argument("source", required=False)
@click.option(
    "--time-zone",
    "zone_name",
    metavar="ZONE",
    help="The time zone of the old server's clock; 'local' is this machine's. [default: [reporting] time_zone]",
)
@click.option("--dry-run", is_flag=True, help="Only read, and say what would be taken over.")
@click.option("--again", is_flag=True, help="Take over also what was taken over before, and removed since.")
@with_settings()
def import_(settings: LoadedSettings, source: str | None, zone_name: str | None, dry_run: bool, again: bool) -> None:
    """Take over what a database of Bcfg2 1.3 or 1.4 knows.

    SOURCE is a file of SQLite or an URL (postgresql://user:password@host:port/name); without it, Bcfg2's tables in the
    databases of the configuration are meant. Nothing of it is changed, and its server may go on running.

    Taken over are the client list with versions, results of probes and the groups from them, and all reports. The
    command may be interrupted and called again: it goes on where it was, and takes nothing twice.
    """
    configs = _databases(settings)
    from geventcore.cli.legacy_import import import_databases

    import_databases(settings, configs[0], configs[-1], source, zone_name, dry_run=dry_run, again=again)


def _databases(settings: LoadedSettings) -> list[DatabaseConfig]:
    """The databases that the configuration names, each once; `ConfigError` if they cannot be worked with at all."""
    start_logging(settings)
    require_libraries()
    return list(dict.fromkeys([database_config(settings), reporting_config(settings)]))
