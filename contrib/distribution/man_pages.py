"""Write the man pages of all commands, made from their help: ``python -m contrib.distribution.man_pages``.

Needs click-man.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click_man.core import write_man_pages

import geventcore
from geventcore.cli.main import PROGRAM, cli


def main(directory: Path) -> None:
    """Write the pages."""
    directory.mkdir(parents=True, exist_ok=True)
    # click-man looks at the attribute, while the program imports a command when it is called.
    with click.Context(cli) as ctx:
        cli.commands = {name: found for name in cli.list_commands(ctx) if (found := cli.get_command(ctx, name))}
    write_man_pages(PROGRAM, cli, version=geventcore.__version__, target_dir=str(directory))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
