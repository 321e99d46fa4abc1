"""``geventcore backup`` and ``geventcore restore``: what the server has learnt."""

from __future__ import annotations

from pathlib import Path

import click

from geventcore.admin.client import ask
from geventcore.admin.options import ADMIN_OPTIONS
from geventcore.admin.sockets import addresses_to_try
from geventcore.cli.command import start_logging, with_settings
from geventcore.core.databases import require_libraries
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.options.server import REPOSITORY, STATE_DIRECTORY
from geventcore.storage.config import DatabaseConfig, database_config, reporting_config
from geventcore.tools.learnt_data import Backup, Directories, restore_backup, write_backup
from geventcore.units import counted, size_text


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@with_settings()
def backup(settings: LoadedSettings, file: Path) -> None:
    """Write what the server has learnt to FILE, a compressed archive (.tar.gz), which only its owner may read.

    That is the databases with clients, probe results and reports, and the files that the server has written: the
    client list, results of probes, keys and certificates that it made, and reports that wait. The server may run. The
    configuration, its keys and certificates, and the rest of the repository are not part of it: 'geventcore admin
    backup' archives the repository.

    PostgreSQL needs pg_dump, MariaDB mysqldump.
    """
    start_logging(settings)
    written = write_backup(file, _directories(settings), _databases(settings))
    click.echo(f"Written: {_text(written)}, {size_text(file.stat().st_size)}")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace databases that have data, and files that exist.")
@with_settings()
def restore(settings: LoadedSettings, file: Path, overwrite: bool) -> None:
    """Put back what 'geventcore backup' has written to FILE. Stop all servers that use the databases first.

    The archive is checked before anything is changed. Files of the repository that are not in it stay. If the backup is
    of an earlier version, 'geventcore db upgrade' upgrades the restored tables.
    """
    start_logging(settings)
    _require_no_server(settings)
    restored = restore_backup(file, _directories(settings), _databases(settings), overwrite=overwrite)
    click.echo(f"Restored: {_text(restored)}")


def _directories(settings: LoadedSettings) -> Directories:
    return Directories(Path(settings[REPOSITORY]), Path(settings[STATE_DIRECTORY]))


def _databases(settings: LoadedSettings) -> dict[str, DatabaseConfig]:
    require_libraries()
    main, reporting = database_config(settings), reporting_config(settings)
    return {"main": main} if main == reporting else {"main": main, "reporting": reporting}


def _text(archive: Backup) -> str:
    databases = ", ".join(archive.databases) or "none"
    return f"{archive.path}: databases {databases}; {counted(archive.files, 'file')}"


def _require_no_server(settings: LoadedSettings) -> None:
    settings.options.add(*ADMIN_OPTIONS)
    for address in addresses_to_try(settings):
        try:
            ask(address, "/healthz")
        except OSError:
            continue
        raise GeventcoreError(f"a server runs (it answers at {address}): stop it before its data are replaced")
