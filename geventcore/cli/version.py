"""``geventcore version``: the versions to include in a bug report."""

from __future__ import annotations

import platform
import sys

import click

import geventcore

#: The libraries of the server, by their names on the package index.
LIBRARIES = (
    *("gevent", "greenlet", "lxml", "pyOpenSSL", "cryptography", "httptools", "inotify_simple", "click"),
    *("prometheus-client", "SQLAlchemy", "alembic", "psycopg", "PyMySQL", "redis"),
    *("Genshi", "Jinja2", "PyYAML", "bcrypt", "ldap3", "boto3", "CherryPy", "tornado", "Twisted"),
)


@click.command()
def command() -> None:
    """Print the versions of the program and its libraries, without importing the libraries."""
    # This import loads sockets, which --help does not need.
    from importlib.metadata import PackageNotFoundError, version

    click.echo(f"geventcore {geventcore.__version__}")
    click.echo(f"Python {platform.python_version()} ({sys.implementation.name}) at {sys.executable}")
    click.echo(f"{platform.system()} {platform.release()} {platform.machine()}")
    for library in LIBRARIES:
        try:
            click.echo(f"{library} {version(library)}")
        except PackageNotFoundError:
            click.echo(f"{library} is not installed")
