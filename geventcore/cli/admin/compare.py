"""``geventcore admin compare``: the differences between built configurations."""

from __future__ import annotations

from pathlib import Path

import click

from geventcore.cli.command import with_settings
from geventcore.cli.local_core import format_flag, print_json
from geventcore.options import LoadedSettings
from geventcore.tools.compare import compare, host_ranges


@click.command("compare")
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.argument("new", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-n", "--diff-lines", type=click.IntRange(0), metavar="NUMBER", help="At most so many lines of content; 0: none."
)
@click.option("-c", "--color", is_flag=True, help="Use colours.")
@click.option("-q", "--quiet", is_flag=True, help="Only say what differs, without the lines.")
@format_flag
@with_settings()
def command(
    settings: LoadedSettings,  # noqa: ARG001 - for the common flags
    old: Path,
    new: Path,
    diff_lines: int | None,
    color: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare two built configurations, or two directories of them, such as those of info buildall.

    Equal differences of several hosts are shown once.
    """
    found, pairs = compare(old, new)
    if as_json:
        print_json(
            [
                {
                    "kind": finding.kind,
                    "what": finding.what,
                    "content": finding.content,
                    "attributes": finding.attributes,
                    "hosts": hosts,
                }
                for finding, hosts in found.items()
            ]
        )
        return
    for finding, hosts in found.items():
        if pairs > 1 and hosts:
            click.echo(f"===== {host_ranges(hosts)} =====")
        text = finding.text(diff_lines, quiet)
        click.echo(("\n".join(map(_coloured, text.splitlines())) if color else text) + "\n")


def _coloured(line: str) -> str:
    colour = {"-": "red", "+": "green"}.get(line.strip()[:1])
    return click.style(line, fg=colour) if colour else line
