"""The common parts of commands that work on a repository without a server: the core, names of hosts, output."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from geventcore.cli.click_options import Invocation
from geventcore.cli.command import settings_of, start_logging
from geventcore.cli.terminal import progress_bar
from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.options.server import DEBUG, PLUGINS, VERBOSE
from geventcore.tools.host_processes import for_hosts
from geventcore.tools.site import open_core, register_unknown

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

#: The core of ``info shell``, which all its commands use.
SHELL_CORE: ContextVar[Core | None] = ContextVar("SHELL_CORE", default=None)

#: With fewer hosts, a progress bar would be gone before anybody reads it.
FEWEST_HOSTS_FOR_PROGRESS = 8


@contextmanager
def local_core(settings: LoadedSettings, *, read_only: bool = True) -> Iterator[Core]:
    """Open a core without a network, load its plugins and read the repository; in the shell, use the one of the shell.

    Raises:
        GeventcoreError: the configuration, a plugin or the repository cannot be used.
    """
    core = SHELL_CORE.get()
    if core is not None:
        yield core
        return
    start_logging(settings)
    with open_core(settings, read_only=read_only) as core:
        yield core


def is_original() -> bool:
    """Return true if the command was called by a name of Bcfg2, and does what the tool of that name does."""
    return click.get_current_context().ensure_object(Invocation).is_original


class SiteHost(click.ParamType[str]):
    """The name of a host, with completion in the shell."""

    name = "host"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value).lower()

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            settings = settings_of(ctx).with_values({PLUGINS: ("Metadata",)})
            with open_core(settings) as core:
                names = core.metadata_source().list_clients()
        except (GeventcoreError, OSError):
            # An error message would disturb the line that the user is typing.
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete.lower())]


HOST = SiteHost()


def format_flag(function: F) -> F:
    """Add ``--format text|json``, which becomes the argument `as_json`."""

    def store(_ctx: click.Context, _parameter: click.Parameter, value: str) -> bool:
        return value == "json"

    return click.option(
        "--format",
        "as_json",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        callback=store,
        help="The output format: text for people, or JSON for programs.",
    )(function)


def create_flag(function: F) -> F:
    """Add ``--create``, which becomes the argument `create`."""
    return click.option(
        "--create",
        is_flag=True,
        help="Add a host that is not a client to the client list, with the default profile. Without it, the command "
        "shows what the host would get, and changes nothing.",
    )(function)


def processes_flag(function: F) -> F:
    """Add ``--processes``, which becomes the argument `processes`."""
    return click.option(
        "--processes",
        type=click.IntRange(0),
        default=0,
        metavar="NUMBER",
        help="How many processes build configurations. [default: one for each processor]",
    )(function)


def register(core: Core, hosts: Sequence[str], create: bool) -> None:
    """Add the hosts that are not clients, if the user wants that."""
    if create or is_original():
        for host in register_unknown(core, hosts):
            click.echo(f"added {host} to the client list", err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def quiet_builds(settings: LoadedSettings, *parts: str) -> Iterator[None]:
    """Log nothing of some parts about what fails for hosts, unless -v or -d asks for it: the results have that.

    `parts` are packages, such as ``render``; none means ``render``.
    """
    is_quiet = not (settings[VERBOSE] or settings[DEBUG])
    loggers = [logging.getLogger(f"geventcore.{part}") for part in parts or ("render",)] if is_quiet else []
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def for_hosts_with_progress(
    function: Callable[[str], T], hosts: Sequence[str], processes: int, what: str
) -> Iterator[tuple[str, T]]:
    """Yield each host with the function's result; show a progress bar if standard error is a terminal."""
    with progress_bar(what, is_shown=len(hosts) >= FEWEST_HOSTS_FOR_PROGRESS) as show:
        for done, result in enumerate(for_hosts(function, hosts, processes), 1):
            show(done, len(hosts), "")
            yield result
