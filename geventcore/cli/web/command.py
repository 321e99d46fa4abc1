"""The commands of ``geventcore web``.

The top of this module imports nothing of the pages: the process has to be prepared for their server first.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from typing import TYPE_CHECKING

import click

from geventcore.cli.click_options import click_option
from geventcore.cli.command import common_flags, settings_of, start_logging, with_settings
from geventcore.cores import PREPARATIONS
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.web.options import LISTEN, USERS_FILE, WEB_OPTIONS

if TYPE_CHECKING:
    from geventcore.web.users import UsersFile

log = logging.getLogger(__name__)

#: Library -> its name on PyPI.
_LIBRARIES = {
    "flask": "Flask",
    "flask_wtf": "Flask-WTF",
    "argon2": "argon2-cffi",
    "sqlalchemy": "SQLAlchemy",
    "alembic": "alembic",
}


@click.group(invoke_without_command=True)
@click.option("--demo", is_flag=True, hidden=True, help="Say on every page that clients are simulated.")
@click_option(LISTEN)
@common_flags
@click.pass_context
def command(ctx: click.Context, demo: bool) -> int:
    """Serve web pages about the fleet and the servers; manage the users who may see them.

    Without a subcommand, the pages are served until SIGTERM or Ctrl-C. They show the reports in the database, ask the
    admin listener of the server, and read the repository. Local callers need no password; see [web] in the reference of
    options for anything else.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    return serve(settings_of(ctx, *WEB_OPTIONS), demo)


def require_libraries() -> None:
    """Raise `ConfigError` if a library that the pages need is not installed."""
    missing = [name for module, name in _LIBRARIES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(f"the web pages need {', '.join(missing)}: pip install 'geventcore[web]'")


def serve(settings: LoadedSettings, is_demo: bool = False) -> int:
    """Serve the pages until a signal ends that."""
    require_libraries()
    module, _, function = PREPARATIONS["gevent"].partition(":")
    getattr(importlib.import_module(module), function)()
    from geventcore.cli.web.running import run

    start_logging(settings, server=True)
    return run(settings, is_demo)


@command.group()
@common_flags
def user() -> None:
    """Add, list and delete the users of the pages, and set their passwords.

    Users are needed where pages are reached from other machines. A changed password ends the sessions of the user.
    """


def _users(settings: LoadedSettings) -> UsersFile:
    require_libraries()
    from geventcore.web.users import UsersFile

    settings.options.add(USERS_FILE)
    return UsersFile(settings[USERS_FILE])


def _password(given: str | None) -> str:
    """Return the password: that of standard input for ``-``, or the one that the user types twice."""
    if given is not None:
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


_password_flag = click.option(
    "--password-stdin",
    "given",
    flag_value="-",
    default=None,
    help="Read the password from the first line of standard input.",
)


@user.command("add")
@click.argument("name")
@_password_flag
@with_settings()
def user_add(settings: LoadedSettings, name: str, given: str | None) -> None:
    """Add a user."""
    users = _users(settings)
    users.add(name, _password(given))
    click.echo(f"{name} may log in; the password's hash is in {users.path}.")


@user.command("passwd")
@click.argument("name")
@_password_flag
@with_settings()
def user_passwd(settings: LoadedSettings, name: str, given: str | None) -> None:
    """Set the password of a user."""
    users = _users(settings)
    users.require(name)
    users.set_password(name, _password(given))
    click.echo(f"{name} has a new password.")


@user.command("list")
@with_settings()
def user_list(settings: LoadedSettings) -> None:
    """List the users."""
    for name in _users(settings).names():
        click.echo(name)


@user.command("delete")
@click.argument("name")
@with_settings()
def user_delete(settings: LoadedSettings, name: str) -> None:
    """Delete a user."""
    _users(settings).delete(name)
    click.echo(f"{name} may not log in any more.")
