"""Whether a database has the schema that the code needs, and giving it that.

The schema's version is a number, that of the last module in ``migrations/versions``; a database has its own in the
table ``geventcore_schema``. So the server can tell older from newer without loading Alembic, which makes the changes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from geventcore.errors import DatabaseMisconfigured, DatabaseUnavailable, SchemaMismatch, StorageError
from geventcore.storage import engine as engines
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.failures import UPGRADE_COMMAND, one_line, storage_error, wrong_key
from geventcore.storage.schema import PREFIX

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = f"{PREFIX}schema"

#: Between attempts to reach a server, or to be the one who changes the tables, in seconds.
CONNECT_PAUSE = 0.2

IMPORT_COMMAND = "geventcore db import"

#: Tables that only a database of Bcfg2 has.
_BCFG2_TABLES = frozenset({"django_migrations", "django_content_type", "south_migrationhistory"})
_BCFG2_PREFIXES = ("Reporting_", "Server_", "Metadata_", "Probes_", "reports_")

_VERSION_FILE = re.compile(r"(\d{4})_\w+\.py")


class SchemaState(Enum):
    """What a database is, compared with the code."""

    CURRENT = "current"
    #: There are no tables at all.
    EMPTY = "empty"
    #: Only Bcfg2's tables are there.
    BCFG2 = "a database of Bcfg2"
    #: Only tables of others are there.
    FOREIGN = "without tables of geventcore"
    OLDER = "older"
    NEWER = "newer"


class SchemaVersion(NamedTuple):
    """The schema of a database.

    Attributes:
        state: what it is, compared with the code.
        found: its version, or None.
        needed: the version that the code needs.
    """

    state: SchemaState
    found: str | None
    needed: str


def needed_version() -> str:
    """The version of the schema that the code needs."""
    return versions()[-1]


def versions() -> list[str]:
    """All versions of the schema, oldest first."""
    matches = (_VERSION_FILE.fullmatch(path.name) for path in (MIGRATIONS / "versions").iterdir())
    return sorted(match[1] for match in matches if match)


def never() -> bool:
    """An answer to whether a program has been told to end."""
    return False


def schema_version(config: DatabaseConfig, is_ending: Callable[[], bool] = never) -> SchemaVersion:
    """What schema a database has. `StorageError` if it cannot be looked at, or `is_ending` while it is waited for."""
    if config.is_file and not os.path.exists(config.name):
        # Nothing is made here, but whether it could be opened with these options shows without a file as well.
        _connected(config, is_ending, ":memory:").close()
        return SchemaVersion(SchemaState.EMPTY, None, needed_version())
    with _connection(config, is_ending) as connection:
        return _version_of(connection)


def _version_of(connection: Connection) -> SchemaVersion:
    needed = needed_version()
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
        if found is not None:
            state = SchemaState.CURRENT if found == needed else SchemaState.OLDER
            return SchemaVersion(SchemaState.NEWER if found > needed else state, found, needed)
    if tables & _BCFG2_TABLES or any(name.startswith(_BCFG2_PREFIXES) for name in tables):
        return SchemaVersion(SchemaState.BCFG2, None, needed)
    return SchemaVersion(SchemaState.FOREIGN if tables - {VERSION_TABLE} else SchemaState.EMPTY, None, needed)


def prepare(config: DatabaseConfig, is_ending: Callable[[], bool] = never) -> None:
    """Make sure that a database can be used: make a SQLite file that is new, refuse what is not current."""
    version = schema_version(config, is_ending)
    if config.is_file and version.state is SchemaState.EMPTY:
        upgrade(config)
    else:
        require_current(version, config)


def require_current(version: SchemaVersion, config: DatabaseConfig) -> None:
    """`SchemaMismatch` unless the schema is what the code needs; the text names the command that mends it."""
    if version.state is SchemaState.CURRENT:
        return
    raise SchemaMismatch(f"{config} {_complaint(version)}")


def _complaint(version: SchemaVersion) -> str:
    if version.state is SchemaState.NEWER:
        return (
            f"has version {version.found} of the tables, and this geventcore knows only {version.needed}: install the "
            "newer geventcore that has changed it"
        )
    if version.state is SchemaState.OLDER:
        return (
            f"has version {version.found} of the tables, and this geventcore needs {version.needed}; stop all servers "
            f"that use it, and call: {UPGRADE_COMMAND}"
        )
    if version.state is SchemaState.BCFG2:
        return (
            f"is one of Bcfg2; its tables stay as they are, and those of geventcore can stand beside them, with what "
            f"Bcfg2 knows taken over; call: {IMPORT_COMMAND}"
        )
    return f"has no tables of geventcore yet; call: {UPGRADE_COMMAND}"


def upgrade(config: DatabaseConfig, progress: Callable[[str], None] = lambda _: None) -> None:
    """Give a database the schema that the code needs; `progress` is told of each step.

    Tables of others stay as they are. Several processes may do it at the same time: one does, the others wait for it.
    Raises `SchemaMismatch` if it is newer than the code.
    """
    from alembic import command
    from alembic.config import Config

    if config.is_file:
        engines.make_directory(config)
    with _connection(config) as connection, _alone(connection, config):
        version = _version_of(connection)
        if version.state is SchemaState.NEWER:
            require_current(version, config)
        # What it says of each step is for those who change tables; what goes wrong is told by an error.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        alembic = Config(attributes={"connection": connection, "progress": progress})
        alembic.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(alembic, "head")


@contextlib.contextmanager
def _connection(config: DatabaseConfig, is_ending: Callable[[], bool] = never) -> Iterator[Connection]:
    """A connection for a moment, errors in our own words."""
    try:
        with _connected(config, is_ending) as connection:
            yield connection
    except SQLAlchemyError as err:
        raise storage_error(err, config) from err


def _connected(config: DatabaseConfig, is_ending: Callable[[], bool], name: str = "") -> Connection:
    """A new connection; a server that starts at the same time is waited for, unless this program ends.

    `DatabaseMisconfigured` if there is nothing to wait for.
    """
    if config.is_file and os.path.isdir(config.name):
        raise DatabaseMisconfigured(f"{config} is a directory, and has to be a file", "name")
    engine = engines.make_engine(replace(config, name=name or config.name))
    deadline = time.monotonic() + config.timeout
    while True:
        try:
            return engine.connect()
        except (DBAPIError, TypeError) as err:
            key = wrong_key(err)
            if key:
                raise DatabaseMisconfigured(f"{config} cannot be used so: {one_line(err)}", key) from err
            if config.is_file or isinstance(err, TypeError):
                raise
            if time.monotonic() > deadline or is_ending():
                raise DatabaseUnavailable(f"{config} cannot be reached: {one_line(err)}") from err
        time.sleep(CONNECT_PAUSE)


@contextlib.contextmanager
def _alone(connection: Connection, config: DatabaseConfig) -> Iterator[None]:
    """A transaction in which nobody else changes the schema; committed at the end. MySQL commits each step itself."""
    if config.is_file:
        connection = connection.execution_options(**{engines.BEGIN: "BEGIN IMMEDIATE"})
    with connection.begin():
        if config.engine == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('geventcore_schema'))"))
        elif config.engine == "mysql":
            _lock_mysql(connection, config)
        yield


def _lock_mysql(connection: Connection, config: DatabaseConfig) -> None:
    """Take a lock that is freed with the connection. Names of locks are those of a whole server."""
    query = text("SELECT GET_LOCK(CONCAT('geventcore_schema ', MD5(DATABASE())), 0)")
    deadline = time.monotonic() + config.timeout
    while connection.scalar(query) != 1:
        if time.monotonic() > deadline:
            raise StorageError(f"{config}: somebody else is changing its tables")
        time.sleep(CONNECT_PAUSE)
