"""The differences between the kinds of databases: URLs, driver arguments, preparation of connections.

Engines do not pool. `geventcore.storage.database` keeps the connections, because only it knows in which thread they
may be used. Every wait has a timeout: for a lock of SQLite, for a server, for a statement.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from geventcore import tracing
from geventcore.errors import ConfigError, DatabaseUnavailable, StorageError
from geventcore.storage.config import DatabaseConfig

DRIVERS = {"sqlite3": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}

#: Execution option of connections: the statement that begins a SQLite transaction.
BEGIN = "geventcore_begin"

#: Key in a connection's `info` of the longest statement, in bytes.
_LIMIT = "geventcore_limit"

#: How long and how often to retry while another process switches the same SQLite file to WAL, in seconds.
SWITCH_SECONDS = 10.0
SWITCH_PAUSE = 0.01


def make_engine(config: DatabaseConfig) -> Engine:
    """Make an engine without opening a connection.

    Raises:
        ConfigError: a library is missing.
    """
    arguments = _ARGUMENTS[config.engine](config)
    try:
        engine = create_engine(_url(config), poolclass=NullPool, connect_args={**arguments, **config.options})
    except ImportError as err:
        raise ConfigError(
            f"[database] engine = {config.engine}: {err}; pip install 'geventcore[{config.engine}]'"
        ) from err
    if tracing.is_configured():
        event.listen(engine, "before_cursor_execute", _note_start)
        event.listen(engine, "after_cursor_execute", _trace_statement)
    if config.is_file:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif config.engine == "mysql":
        event.listen(engine, "connect", _ask_for_limit)
        event.listen(engine, "before_cursor_execute", _refuse_what_is_too_large)
    return engine


def _note_start(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    if context is not None:
        context.started_ns = time.time_ns()


def _trace_statement(
    connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    if context is not None:
        tracing.add_statement(connection.engine.name, statement, context.started_ns)


def read_only_engine(config: DatabaseConfig, zone_name: str | None = None) -> Engine:
    """Make an engine with read-only connections; each transaction sees one snapshot.

    Times are in the given zone, or in the server's own. SQLite text that is not UTF-8 is decoded with surrogates, as in
    file names.

    Raises:
        ConfigError: a library is missing.
    """
    if config.is_file:
        engine = create_engine("sqlite://", poolclass=NullPool, creator=lambda: _open_read_only(config))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine
    arguments = _postgresql_arguments(
        config, default_transaction_read_only="on", timezone=zone_name, statement_timeout="0"
    )
    try:
        engine = create_engine(_url(config), poolclass=NullPool, connect_args={**arguments, **config.options})
    except ImportError as err:
        raise ConfigError(f"{config}: {err}; pip install 'geventcore[{config.engine}]'") from err
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _open_read_only(config: DatabaseConfig) -> sqlite3.Connection:
    address = f"{Path(config.name).as_uri()}?mode=ro"
    connection = sqlite3.connect(
        address, uri=True, timeout=config.timeout, check_same_thread=False, isolation_level=None
    )
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _url(config: DatabaseConfig) -> URL:
    if config.is_file:
        return URL.create("sqlite", database=config.name)
    host, query = config.host, {}
    if host and host.startswith("/"):
        # A socket directory cannot stand in the host part of a URL.
        query["host" if config.engine == "postgresql" else "unix_socket"] = host
        host = None
    if config.engine == "mysql":
        query["charset"] = "utf8mb4"
    return URL.create(
        DRIVERS[config.engine],
        username=config.user,
        password=config.password,
        host=host,
        port=config.port,
        database=config.name,
        query=query,
    )


def _sqlite_arguments(config: DatabaseConfig) -> dict[str, Any]:
    return {"check_same_thread": False, "timeout": config.timeout}


def _postgresql_arguments(config: DatabaseConfig, **changes: str | None) -> dict[str, Any]:
    """Return arguments for the driver; `changes` override settings of the connection, None keeps the server's."""
    seconds = math.ceil(config.timeout)
    settings: dict[str, str | None] = {
        "search_path": '"' + config.schema.replace('"', '""') + '"',
        "statement_timeout": str(seconds * 1000),
        "lock_timeout": str(seconds * 1000),
        "idle_in_transaction_session_timeout": str(seconds * 6000),
        "timezone": "UTC",
        **changes,
    }
    return {
        "application_name": "geventcore",
        # libpq rounds one second up to two.
        "connect_timeout": max(2, seconds),
        "options": " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items() if value),
        # TCP notices a dead machine in about the same time.
        "keepalives_idle": max(1, seconds // 2),
        "keepalives_interval": max(1, seconds // 6),
        "keepalives_count": 3,
        "tcp_user_timeout": seconds * 1000,
    }


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _mysql_arguments(config: DatabaseConfig) -> dict[str, Any]:
    seconds = math.ceil(config.timeout)
    # Only MariaDB executes this comment. MySQL has no timeout for all statements.
    only_mariadb = f"/*M! , max_statement_time = {seconds} */"
    settings = f"time_zone = '+00:00', innodb_lock_wait_timeout = {seconds} {only_mariadb}"
    return {
        "connect_timeout": seconds,
        # Leave the server time to end a statement by itself.
        "read_timeout": seconds + 1,
        "write_timeout": seconds + 1,
        # Strict mode: a value that is too long for its column is an error and is never truncated.
        "init_command": f"SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), {settings}",
    }


_ARGUMENTS: dict[str, Callable[[DatabaseConfig], dict[str, Any]]] = {
    "sqlite3": _sqlite_arguments,
    "postgresql": _postgresql_arguments,
    "mysql": _mysql_arguments,
}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, at the wrong place.
    connection.isolation_level = None
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Switch the file to write-ahead logging. Retry, because SQLite's own timeout does not apply to this statement."""
    deadline = time.monotonic() + SWITCH_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as err:
            if "locked" not in str(err) or time.monotonic() >= deadline:
                raise
            time.sleep(SWITCH_PAUSE)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    statement = connection.get_execution_options().get(BEGIN)
    if statement is not None:
        connection.exec_driver_sql(statement)


def _ask_for_limit(connection: Any, record: ConnectionPoolEntry) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        (record.info[_LIMIT],) = cursor.fetchone()


def _refuse_what_is_too_large(
    connection: Connection, cursor: Any, statement: str, parameters: Any, _context: object, is_many: bool
) -> None:
    """Refuse a statement that is too long for MySQL.

    MySQL would close the connection. That looks like an outage, and the statement would be retried for ever.

    Raises:
        StorageError: the statement is too long.
    """
    limit = connection.info[_LIMIT]
    for row in parameters if is_many else [parameters]:
        values = row.values() if isinstance(row, dict) else row or ()
        size = sum(len(value) for value in values if isinstance(value, str | bytes))
        # A character takes at most four bytes, or two if it is escaped.
        if len(statement) + 4 * size >= limit:
            size = len(cursor.mogrify(statement, row).encode("utf-8", "surrogateescape"))
            if size >= limit:
                raise StorageError(
                    f"cannot store {size} bytes in one statement: the server's max_allowed_packet is {limit}"
                )


def for_writing(connection: Connection, config: DatabaseConfig) -> Connection:
    """Prepare a new connection for writing transactions."""
    if config.is_file:
        # Take the lock at once: a transaction that begins by reading cannot always continue with a write.
        return connection.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
    if config.engine == "mysql":
        # As in PostgreSQL, each statement sees all earlier commits.
        return connection.execution_options(isolation_level="READ COMMITTED")
    # Plan statements for many rows each time. A prepared statement would keep a plan from the time when the tables were
    # small, and would scan large tables until their statistics are gathered.
    driver: Any = connection.connection.driver_connection
    driver.prepare_threshold = None
    return connection


def for_reading(connection: Connection, config: DatabaseConfig) -> Connection:
    """Prepare a new connection for single statements without a transaction."""
    return connection if config.is_file else connection.execution_options(isolation_level="AUTOCOMMIT")


def for_snapshot(connection: Connection, config: DatabaseConfig, begin: bool) -> Connection:
    """Switch a reading connection to a snapshot for all statements, or back to single statements."""
    if config.is_file:
        return connection.execution_options(**{BEGIN: "BEGIN" if begin else None})
    return connection.execution_options(isolation_level="REPEATABLE READ" if begin else "AUTOCOMMIT")


def make_directory(config: DatabaseConfig) -> None:
    """Create the directory of a SQLite file.

    Raises:
        DatabaseUnavailable: the directory cannot be created.
    """
    directory = os.path.dirname(config.name)
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as err:
        raise DatabaseUnavailable(f"{config}: the directory cannot be created: {err.strerror}") from err
