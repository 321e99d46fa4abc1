"""``geventcore db``: check, upgrade and import databases."""

from __future__ import annotations

import os

import click

from geventcore.cli.command import common_flags, start_logging, with_settings
from geventcore.core.databases import require_libraries
from geventcore.options import LoadedSettings
from geventcore.options.server import UMASK
from geventcore.storage.config import DatabaseConfig, database_config, reporting_config


@click.group()
@common_flags
def command() -> None:
    """Check the database, create or upgrade its tables, and import from a Bcfg2 database.

    If reports have a separate database, each command applies to both.
    """


@command.command()
@with_settings()
def check(settings: LoadedSettings) -> int:
    """Check the connection, the tables and write access.

    The exit status is 1 if a server could not use the database.
    """
    from geventcore.storage.inspection import check as check_database

    problems = 0
    for config in _databases(settings):
        found = check_database(config)
        problems += len(found)
        for problem in found:
            click.echo(f"error: {problem}")
        if not found:
            click.echo(f"{config} is usable")
    return 1 if problems else 0


@command.command()
@with_settings()
def upgrade(settings: LoadedSettings) -> None:
    """Create the tables, or upgrade them to this version.

    Tables of other programs stay as they are. First stop the servers that use the database and back it up: there is no
    downgrade.
    """
    from geventcore.storage import migration

    _use_umask(settings)
    for config in _databases(settings):
        before = migration.schema_version(config)
        migration.upgrade(config, lambda step: click.echo(f"  {step}"))
        if before.state is migration.SchemaState.CURRENT:
            click.echo(f"{config} has schema version {before.needed}: nothing to do")
        else:
            click.echo(f"{config} upgraded to schema version {before.needed}")


@command.command()
@with_settings()
def current(settings: LoadedSettings) -> int:
    """Print the schema version of the database, and the version that this program needs.

    The exit status is 1 if they differ.
    """
    from geventcore.storage import migration

    status = 0
    for config in _databases(settings):
        version = migration.schema_version(config)
        click.echo(f"{config}: schema version {version.found or 'none'}, needed {version.needed}")
        status |= version.state is not migration.SchemaState.CURRENT
    return status


@command.command("import")
@click.argument("source", required=False)
@click.option(
    "--time-zone",
    "zone_name",
    metavar="ZONE",
    help="The time zone of the Bcfg2 server's clock; 'local' is this machine's. [default: [reporting] time_zone]",
)
@click.option("--dry-run", is_flag=True, help="Show what would be imported, without writing.")
@click.option("--again", is_flag=True, help="Import again what was imported before and removed since.")
@with_settings()
def import_(settings: LoadedSettings, source: str | None, zone_name: str | None, dry_run: bool, again: bool) -> None:
    """Import from a database of Bcfg2 1.3 or 1.4.

    SOURCE is a SQLite file or a URL (postgresql://user:password@host:port/name). The default is Bcfg2's tables in the
    configured databases. The source is not changed, and its server may keep running.

    The command imports the client list with versions, probe results and groups, and all reports. After an interruption,
    run it again: it continues where it stopped, and imports nothing twice.
    """
    configs = _databases(settings)
    _use_umask(settings)
    from geventcore.cli.bcfg2_import import import_databases

    import_databases(settings, configs[0], configs[-1], source, zone_name, dry_run=dry_run, again=again)


def _use_umask(settings: LoadedSettings) -> None:
    """Give a file of SQLite the rights that the server would give it."""
    os.umask(settings[UMASK])


def _databases(settings: LoadedSettings) -> list[DatabaseConfig]:
    """Return the configured databases without duplicates.

    Raises:
        ConfigError: the configuration is wrong, or a library is missing.
    """
    start_logging(settings)
    require_libraries()
    return list(dict.fromkeys([database_config(settings), reporting_config(settings)]))
