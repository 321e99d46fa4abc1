"""The group of the commands of ``info``."""

from __future__ import annotations

import click

from geventcore.cli.command import common_flags


@click.group()
@common_flags
def command() -> None:
    """Inspect a repository and clients' configurations.

    No command changes the repository, unless --create asks to add a host to the client list. Where a command takes
    several hosts or groups, they may have wildcards; none means all.
    """
