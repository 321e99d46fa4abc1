"""``geventcore``: the table of commands, and what becomes of errors.

A command's module is imported when the command is called, so that a missing library breaks only the commands that need
it, and ``geventcore version`` loads next to nothing. The texts of ``--help`` are therefore in the table.

Exit status: 0, or what the command returns; 1 for an error that ends it, with one line on standard error (``-d`` adds
where it comes from); 2 for a wrong command line; 130 if it is interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import sys
import traceback
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

import geventcore
from geventcore.cli.click_options import Invocation
from geventcore.cli.common import common_flags
from geventcore.errors import GeventcoreError

PROGRAM = "geventcore"

#: Command -> where it is (``module:object``), and what it does.
COMMANDS: dict[str, tuple[str, str]] = {
    "server": ("geventcore.cli.server:command", "Serve the configuration to clients."),
    "status": ("geventcore.cli.status:command", "Show how a running server does."),
    "init": ("geventcore.cli.init:command", "Make the repository, certificate and configuration file of a new site."),
    "info": ("geventcore.cli.info:command", "Look at a repository, and at what clients get from it."),
    "config": ("geventcore.cli.config:command", "Check, show and explain the configuration file."),
    "crypt": ("geventcore.cli.crypt:command", "Encrypt and decrypt files of the repository."),
    "db": (
        "geventcore.cli.db:command",
        "Check the database, make or change its tables, and take over one of Bcfg2.",
    ),
    "reports": ("geventcore.cli.reports:command", "Show what clients have reported."),
    "report-collector": (
        "geventcore.cli.report_collector:command",
        "Store reports that servers have put into a directory or into Redis.",
    ),
    "simulate": ("geventcore.cli.simulate:command", "Let many simulated clients call a server."),
    "bench": ("geventcore.cli.bench:command", "Measure a server under the load of thousands of clients."),
    "demo": ("geventcore.cli.demo:command", "Try a server with a sample repository, on this machine only."),
    "completion": ("geventcore.cli.completion:command", "Print a script that makes a shell complete commands."),
    "version": ("geventcore.cli.version:command", "Print the versions of the program and of its libraries."),
}

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


class CommandTable(click.Group):
    """A group of commands that are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        # A broken module may fail in any way. Its command is named, and -d shows the cause.
        except Exception as err:
            raise GeventcoreError(f"the command {cmd_name} cannot be loaded: {_one_line(err)}") from err
        if not isinstance(found, click.Command):
            raise GeventcoreError(f"the command {cmd_name} cannot be loaded: {module}:{name} is no command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"there is no command {name!r}" + (f"; did you mean {close[0]}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [
            CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items() if name.startswith(incomplete)
        ]
        # The group's own method would import every command for its help.
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@common_flags
@click.version_option(geventcore.__version__, prog_name=PROGRAM)
def cli() -> None:
    """A configuration-management server for Bcfg2 repositories and clients.

    The options below can be given before or after the command.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the program with arguments (`sys.argv` if `None`); returns the exit status."""
    invocation = Invocation()
    try:
        result = cli.main(args, prog_name=PROGRAM, standalone_mode=False, obj=invocation)
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"{PROGRAM}: interrupted", err=True)
        return EXIT_INTERRUPTED
    # A disk that is full or a file that is not ours is nothing that a traceback would explain to whoever runs this.
    except (GeventcoreError, OSError) as err:
        if invocation.debug:
            traceback.print_exc()
        click.echo(f"{PROGRAM}: error: {_one_line(err)}", err=True)
        return EXIT_ERROR
    return result if isinstance(result, int) else 0


def _one_line(err: Exception) -> str:
    if isinstance(err, OSError) and err.strerror:
        return f"{err.filename}: {err.strerror}" if err.filename else err.strerror
    return " ".join(str(err).split()) or type(err).__name__


if __name__ == "__main__":
    sys.exit(main())
