"""``geventcore completion``: completion of commands and options in the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a completion script for a shell.

    For bash, save it in a directory of completions:

        geventcore completion bash > ~/.local/share/bash-completion/completions/geventcore

    For zsh, write it to a file _geventcore in a directory of $fpath; for fish, to
    ~/.config/fish/completions/geventcore.fish.
    """
    root = ctx.find_root()
    program = str(root.info_name)
    complete_class = get_completion_class(shell)
    assert complete_class is not None
    click.echo(complete_class(root.command, {}, program, f"_{program.upper()}_COMPLETE").source())
