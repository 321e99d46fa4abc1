"""``geventcore packages``: the sources of the plugin Packages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from geventcore.cli.command import common_flags, with_settings
from geventcore.cli.local_core import local_core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.options.server import PLUGINS

if TYPE_CHECKING:
    from geventcore.plugins.packages import Packages

#: The plugins that are loaded: the sources are those of one, and the other knows the clients.
NEEDED_PLUGINS = ("Metadata", "Packages")


@contextmanager
def packages_plugin(settings: LoadedSettings, *, read_only: bool) -> Iterator[Packages]:
    """Load the plugin Packages as the server does, without a server.

    Raises:
        GeventcoreError: the site does not use it.
    """
    from geventcore.plugins.packages import Packages

    if "Packages" not in settings[PLUGINS]:
        raise GeventcoreError(f"the site does not use the plugin Packages; see {PLUGINS.label}")
    needed = settings.with_values({PLUGINS: NEEDED_PLUGINS})
    with local_core(needed, read_only=read_only) as core:
        plugin = core.plugins.by_name["Packages"]
        assert isinstance(plugin, Packages)
        yield plugin


@click.group()
@common_flags
def command() -> None:
    """Show and refresh the sources of packages."""


@command.command("refresh")
@click.option("--json", "as_json", is_flag=True, help="Print the state of all sources as JSON.")
@with_settings()
def refresh(settings: LoadedSettings, as_json: bool) -> int:
    """Fetch all sources and keys again.

    Servers that use the same cache, running or not, use the new data at once. Run it as the user of the server, who
    must be able to write the cache. The exit status is 1 if a source fails; it keeps its last data.
    """
    with packages_plugin(settings, read_only=False) as plugin:
        plugin.store.refresh(progress=not as_json)
        return _show(plugin, as_json)


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings()
def status(settings: LoadedSettings, as_json: bool) -> int:
    """Show the sources: the age of their data, and why and since when some fail.

    The exit status is 1 if a source fails.
    """
    with packages_plugin(settings, read_only=True) as plugin:
        return _show(plugin, as_json)


def _show(plugin: Packages, as_json: bool) -> int:
    from geventcore.plugins.packages.status import status_lines, status_of

    states = plugin.store.states
    if as_json:
        click.echo(json.dumps([status_of(origin, state) for origin, state in states.items()], indent=2))
    else:
        for origin, state in states.items():
            click.echo("\n".join(status_lines(origin, state)))
        if not states:
            click.echo("There are no sources.")
    return 1 if any(state.is_failing for state in states.values()) else 0
