"""``geventcore admin backup``: an archive of the repository."""

from __future__ import annotations

import time
from pathlib import Path

import click

from geventcore.cli.command import start_logging, with_settings
from geventcore.cli.local_core import is_original
from geventcore.options import LoadedSettings
from geventcore.options.server import REPOSITORY
from geventcore.tools.repository_archive import write_archive
from geventcore.units import size_text


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@with_settings()
def command(settings: LoadedSettings, file: Path | None) -> None:
    """Write the repository to a compressed archive (.tar.gz), which only its owner may read.

    Without FILE, its name is the time, and its place the current directory. The data that the server has learnt in a
    database are not part of the repository.
    """
    start_logging(settings)
    repository = Path(settings[REPOSITORY])
    name = f"{time.strftime('%Y-%m-%dT%H.%M.%S')}.tar.gz"
    if is_original():
        # Bcfg2 puts its backups into the repository.
        file = repository / name
    archive = write_archive(repository, Path(f"{repository.name}-{name}") if file is None else file)
    for skipped in archive.skipped:
        click.echo(f"left out: {skipped}", err=True)
    if is_original():
        click.echo(f"Archive {file} was stored at {repository}")
    else:
        click.echo(f"{archive.path}: {archive.files} files, {size_text(archive.path.stat().st_size)}")
