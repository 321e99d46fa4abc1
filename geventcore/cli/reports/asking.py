"""The common parts of the commands: flags that select reports, and access to the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from geventcore.cli.command import settings_of, start_logging
from geventcore.cli.reports.output import FORMATS
from geventcore.core.databases import Databases, require_libraries
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.reporting.options import REPORTING_OPTIONS

if TYPE_CHECKING:
    from geventcore.storage.database import Database

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def report_database(settings: LoadedSettings) -> Iterator[Database]:
    """Open the database for reports."""
    start_logging(settings)
    settings.options.add(*REPORTING_OPTIONS)
    settings.check()
    require_libraries()
    from geventcore.storage.database import call_directly

    databases = Databases(lambda: settings, call_directly, read_only=lambda: True)
    try:
        yield databases.reporting()
    finally:
        databases.close()


def format_flag(function: F) -> F:
    """Add the flag for the output format to a command."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="The output format: a table for people, or JSON or CSV for programs.",
    )(function)


def which_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that select reports to a command, which gets the argument `which`."""

    def call(*args: Any, no_dry_run: bool, no_important: bool, **kwargs: Any) -> Any:
        from geventcore.storage.report_queries import Which

        which = Which(dry_runs=not no_dry_run, only_important=not no_important)
        return function(*args, which=which, **kwargs)

    wrapped = update_wrapper(call, function)
    for option in (
        click.option("-i", "--no-important", is_flag=True, help="Leave out runs for important entries only."),
        click.option("-n", "--no-dry-run", is_flag=True, help="Leave out dry runs."),
    ):
        wrapped = option(wrapped)
    return wrapped


class HostName(click.ParamType[str]):
    """The name of a host with reports, with completion in the shell."""

    name = "host"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value).lower()

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from geventcore.storage.report_queries import host_names

        try:
            with report_database(settings_of(ctx)) as database:
                names = database.read(lambda connection: host_names(connection, incomplete.lower()))
        except (GeventcoreError, OSError):
            # An error message would disturb the line that the user is typing.
            return []
        return [CompletionItem(name) for name in names]


HOST_NAME = HostName()
