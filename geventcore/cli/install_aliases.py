"""``geventcore install-aliases``: programs with the names of Bcfg2's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from geventcore.cli.aliases.programs import PROGRAMS
from geventcore.errors import GeventcoreError
from geventcore.repository.durable_writes import write_durably

_MARK = "# Made by geventcore install-aliases."
_SCRIPT = f"""#!{{python}}
{_MARK}
import sys

from geventcore.cli.aliases.main import main

sys.exit(main("{{name}}"))
"""


@click.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Where to put them. [default: the directory of the program geventcore]",
)
@click.option("--remove", is_flag=True, help="Remove them again.")
@click.option("--force", is_flag=True, help="Replace programs that this command did not make, such as those of Bcfg2.")
def command(directory: Path | None, remove: bool, force: bool) -> int:
    """Install programs with the names and flags of Bcfg2's, so that units, cron jobs and scripts run unchanged.

    The names are bcfg2-server, bcfg2-info, bcfg2-admin, bcfg2-lint, bcfg2-test, bcfg2-crypt, bcfg2-reports and
    bcfg2-report-collector.
    """
    place = directory if directory is not None else Path(sys.executable).parent
    if not place.is_dir():
        raise GeventcoreError(f"{place} is not a directory; see --directory")
    paths = [place / name for name in PROGRAMS]
    foreign = [path for path in paths if os.path.lexists(path) and not _is_ours(path)]
    if foreign and not (force or remove):
        raise GeventcoreError(f"{', '.join(map(str, foreign))}: not made by this command; pass --force to replace")
    for path in paths:
        if remove:
            if _is_ours(path):
                path.unlink()
                click.echo(f"removed {path}")
            continue
        if path.is_symlink():
            path.unlink()
        write_durably(path, _SCRIPT.format(python=sys.executable, name=path.name).encode())
        path.chmod(0o755)
        click.echo(f"installed {path}")
    return 0


def _is_ours(path: Path) -> bool:
    try:
        return _MARK.encode() in path.read_bytes()
    except OSError:
        return False
