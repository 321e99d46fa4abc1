"""``geventcore core``: begin a core of the site's own."""

from __future__ import annotations

from pathlib import Path

import click

from geventcore.tools.scaffold.writing import module_name, new_core


@click.group()
def command() -> None:
    """Begin a core of the site's own."""


@command.command()
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    show_default="the working directory",
    help="The directory for the files.",
)
def new(name: str, directory: Path) -> None:
    """Write a core with the class NAME, such as ThreadCore, its test and its page.

    The core serves each connection in a thread, and its test passes, as they are: change them step by step. Files that
    exist are not overwritten.
    """
    for path in new_core(directory, name):
        click.echo(f"wrote {path}")
    module = module_name(name)
    click.echo(f"test it: PYTHONPATH={directory} pytest {directory / f'test_{module}.py'}")
    click.echo(f"use it: PYTHONPATH={directory}, and {module}:{name} as [server] core")
