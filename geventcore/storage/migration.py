"""Schema versions: the check of a database's version, and the upgrade.

The schema's version is the number of the last module in ``migrations/versions``. A database stores its version in the
table ``geventcore_schema``. So the server can compare versions without loading Alembic, which makes the changes.
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

#: Pause between attempts to reach a server, or to get the lock for changing tables, in seconds.
CONNECT_PAUSE = 0.2

IMPORT_COMMAND = "geventcore db import"

#: Tables that exist only in a Bcfg2 database.
_BCFG2_TABLES = frozenset({"django_migrations", "django_content_type", "south_migrationhistory"})
_BCFG2_PREFIXES = ("Reporting_", "Server_", "Metadata_", "Probes_", "reports_")

_VERSION_FILE = re.compile(r"(\d{4})_\w+\.py")


class SchemaState(Enum):
    """The state of a database's schema, compared with the code."""

    CURRENT = "current"
    #: The database has no tables.
    EMPTY = "empty"
    #: The database has only Bcfg2's tables.
    BCFG2 = "a Bcfg2 database"
    #: The database has only tables of other programs.
    FOREIGN = "without tables of geventcore"
    OLDER = "older"
    NEWER = "newer"


class SchemaVersion(NamedTuple):
    """The schema version of a database.

    Attributes:
        state: comparison with the code.
        found: version of the database, or None.
        needed: version that the code needs.
    """

    state: SchemaState
    found: str | None
    needed: str


def needed_version() -> str:
    """Return the schema version that the code needs."""
    return versions()[-1]


def versions() -> list[str]:
    """Return all schema versions, oldest first."""
    matches = (_VERSION_FILE.fullmatch(path.name) for path in (MIGRATIONS / "versions").iterdir())
    return sorted(match[1] for match in matches if match)


def never() -> bool:
    """Return False: the default for programs that nothing asks to end."""
    return False


def schema_version(config: DatabaseConfig, is_ending: Callable[[], bool] = never) -> SchemaVersion:
    """Return the schema version of a database.

    Raises:
        StorageError: the database cannot be read, or `is_ending` returned true while waiting for it.
    """
    if config.is_file and not os.path.exists(config.name):
        # Do not create the file here. An in-memory database is enough to check the options.
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
    """Create a missing SQLite database, and refuse a schema that is not current."""
    version = schema_version(config, is_ending)
    if config.is_file and version.state is SchemaState.EMPTY:
        upgrade(config)
    else:
        require_current(version, config)


def require_current(version: SchemaVersion, config: DatabaseConfig) -> None:
    """Check that the schema is the one that the code needs.

    Raises:
        SchemaMismatch: it is not; the text names the command that fixes it.
    """
    if version.state is SchemaState.CURRENT:
        return
    raise SchemaMismatch(f"{config} {_mismatch(version)}")


def _mismatch(version: SchemaVersion) -> str:
    if version.state is SchemaState.NEWER:
        return (
            f"has schema version {version.found}, but this geventcore knows versions up to {version.needed}; "
            "install the newer geventcore that upgraded it"
        )
    if version.state is SchemaState.OLDER:
        return (
            f"has schema version {version.found}, but this geventcore needs {version.needed}; "
            f"stop all servers that use it, then run: {UPGRADE_COMMAND}"
        )
    if version.state is SchemaState.BCFG2:
        return (
            f"is a Bcfg2 database; to create geventcore's tables beside those of Bcfg2 and import the data, "
            f"run: {IMPORT_COMMAND}"
        )
    return f"has no tables of geventcore yet; run: {UPGRADE_COMMAND}"


def upgrade(config: DatabaseConfig, progress: Callable[[str], None] = lambda _: None) -> None:
    """Upgrade the schema of a database; `progress` is called for each step.

    Tables of other programs stay as they are. Several processes may call this at the same time: one works, the others
    wait for it.

    Raises:
        SchemaMismatch: the schema is newer than the code.
    """
    from alembic import command
    from alembic.config import Config

    if config.is_file:
        engines.make_directory(config)
    with _connection(config) as connection, _alone(connection, config):
        version = _version_of(connection)
        if version.state is SchemaState.NEWER:
            require_current(version, config)
        # Alembic logs each step for developers of migrations. Failures raise an error.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        alembic = Config(attributes={"connection": connection, "progress": progress})
        alembic.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(alembic, "head")


@contextlib.contextmanager
def _connection(config: DatabaseConfig, is_ending: Callable[[], bool] = never) -> Iterator[Connection]:
    """Open a short-lived connection and translate its errors."""
    try:
        with _connected(config, is_ending) as connection:
            yield connection
    except SQLAlchemyError as err:
        raise storage_error(err, config) from err


def _connected(config: DatabaseConfig, is_ending: Callable[[], bool], name: str = "") -> Connection:
    """Open a connection. Wait for a database server that is starting, unless this program ends.

    Raises:
        DatabaseMisconfigured: waiting would not help.
    """
    if config.is_file and os.path.isdir(config.name):
        raise DatabaseMisconfigured(f"{config} is a directory instead of a file", "name")
    engine = engines.make_engine(replace(config, name=name or config.name))
    deadline = time.monotonic() + config.timeout
    while True:
        try:
            return engine.connect()
        except (DBAPIError, TypeError) as err:
            key = wrong_key(err)
            if key:
                raise DatabaseMisconfigured(f"{config} refuses the configuration: {one_line(err)}", key) from err
            if config.is_file or isinstance(err, TypeError):
                raise
            if time.monotonic() > deadline or is_ending():
                raise DatabaseUnavailable(f"{config} cannot be reached: {one_line(err)}") from err
        time.sleep(CONNECT_PAUSE)


@contextlib.contextmanager
def _alone(connection: Connection, config: DatabaseConfig) -> Iterator[None]:
    """Run a transaction with a lock on the schema. MySQL commits each step by itself."""
    if config.is_file:
        connection = connection.execution_options(**{engines.BEGIN: "BEGIN IMMEDIATE"})
    with connection.begin():
        if config.engine == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('geventcore_schema'))"))
        elif config.engine == "mysql":
            _lock_mysql(connection, config)
        yield


def _lock_mysql(connection: Connection, config: DatabaseConfig) -> None:
    """Take a lock that ends with the connection. Names of locks are shared by a whole server."""
    query = text("SELECT GET_LOCK(CONCAT('geventcore_schema ', MD5(DATABASE())), 0)")
    deadline = time.monotonic() + config.timeout
    while connection.scalar(query) != 1:
        if time.monotonic() > deadline:
            raise StorageError(f"{config}: another process is upgrading the tables")
        time.sleep(CONNECT_PAUSE)
