"""``geventcore completion``: commands and options at a press of the tab key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that makes a shell complete commands and options.

    For bash, put it among the completions of all users or of yours:

        geventcore completion bash > ~/.local/share/bash-completion/completions/geventcore

    For zsh, write it to a file _geventcore in a directory of $fpath; for fish, to
    ~/.config/fish/completions/geventcore.fish.
    """
    root = ctx.find_root()
    program = str(root.info_name)
    complete_class = get_completion_class(shell)
    assert complete_class is not None
    click.echo(complete_class(root.command, {}, program, f"_{program.upper()}_COMPLETE").source())
