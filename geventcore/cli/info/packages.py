"""The commands of ``info`` about the plugin Packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from geventcore.cli.command import with_settings
from geventcore.cli.info.group import command
from geventcore.cli.local_core import HOST, create_flag, format_flag, is_original, local_core, print_json, register
from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.tools.inspection import structures_of

if TYPE_CHECKING:
    from geventcore.plugins.packages import Packages


@command.command("packageresolve")
@click.argument("host", type=HOST)
@click.argument("packages", nargs=-1)
@create_flag
@format_flag
@with_settings()
def packageresolve(settings: LoadedSettings, host: str, packages: Sequence[str], create: bool, as_json: bool) -> None:
    """Resolve packages with the sources of a host, and print those that are added.

    Without names, the packages of the host's bundles are resolved.
    """
    with local_core(settings) as core:
        plugin = _packages_plugin(core)
        register(core, [host], create)
        metadata = core.build_metadata(host)
        collection = plugin.collection(metadata)
        if packages:
            wanted = frozenset(packages)
            resolution = collection.resolve(wanted | collection.essential_packages, {})
        else:
            asked = plugin.wanted(metadata, collection, structures_of(core, metadata))
            wanted = asked.named
            resolution = collection.resolve(wanted | asked.implied, dict(asked.recommended))
        added = sorted(resolution.packages - wanted)
        if as_json:
            print_json(
                {
                    "initial": sorted(wanted),
                    "added": [{"name": name, "needed_by": resolution.needed_by.get(name)} for name in added],
                    "unknown": sorted(resolution.unknown),
                    "problems": list(resolution.problems),
                }
            )
            return
        click.echo(f"{len(wanted)} initial packages")
        click.echo(f"{len(added)} new packages added")
        for name in added:
            by = resolution.needed_by.get(name)
            click.echo(f"  {name} (needed by {by})" if by else f"  {name}")
        if resolution.unknown:
            click.echo(f"{len(resolution.unknown)} unknown packages")
            for name in sorted(resolution.unknown):
                click.echo(f"  {name}")
        if resolution.problems:
            click.echo("These packages cannot be installed together:")
            for problem in resolution.problems:
                click.echo(f"  {problem}")


@command.command("packagesources")
@click.argument("host", type=HOST)
@create_flag
@format_flag
@with_settings()
def packagesources(settings: LoadedSettings, host: str, create: bool, as_json: bool) -> int:
    """Show the sources of packages that a host has."""
    with local_core(settings) as core:
        if is_original() and "Packages" not in core.plugins.by_name:
            click.echo("Packages plugin not enabled")
            return 1
        plugin = _packages_plugin(core)
        register(core, [host], create)
        collection = plugin.collection(core.build_metadata(host))
        if as_json:
            print_json(collection.objects())
        else:
            click.echo(collection.describe())
        return 0


def _packages_plugin(core: Core) -> Packages:
    from geventcore.plugins.packages import Packages

    plugin = core.plugins.by_name.get("Packages")
    if not isinstance(plugin, Packages):
        raise GeventcoreError("the site does not use the plugin Packages; see [server] plugins")
    return plugin
