"""``geventcore admin``: changes of a site's data by an administrator."""

from __future__ import annotations

import copy
from pathlib import Path

import click

from geventcore.cli.admin import minestruct, pull, running, viz
from geventcore.cli.admin.backup import command as backup
from geventcore.cli.admin.client import client
from geventcore.cli.admin.compare import command as compare
from geventcore.cli.admin.replaced import REPLACED, refusing, reports
from geventcore.cli.admin.report_data import (
    SAME,
    dbshell,
    purgereports,
    reportssqlall,
    reportsstats,
    scrubreports,
)
from geventcore.cli.command import common_flags
from geventcore.cli.group_help import add_help
from geventcore.cli.init import command as init_command
from geventcore.errors import GeventcoreError


@click.group()
@common_flags
def command() -> None:
    """Change the data of a site.

    The commands work on the repository and database of this machine, whether or not a server is running; perf, xcmd and
    expirecache ask a running server. A running server notices the changes.
    """


@command.command("init", params=[each for each in init_command.params if each.name != "directory"])
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.pass_context
def init(ctx: click.Context, /, directory: Path | None, **flags: str | None) -> object:
    """Create a new site in DIRECTORY, which must not exist; the same as geventcore init."""
    if directory is None:
        raise GeventcoreError(
            "name a directory for the new site: geventcore init DIRECTORY; the questions of bcfg2-admin init are the "
            "flags --hostname, --address and --password"
        )
    return ctx.invoke(init_command, directory=directory, **flags)


for _each in (
    *(client, compare, backup, minestruct.command, pull.command, viz.command),
    *(running.perf, running.xcmd, running.expirecache),
    *(reportsstats, purgereports, scrubreports, reportssqlall, dbshell, reports),
):
    command.add_command(_each)
for _name, _same in SAME.items():
    _renamed = copy.copy(_same)
    _renamed.name = _name
    command.add_command(_renamed)
for _name, _reason in REPLACED.items():
    command.add_command(refusing(_name, _reason))
add_help(command)

__all__ = ["command"]
