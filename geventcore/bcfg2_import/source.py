"""Read-only access to a Bcfg2 database.

SQLite opens the file in mode ``ro``. It uses locks, so a server may write to the file meanwhile, and it refuses every
writing statement. PostgreSQL gets ``default_transaction_read_only``. Each batch is read in a short transaction with one
snapshot, so that neither locks nor old row versions accumulate.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    TableClause,
    cast,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from geventcore.bcfg2_import import schema
from geventcore.bcfg2_import.schema import Bcfg2Table
from geventcore.errors import ConfigError, StorageError
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.engine import read_only_engine
from geventcore.storage.failures import one_line, storage_error
from geventcore.storage.report_writing import chunks

ENGINES = ("sqlite3", "postgresql")
#: SQLite's error for a database that needs recovery after a crash, which a read-only connection cannot do.
_READ_ONLY = "attempt to write a readonly database"
_DIALECTS = {"sqlite": "sqlite3", "postgresql": "postgresql", "postgres": "postgresql"}


def source_config(where: str) -> DatabaseConfig:
    """Parse a file name or a database URL.

    Example: ``postgresql://user:password@host:port/name?schema=public``. Give the directory of a UNIX socket as
    ``?host=/run/postgresql``, or as the host, with ``%2F`` for each slash. Other parameters are passed to the driver.

    Raises:
        ConfigError: the text names no database.
    """
    if "://" not in where:
        return DatabaseConfig("sqlite3", str(Path(where).expanduser().absolute()))
    try:
        url = make_url(where)
        port = url.port
    except (ArgumentError, ValueError):
        raise ConfigError(
            "cannot parse the URL of the database; expected, for example, postgresql://user@host/name"
        ) from None
    engine = _DIALECTS.get(url.get_backend_name())
    if engine is None or not url.database:
        raise ConfigError("unsupported database URL; expected sqlite:////path/of/file or postgresql://user@host/name")
    if engine == "sqlite3":
        return DatabaseConfig(engine, str(Path(url.database).absolute()))
    query = {key: str(value) for key, value in url.query.items()}
    name = query.pop("schema", "public")
    return DatabaseConfig(
        engine,
        url.database,
        user=url.username,
        password=url.password,
        host=unquote(host) if (host := query.pop("host", url.host)) else None,
        port=port,
        schema=name,
        options=query,
    )


class NoBcfg2TablesError(ConfigError):
    """The database has no tables of Bcfg2."""


class Source:
    """One Bcfg2 database.

    Attributes:
        config: configuration of the database.
    """

    def __init__(self, config: DatabaseConfig, zone_name: str | None = None) -> None:
        """Read the list of tables. `zone_name` is Bcfg2's ``[reporting] time_zone``, which PostgreSQL uses for times.

        Raises:
            StorageError: the database cannot be read.
            ConfigError: the tables are not those of Bcfg2 1.3 or 1.4.
            NoBcfg2TablesError: there are no tables of Bcfg2.
        """
        if config.engine not in ENGINES:
            raise ConfigError(f"{config}: cannot import from this engine; supported: {' and '.join(ENGINES)}")
        self.config = config
        if config.is_file and not Path(config.name).is_file():
            raise ConfigError(f"{config.name}: the file does not exist")
        self._engine = read_only_engine(config, zone_name)
        with self._errors(), self._engine.connect() as connection:
            inspector = inspect(connection)
            names = set(inspector.get_table_names())
            self._columns = {
                name: {found["name"] for found in inspector.get_columns(name)}
                for name in sorted(names)
                if name.startswith(schema.PREFIXES) or name in {each.name for each in schema.MIGRATIONS}
            }
        self._check(names)

    def _check(self, names: set[str]) -> None:
        if not any(name.startswith(schema.PREFIXES) for name in self._columns):
            if any(name.startswith(schema.OLD_PREFIX) for name in names):
                raise ConfigError(f"{self.config} has reports of Bcfg2 1.2; convert them with Bcfg2 1.3 first")
            raise NoBcfg2TablesError(f"{self.config} has no tables of Bcfg2 1.3 or 1.4")
        wanted = [schema.CLIENT_LIST, schema.PROBE_DATA, schema.PROBE_GROUPS, *schema.LATER_TABLES]
        if self.has_reports:
            wanted += schema.REPORT_TABLES
            missing = [each.name for each in schema.REPORT_TABLES if each.name not in self._columns]
            if missing:
                raise ConfigError(f"{self.config} does not match Bcfg2 1.3 or 1.4: missing tables {', '.join(missing)}")
        for each in wanted:
            lacking = set(each.required) - self._columns.get(each.name, set(each.required))
            if lacking:
                raise ConfigError(
                    f"{self.config} does not match Bcfg2 1.3 or 1.4: {each.name} has no {', '.join(sorted(lacking))}"
                )

    @property
    def has_reports(self) -> bool:
        """True if there are tables of reports."""
        return schema.INTERACTION.name in self._columns

    def has(self, wanted: Bcfg2Table) -> bool:
        """Return whether a table exists."""
        return wanted.name in self._columns

    def unknown_tables(self) -> list[str]:
        """List tables of Bcfg2 that this program does not know."""
        known = {each.name for each in (*schema.REPORT_TABLES, *schema.LATER_TABLES, *schema.MIGRATIONS)}
        known |= {each.name for each in (schema.CLIENT_LIST, schema.PROBE_DATA, schema.PROBE_GROUPS)}
        return sorted(set(self._columns) - known - schema.IGNORED)

    def table(self, wanted: Bcfg2Table) -> TableClause:
        """Return a table with its existing columns."""
        return wanted.present(self._columns[wanted.name])

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate errors of the driver."""
        try:
            yield
        except SQLAlchemyError as err:
            if self.config.is_file and one_line(err) == _READ_ONLY:
                raise StorageError(
                    f"{self.config} needs recovery after an interrupted write; run as a user who may write: "
                    f"sqlite3 {self.config.name} .tables"
                ) from err
            raise storage_error(err, self.config) from err

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection; see `snapshot`. Errors of the driver become `StorageError`."""
        with self._errors(), self._engine.connect() as connection:
            yield connection

    def moment(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Read a column of times as text: a driver fails for all rows if one has an invalid time."""
        return cast(column, String)

    def _universal(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Read a column of times as text in a fixed time zone."""
        return cast(column if self.config.is_file else func.timezone("UTC", column), String)

    @cached_property
    def fingerprint(self) -> bytes:
        """Return an identification of this database that also holds for copies: creation times of its tables."""
        parts: list[str] = []
        with self.reading() as connection:
            for each in schema.MIGRATIONS:
                if self.has(each):
                    made = self.table(each)
                    parts += _first(connection, select(made.c.id, self._universal(made.c.applied)).order_by(made.c.id))
            if self.has(schema.REPORT_CLIENT):
                client = self.table(schema.REPORT_CLIENT)
                columns = select(client.c.id, client.c.name, self._universal(client.c.creation))
                parts += _first(connection, columns.order_by(client.c.id))
        config = self.config
        parts = parts or [config.engine, config.host or "", str(config.port), config.name, config.schema]
        return _digest(parts)

    def mark(self, connection: Connection, position: int) -> bytes:
        """Return an identification of a report, because another copy may use its number for another report."""
        found = self.table(schema.INTERACTION)
        query = select(found.c.id, found.c.client_id, self._universal(found.c.timestamp)).where(found.c.id == position)
        return _digest(_first(connection, query))


def _first(connection: Connection, query: Select[Any]) -> list[str]:
    row = connection.execute(query.limit(1)).first()
    return [] if row is None else [repr(value) for value in row]


def _digest(parts: Sequence[str]) -> bytes:
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "backslashreplace"), digest_size=16).digest()


def rows_by_id(
    connection: Connection, query: Select[Any], key: ColumnElement[Any], numbers: Iterable[int]
) -> Iterator[Any]:
    """Return the rows of a query whose key is one of the numbers."""
    for chunk in chunks(numbers):
        yield from connection.execute(query.where(key.in_(chunk))).all()
