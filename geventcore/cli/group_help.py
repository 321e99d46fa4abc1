"""The command ``help`` of a group: one line for each command, or the whole help of one."""

from __future__ import annotations

import difflib

import click


def usage_of(group: click.Group, name: str) -> str:
    """Return the arguments of a command as its usage shows them, without the program's name."""
    found = group.commands[name]
    with click.Context(found, info_name=name) as ctx:
        return " ".join(found.collect_usage_pieces(ctx)).replace("[OPTIONS]", "").strip()


def print_help(group: click.Group, name: str | None) -> int:
    """Print the commands of a group, or the help of one; return the exit status."""
    if name is None:
        for each in sorted(group.commands):
            found = group.commands[each]
            if not found.hidden:
                click.echo(f"{f'{each} {usage_of(group, each)}'.strip()} - {found.get_short_help_str(200)}")
        return 0
    if name not in group.commands:
        close = difflib.get_close_matches(name, group.commands, n=1)
        click.echo(f"No such command: {name}" + (f"; did you mean {close[0]}?" if close else ""))
        return 1
    found = group.commands[name]
    with click.Context(found, info_name=name) as ctx:
        click.echo(found.get_help(ctx))
    return 0


def add_help(group: click.Group) -> None:
    """Add the command ``help`` to a group."""

    @group.command("help")
    @click.argument("name", metavar="[COMMAND]", required=False)
    def help_command(name: str | None) -> int:
        """List the commands, or show the help of one."""
        return print_help(group, name)
