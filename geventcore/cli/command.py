"""The common parts of commands: flags, settings, and the log.

A command that reads the configuration looks like this::

    @click.command()
    @click.argument("host")
    @with_settings(PASSWORD)            # options as flags, in addition to the common ones
    def command(settings: LoadedSettings, host: str) -> int:
        start_logging(settings)
        ...

The function returns the exit status; `None` is 0. It raises `GeventcoreError` to end with one line and status 1.
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
from geventcore.options.server import (
    COMMAND_LINE_OPTIONS,
    COMMON_OPTIONS,
    DEBUG,
    LOG_FILE,
    LOG_FORMAT,
    SYSLOG,
    VERBOSE,
)
from geventcore.options.settings import COMMAND_LINE, CONFIG_FILE_ENV, DEFAULT_CONFIG_FILE

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def common_flags(function: F) -> F:
    """Add the flags of all commands: the configuration file and `COMMAND_LINE_OPTIONS`."""
    # Decorators apply from the last to the first, and --help shows flags in this order.
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
    # Completion in a shell needs the file, too: it looks up the names of hosts.
    if value is not None:
        ctx.ensure_object(Invocation).config_file = Path(value)


def with_settings(
    *options: Option[Any],
) -> Callable[[Callable[Concatenate[LoadedSettings, P], R]], Callable[P, R]]:
    """Return a decorator that adds the common flags and those of `options`, and passes settings as first argument.

    The settings contain `COMMON_OPTIONS` and `options`. Values are not validated yet, since the command may add options
    of plugins first; see `LoadedSettings.check`.
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
    """Load the settings for the command line of a context.

    Raises:
        ConfigError: a file cannot be read.
    """
    invocation = ctx.ensure_object(Invocation)
    return load_settings(
        options=OptionSet([*COMMON_OPTIONS, *options]),
        config_file=invocation.config_file,
        command_line=invocation.command_line,
    )


def ignore_interrupts() -> None:
    """Ignore SIGINT and SIGTERM until the block of `termination_as_interrupt` ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that a command also stops its servers and removes its directories.

    Only the first signal interrupts. The cleanup must not be interrupted, and takes a bounded time.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        ignore_interrupts()
        raise KeyboardInterrupt

    handlers = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def start_logging(settings: LoadedSettings, *, server: bool = False) -> None:
    """Configure the log.

    A server logs to the file and the syslog of the ``[logging]`` section, and to standard error from level INFO. A tool
    logs to standard error, and to a file only if ``--logfile`` names one.

    Raises:
        ConfigError: the log file cannot be opened.
    """
    path = settings[LOG_FILE] if server or settings.source_of(LOG_FILE) == COMMAND_LINE else None
    try:
        configure_logging(
            debug=settings[DEBUG],
            verbose=settings[VERBOSE],
            path=path,
            syslog=server and settings[SYSLOG],
            console_level=logging.INFO if server else logging.WARNING,
            as_json=server and settings[LOG_FORMAT] == "json",
        )
    except OSError as err:
        source = settings.source_of(LOG_FILE)
        raise ConfigError(f"{source}: {LOG_FILE.label} = {path}: cannot be opened: {err.strerror}") from err
