"""``geventcore info shell`` and ``debug``: a prompt for the commands of ``info``, and a Python prompt on the core."""

from __future__ import annotations

import code
import importlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from lxml import etree

from geventcore.cli.click_options import Invocation
from geventcore.cli.command import start_logging, with_settings
from geventcore.cli.group_help import add_help, print_help
from geventcore.cli.info.group import command
from geventcore.cli.local_core import SHELL_CORE, is_original, local_core
from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.tools.site import matching, open_core

#: The commands that only the shell has, with their help.
SHELL_COMMANDS = {
    "expirecache": "expirecache [HOST]... - Forget the cached metadata of hosts, or of all.",
    "eventdebug": "eventdebug - Switch the debug messages of the core and of the file monitor on or off.",
    "update": "update - Read the files that have changed.",
    "quit": "quit - Leave the shell; so do exit and the end of input.",
}
ENDS = frozenset({"quit", "exit", "EOF"})
#: Commands that make no sense inside the shell.
NOT_IN_SHELL = frozenset({"shell"})


@command.command("shell")
@with_settings()
@click.pass_obj
def shell(invocation: Invocation, settings: LoadedSettings) -> int:
    """Read commands from a prompt; the repository is read once. The Tab key completes commands and hosts."""
    start_logging(settings)
    with open_core(settings, watch=True) as core:
        token = SHELL_CORE.set(core)
        try:
            program = "bcfg2-info" if is_original() else "geventcore info"
            click.echo(f'Welcome to {program}\nType "help" for more information')
            with _completion(core):
                _read_commands(core, f"{program.rpartition(' ')[2]}> ", invocation)
        finally:
            SHELL_CORE.reset(token)
    return 0


def _read_commands(core: Core, prompt: str, invocation: Invocation) -> None:
    while True:
        try:
            line = input(prompt)
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError as err:
            click.echo(f"*** {err}")
            continue
        if not words:
            continue
        if words[0] in ENDS:
            return
        try:
            _run(core, words, invocation)
        except click.ClickException as err:
            err.show(sys.stdout)
        except (click.Abort, KeyboardInterrupt):
            click.echo("*** interrupted")
        except (GeventcoreError, OSError) as err:
            click.echo(f"*** {err}")
        sys.stdout.flush()


def _run(core: Core, words: Sequence[str], invocation: Invocation) -> None:
    name, arguments = words[0], list(words[1:])
    if name == "help":
        if not arguments:
            click.echo("\n".join(SHELL_COMMANDS.values()))
        if arguments and arguments[0] in SHELL_COMMANDS:
            click.echo(SHELL_COMMANDS[arguments[0]])
        else:
            print_help(command, arguments[0] if arguments else None)
    elif name == "update":
        core.handle_file_events()
    elif name == "expirecache":
        if not arguments:
            core.metadata.expire()
        for host in matching(core.metadata_source().list_clients(), arguments) if arguments else ():
            core.metadata.expire(host)
    elif name == "eventdebug":
        is_on = not core.switches.core
        core.switches.turn(core=is_on, file_monitor=is_on)
        click.echo(f"debug messages are {'on' if is_on else 'off'}")
    elif name in command.commands and name not in NOT_IN_SHELL:
        own = Invocation(invocation.config_file, dict(invocation.command_line), invocation.program)
        command.main([name, *arguments], prog_name="", standalone_mode=False, obj=own)
    else:
        click.echo(f"*** Unknown syntax: {' '.join(words)}")


@contextmanager
def _completion(core: Core) -> Iterator[None]:
    """Complete commands and hosts on a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    readline = importlib.import_module("readline")
    before = readline.get_completer()
    readline.set_completer(completer(core, readline.get_line_buffer))
    readline.set_completer_delims(" \t")
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before)


def completer(core: Core, line: Callable[[], str]) -> Callable[[str, int], str | None]:
    """Return a completer: the first word is a command, the others are hosts. `line` returns the line so far."""

    def complete(text: str, state: int) -> str | None:
        is_first = not line().lstrip().partition(" ")[1]
        names = sorted({*command.commands, *SHELL_COMMANDS}) if is_first else core.metadata_source().list_clients()
        found = [f"{name} " for name in names if name.startswith(text.lower())]
        return found[state] if state < len(found) else None

    return complete


@command.command("debug")
@click.option("-n", "--non-interactive", is_flag=True, help="End after the file of -f.")
@click.option(
    "-f",
    "--cmdfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run a file of Python statements first.",
)
@click.option(
    "--interpreter",
    type=click.Choice(["python", "ipython", "bpython", "best"]),
    default="python",
    show_default=True,
    help="The prompt: best takes the first of bpython and ipython that is installed, else python.",
)
@with_settings()
def debug(settings: LoadedSettings, non_interactive: bool, cmdfile: Path | None, interpreter: str) -> int:
    """Open a Python prompt on the core.

    The names are: core, the server's core; build, its configuration of a host; metadata, the metadata of a host; etree,
    the library lxml.etree.
    """
    if non_interactive and cmdfile is None:
        raise click.UsageError("-n needs a file: pass -f FILE")
    with local_core(settings) as core:
        names = {
            "__name__": "__console__",
            "core": core,
            "bcore": core,
            "build": core.build_configuration,
            "metadata": core.build_metadata,
            "etree": etree,
        }
        if cmdfile is not None:
            exec(compile(cmdfile.read_text(), str(cmdfile), "exec"), names)
        if not non_interactive:
            _prompt(interpreter, names)
    return 0


def _prompt(interpreter: str, names: dict[str, Any]) -> None:
    banner = "core is the core of this site; build(HOST) and metadata(HOST) are its functions."
    for name in ("bpython", "ipython") if interpreter == "best" else (interpreter,):
        if name == "python":
            break
        try:
            module = importlib.import_module("IPython" if name == "ipython" else name)
        except ImportError as err:
            if interpreter != "best":
                raise GeventcoreError(f"{name} is not installed: {err}") from err
            continue
        if name == "ipython":
            module.start_ipython(argv=[], user_ns=names)
        else:
            module.embed(locals_=names, banner=banner)
        return
    code.interact(banner=banner, local=names, exitmsg="")


add_help(command)
