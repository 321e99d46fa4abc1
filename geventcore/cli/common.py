"""What the modules of commands need: the common flags, settings, and a log.

A command that reads the configuration looks like this::

    @click.command()
    @click.argument("host")
    @with_settings(PASSWORD)            # options that it offers as flags, beside the common ones
    def command(settings: LoadedSettings, host: str) -> int:
        start_logging(settings)
        ...

What it returns is the exit status; `None` is 0. It raises `GeventcoreError` to end with one line and status 1.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from pathlib import Path
from types import FrameType
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from geventcore.cli.click_options import Invocation, click_option
from geventcore.errors import ConfigError
from geventcore.log import configure_logging
from geventcore.options import LoadedSettings, Option, OptionSet, load_settings
from geventcore.options.common import COMMAND_LINE_OPTIONS, COMMON_OPTIONS, DEBUG, LOG_FILE, SYSLOG, VERBOSE
from geventcore.options.settings import COMMAND_LINE, CONFIG_FILE_ENV, DEFAULT_CONFIG_FILE

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def common_flags(function: F) -> F:
    """Give a command the flags that all have: the configuration file and `COMMAND_LINE_OPTIONS`."""
    # Decorators are applied from the last to the first, and --help shows them in the order of their application.
    for option in reversed(COMMAND_LINE_OPTIONS):
        function = click_option(option)(function)
    return click.option(
        "-C",
        "--config",
        "config_file",
        type=click.Path(),
        metavar="FILE",
        expose_value=False,
        callback=_store_config_file,
        help=f"The configuration file. [env: {CONFIG_FILE_ENV}; default: {DEFAULT_CONFIG_FILE}]",
    )(function)


def _store_config_file(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        ctx.ensure_object(Invocation).config_file = Path(value)


def with_settings(
    *options: Option[Any],
) -> Callable[[Callable[Concatenate[LoadedSettings, P], R]], Callable[P, R]]:
    """A decorator: the command has the common flags and those of `options`, and gets the settings as first argument.

    The settings know `COMMON_OPTIONS` and `options`. Values are not checked yet, since further options (those of
    plugins) may be added first; see `LoadedSettings.check`.
    """

    def decorate(function: Callable[Concatenate[LoadedSettings, P], R]) -> Callable[P, R]:
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(settings_of(click.get_current_context(), *options), *args, **kwargs)

        wrapped: Callable[P, R] = update_wrapper(call, function)
        for option in reversed(options):
            if option not in COMMAND_LINE_OPTIONS:
                wrapped = click_option(option)(wrapped)
        return common_flags(wrapped)

    return decorate


def settings_of(ctx: click.Context, *options: Option[Any]) -> LoadedSettings:
    """The settings that the command line of a context leads to; `ConfigError` if a file cannot be read."""
    invocation = ctx.ensure_object(Invocation)
    return load_settings(
        options=OptionSet([*COMMON_OPTIONS, *options]),
        config_file=invocation.config_file,
        command_line=invocation.command_line,
    )


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that servers and directories of a command go in either case."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


def start_logging(settings: LoadedSettings, *, server: bool = False) -> None:
    """Send the log where the settings say.

    A server logs to the file and the syslog of the ``[logging]`` section, and to standard error from level INFO on. A
    tool leaves those to the server: it logs to standard error, and to a file only if ``--logfile`` names one.

    Raises `ConfigError` if the log file cannot be opened.
    """
    path = settings[LOG_FILE] if server or settings.source_of(LOG_FILE) == COMMAND_LINE else None
    try:
        configure_logging(
            debug=settings[DEBUG],
            verbose=settings[VERBOSE],
            path=path,
            syslog=server and settings[SYSLOG],
            console_level=logging.INFO if server else logging.WARNING,
        )
    except OSError as err:
        source = settings.source_of(LOG_FILE)
        raise ConfigError(f"{source}: {LOG_FILE.label} = {path}: cannot be opened: {err.strerror}") from err
