"""``geventcore info``: look at a repository, and at what clients get from it, without a server."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click
from lxml import etree

from geventcore.cli.common import start_logging, with_settings
from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.filemonitor import create_monitor
from geventcore.options import LoadedSettings
from geventcore.options.common import IGNORE_FILES


@contextmanager
def local_core(settings: LoadedSettings) -> Iterator[Core]:
    """A core without a network, its plugins loaded and the repository read."""
    start_logging(settings)
    settings.check()
    ignored = settings[IGNORE_FILES]
    core = Core(settings, create_monitor("pseudo", ignored))
    try:
        core.load()
        core.handle_file_events()
        yield core
    finally:
        core.shutdown()


def table(rows: Sequence[Sequence[str]], output: TextIO | None = None) -> None:
    """Print rows under a header row, in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        click.echo(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=output)
        if number == 0:
            click.echo("=" * (sum(widths) + 3 * (len(widths) - 1)), file=output)


def matching(names: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Names that match one of the globs, sorted; all if there are no globs."""
    return sorted(name for name in names if not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs))


@click.group()
def command() -> None:
    """Look at a repository, and at what clients get from it.

    Naming an unknown host makes it a client if the repository has a default profile, as its first call would.
    """


@command.command("build")
@click.argument("host")
@click.argument("output", type=click.File("wb"), default="-")
@with_settings()
def build(settings: LoadedSettings, host: str, output: TextIO) -> int:
    """Build a host's configuration and print it, or write it to a file.

    The status is 1 if there is no configuration or an entry could not be bound.
    """
    with local_core(settings) as core:
        config = core.build_configuration(host.lower())
        etree.indent(config)
        document = etree.tostring(config, xml_declaration=True, encoding="UTF-8")
        click.echo(document, file=output)
        failed = [element for element in config.iter() if element.get("failure")]
        for element in failed:
            click.echo(f"{element.tag}:{element.get('name')}: {element.get('failure')}", err=True)
        return 1 if failed or config.tag == "error" else 0


@command.command("clients")
@click.argument("globs", nargs=-1)
@with_settings()
def clients(settings: LoadedSettings, globs: Sequence[str]) -> None:
    """List clients and their profiles."""
    with local_core(settings) as core:
        rows = [("Client", "Profile")]
        for name in matching(core.metadata_source().list_clients(), globs):
            try:
                profile = core.build_metadata(name).profile or ""
            except GeventcoreError as err:
                profile = f"({err})"
            rows.append((name, profile))
        table(rows)
