"""What is particular to each kind of database: addresses, arguments of drivers, how a connection is prepared.

Engines do not pool: `geventcore.storage.database` keeps the connections, because only it knows in which thread they
may be used. What waits has an end: for a lock of SQLite, for a server that does not answer, for a statement.
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

from geventcore.errors import ConfigError, DatabaseUnavailable, StorageError
from geventcore.storage.config import DatabaseConfig

DRIVERS = {"sqlite3": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}

#: An execution option of connections: the statement that begins a transaction of SQLite.
BEGIN = "geventcore_begin"

#: Where a connection keeps how long a statement may be, in bytes.
_LIMIT = "geventcore_limit"

#: How long to try again if another process switches the same file of SQLite, and how often, in seconds.
SWITCH_SECONDS = 10.0
SWITCH_PAUSE = 0.01


def make_engine(config: DatabaseConfig) -> Engine:
    """An engine without a connection. `ConfigError` if a library is missing."""
    arguments = _ARGUMENTS[config.engine](config)
    try:
        engine = create_engine(_url(config), poolclass=NullPool, connect_args={**arguments, **config.options})
    except ImportError as err:
        raise ConfigError(
            f"[database] engine = {config.engine}: {err}; pip install 'geventcore[{config.engine}]'"
        ) from err
    if config.is_file:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif config.engine == "mysql":
        event.listen(engine, "connect", _ask_for_limit)
        event.listen(engine, "before_cursor_execute", _refuse_what_is_too_large)
    return engine


def read_only_engine(config: DatabaseConfig, zone_name: str | None = None) -> Engine:
    """An engine whose connections cannot change anything; each transaction sees one state.

    Times are those of a zone, or of the server's own. Text of SQLite that is not UTF-8 has surrogates, as in names of
    files. `ConfigError` if a library is missing.
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
        # A directory, which would not be understood where a URL has its host.
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
    """Arguments of the driver; `changes` are settings of the connection that are to be others, or the server's own."""
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
        # libpq takes one second for two, since it rounds.
        "connect_timeout": max(2, seconds),
        "options": " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items() if value),
        # A machine that is gone without a word is noticed in about the same time.
        "keepalives_idle": max(1, seconds // 2),
        "keepalives_interval": max(1, seconds // 6),
        "keepalives_count": 3,
        "tcp_user_timeout": seconds * 1000,
    }


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _mysql_arguments(config: DatabaseConfig) -> dict[str, Any]:
    seconds = math.ceil(config.timeout)
    # MySQL takes what only MariaDB knows for a comment. It has nothing of the kind for every statement.
    only_mariadb = f"/*M! , max_statement_time = {seconds} */"
    settings = f"time_zone = '+00:00', innodb_lock_wait_timeout = {seconds} {only_mariadb}"
    return {
        "connect_timeout": seconds,
        # After the server had time to end a statement by itself.
        "read_timeout": seconds + 1,
        "write_timeout": seconds + 1,
        # What a column has no room for is an error, however the server is set up, and is never cut.
        "init_command": f"SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), {settings}",
    }


_ARGUMENTS: dict[str, Callable[[DatabaseConfig], dict[str, Any]]] = {
    "sqlite3": _sqlite_arguments,
    "postgresql": _postgresql_arguments,
    "mysql": _mysql_arguments,
}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, and not where they have to begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Have the file written ahead. If another process is doing the same, SQLite does not wait, whatever its timeout."""
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
    """Raise `StorageError` for a statement that is longer than MySQL takes. It would end the connection, which looks as
    if the server were gone, and would be tried again and again."""
    limit = connection.info[_LIMIT]
    for row in parameters if is_many else [parameters]:
        values = row.values() if isinstance(row, dict) else row or ()
        size = sum(len(value) for value in values if isinstance(value, str | bytes))
        # At most four bytes for a character, or two for one that has to be escaped.
        if len(statement) + 4 * size >= limit:
            size = len(cursor.mogrify(statement, row).encode("utf-8", "surrogateescape"))
            if size >= limit:
                raise StorageError(
                    f"what is to be stored takes {size} bytes, and the server's max_allowed_packet is {limit}"
                )


def for_writing(connection: Connection, config: DatabaseConfig) -> Connection:
    """Prepare a new connection for transactions that write."""
    if config.is_file:
        # The lock is taken at once: a transaction that began by reading could not always go on to write.
        return connection.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
    if config.engine == "mysql":
        # As in PostgreSQL, each statement sees what others have committed before it.
        return connection.execution_options(isolation_level="READ COMMITTED")
    # Statements for many rows are planned anew each time. A prepared one would keep the plan of a time when tables were
    # small, until statistics of them are gathered: it reads a table that has grown from one end to the other.
    driver: Any = connection.connection.driver_connection
    driver.prepare_threshold = None
    return connection


def for_reading(connection: Connection, config: DatabaseConfig) -> Connection:
    """Prepare a new connection for single statements, which need no transaction."""
    return connection if config.is_file else connection.execution_options(isolation_level="AUTOCOMMIT")


def for_snapshot(connection: Connection, config: DatabaseConfig, begin: bool) -> Connection:
    """Have a reading connection see one state in all statements, or go back to single statements."""
    if config.is_file:
        return connection.execution_options(**{BEGIN: "BEGIN" if begin else None})
    return connection.execution_options(isolation_level="REPEATABLE READ" if begin else "AUTOCOMMIT")


def make_directory(config: DatabaseConfig) -> None:
    """Make the directory of a database that is a file; `DatabaseUnavailable` if that cannot be done."""
    directory = os.path.dirname(config.name)
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as err:
        raise DatabaseUnavailable(f"{config}: its directory cannot be made: {err.strerror}") from err
