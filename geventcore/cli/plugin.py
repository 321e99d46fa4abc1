"""``geventcore plugin``: begin a plugin of the site's own."""

from __future__ import annotations

from pathlib import Path

import click

from geventcore.tools.scaffold.interfaces import PARTS
from geventcore.tools.scaffold.writing import module_name, new_plugin


@click.group()
def command() -> None:
    """Begin a plugin of the site's own."""


@command.command()
@click.argument("name")
@click.option(
    "--interface",
    "interfaces",
    type=click.Choice(list(PARTS)),
    multiple=True,
    default=["connector"],
    show_default="connector",
    help="An interface that the plugin implements; may be repeated.",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    show_default="the working directory",
    help="The directory for the files.",
)
def new(name: str, interfaces: tuple[str, ...], directory: Path) -> None:
    """Write a plugin with the class NAME, such as Inventory, its test and its page.

    The plugin works, and its test passes, as they are: change them step by step. Files that exist are not overwritten.
    """
    for path in new_plugin(directory, name, list(dict.fromkeys(interfaces))):
        click.echo(f"wrote {path}")
    module = module_name(name)
    click.echo(f"test it: PYTHONPATH={directory} pytest {directory / f'test_{module}.py'}")
    click.echo(f"use it: PYTHONPATH={directory}, and {module}.{name} in [server] plugins")
