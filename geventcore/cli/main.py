"""``geventcore``: the table of commands, and error handling.

A command's module is imported when the command is called. So a missing library affects only the commands that need it,
and ``geventcore version`` is fast. This is why the texts of ``--help`` are in the table.

Exit status: 0, or the result of the command; 1 after an error, with one line on standard error (``-d`` adds a
traceback); 2 for a wrong command line; 130 after an interruption.
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
import geventcore.cli.bash_completion
from geventcore.cli.click_options import Invocation
from geventcore.cli.command import common_flags
from geventcore.errors import GeventcoreError

PROGRAM = "geventcore"

#: Command -> its object (``module:object``), and its help.
COMMANDS: dict[str, tuple[str, str]] = {
    "server": ("geventcore.cli.server:command", "Serve the configuration to clients."),
    "status": ("geventcore.cli.status:command", "Show the state of a running server."),
    "init": ("geventcore.cli.init:command", "Create the repository, certificates and configuration of a new site."),
    "info": ("geventcore.cli.info:command", "Inspect a repository and clients' configurations."),
    "explain": ("geventcore.cli.explain:command", "Explain why a host gets an entry, with its values, or does not."),
    "diff": ("geventcore.cli.diff:command", "Show what a change does to all hosts, before it is live."),
    "test": ("geventcore.cli.test:command", "Build the configurations of all clients, and look for failures."),
    "lint": ("geventcore.cli.lint:command", "Check the files of a repository."),
    "admin": ("geventcore.cli.admin:command", "Change the data of a site, such as the client list."),
    "shadow": (
        "geventcore.cli.shadow:command",
        "Compare a running Bcfg2 server with this one before clients change to it.",
    ),
    "migrate": ("geventcore.cli.migrate:command", "Check what differs for a site that comes from Bcfg2."),
    "config": ("geventcore.cli.config:command", "Check, show and explain the configuration file."),
    "packages": ("geventcore.cli.packages:command", "Show and refresh the sources of packages."),
    "crypt": ("geventcore.cli.crypt:command", "Encrypt and decrypt files of the repository."),
    "db": (
        "geventcore.cli.db:command",
        "Check the database, create or upgrade its tables, and import from a Bcfg2 database.",
    ),
    "reports": ("geventcore.cli.reports:command", "Show the reports of clients."),
    "web": ("geventcore.cli.web:command", "Serve web pages about the fleet and the servers."),
    "report-collector": (
        "geventcore.cli.report_collector:command",
        "Store reports that servers have written to a directory or to Redis.",
    ),
    "backup": ("geventcore.cli.learnt_data:backup", "Write what the server has learnt to an archive."),
    "restore": ("geventcore.cli.learnt_data:restore", "Put back what the server has learnt from an archive."),
    "certificate": ("geventcore.cli.certificate:command", "Show and renew the certificates of the server."),
    "simulate": ("geventcore.cli.simulate:command", "Run simulated clients against a server."),
    "bench": ("geventcore.cli.bench:command", "Measure a server under the load of thousands of clients."),
    "demo": ("geventcore.cli.demo:command", "Demonstrate a server with a sample repository on this machine."),
    "plugin": ("geventcore.cli.plugin:command", "Begin a plugin of the site's own."),
    "core": ("geventcore.cli.core:command", "Begin a core of the site's own."),
    "install-aliases": (
        "geventcore.cli.install_aliases:command",
        "Install the names of Bcfg2's programs, such as bcfg2-server.",
    ),
    "completion": ("geventcore.cli.completion:command", "Print a completion script for a shell."),
    "version": ("geventcore.cli.version:command", "Print the versions of the program and its libraries."),
}

#: The same for programs of Bcfg2 whose flags or output differ too much from those of a command here.
ORIGINALS: dict[str, str] = {
    "bcfg2-crypt": "geventcore.cli.crypt.original:original",
    "bcfg2-reports": "geventcore.cli.reports.original:original",
}

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


class CommandTable(click.Group):
    """A group of commands that are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = COMMANDS[cmd_name][0] if cmd_name in COMMANDS else ORIGINALS.get(cmd_name)
        if path is None:
            return None
        module, _, name = path.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        # A broken module may raise anything. Name its command; -d shows the cause.
        except Exception as err:
            raise GeventcoreError(f"the command {cmd_name} cannot be loaded: {_one_line(err)}") from err
        if not isinstance(found, click.Command):
            raise GeventcoreError(f"the command {cmd_name} cannot be loaded: {module}:{name} is not a command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        program = ctx.ensure_object(Invocation).program
        if name not in COMMANDS and program is None and not name.startswith("-") and not ctx.resilient_parsing:
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"unknown command {name!r}" + (f"; did you mean {close[0]}?" if close else ""))
        found, command, rest = super().resolve_command(ctx, args)
        # A usage shows the name that the user has called.
        return program or found, command, rest

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

    The options below may stand before or after the command.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the program with arguments (`sys.argv` if `None`) and return the exit status."""
    return run(args)


def run(args: Sequence[str] | None = None, *, original: str | None = None) -> int:
    """Run the program, perhaps by a name of Bcfg2's programs, see `Invocation`."""
    invocation = Invocation(program=original)
    program = original or PROGRAM
    try:
        result = cli.main(args, prog_name="" if original else PROGRAM, standalone_mode=False, obj=invocation)
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"{program}: interrupted", err=True)
        return EXIT_INTERRUPTED
    # For an error of the system, such as a full disk, a traceback would not help the user.
    except (GeventcoreError, OSError) as err:
        if invocation.debug:
            traceback.print_exc()
        click.echo(f"{program}: error: {_one_line(err)}", err=True)
        return EXIT_ERROR
    return result if isinstance(result, int) else 0


def _one_line(err: Exception) -> str:
    if isinstance(err, OSError) and err.strerror:
        return f"{err.filename}: {err.strerror}" if err.filename else err.strerror
    return " ".join(str(err).split()) or type(err).__name__


if __name__ == "__main__":
    sys.exit(main())
