"""A database of Bcfg2, opened so that nothing of it can be changed.

SQLite opens the file in its mode ``ro``: it takes part in the locking, so a server may go on writing to the file
meanwhile, and it refuses every statement that writes. PostgreSQL gets ``default_transaction_read_only``. Each batch is
read in a short transaction that sees one state, so that neither locks nor old versions of rows pile up.
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

from geventcore.errors import ConfigError, StorageError
from geventcore.storage import legacy_schema as schema
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.engine import read_only_engine
from geventcore.storage.failures import one_line, storage_error
from geventcore.storage.legacy_schema import LegacyTable
from geventcore.storage.report_writing import chunks

ENGINES = ("sqlite3", "postgresql")
#: What SQLite says if a file could be read only after a change: of a database that a crash has left in the middle.
_READ_ONLY = "attempt to write a readonly database"
_DIALECTS = {"sqlite": "sqlite3", "postgresql": "postgresql", "postgres": "postgresql"}


def source_config(where: str) -> DatabaseConfig:
    """The database that a file name or an URL means; `ConfigError` if it means none.

    ``postgresql://user:password@host:port/name?schema=public``; a directory with a UNIX socket is given as
    ``?host=/run/postgresql``, or as the host, with ``%2F`` for each slash. Other parameters are those of the driver.
    """
    if "://" not in where:
        return DatabaseConfig("sqlite3", str(Path(where).expanduser().absolute()))
    try:
        url = make_url(where)
        port = url.port
    except (ArgumentError, ValueError):
        raise ConfigError("the URL of the database cannot be understood; like postgresql://user@host/name") from None
    engine = _DIALECTS.get(url.get_backend_name())
    if engine is None or not url.database:
        raise ConfigError("the URL of the database must be like sqlite:////path/of/file or postgresql://user@host/name")
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


class NoLegacyTablesError(ConfigError):
    """A database has nothing of Bcfg2."""


class Source:
    """One database of Bcfg2.

    Attributes:
        config: which one.
    """

    def __init__(self, config: DatabaseConfig, zone_name: str | None = None) -> None:
        """Look at its tables. `zone_name` is Bcfg2's ``[reporting] time_zone``, which PostgreSQL calculated with.

        `StorageError` if it cannot be read, `ConfigError` if it is none that Bcfg2 1.3 or 1.4 made,
        `NoLegacyTablesError` if it has nothing of Bcfg2 at all.
        """
        if config.engine not in ENGINES:
            raise ConfigError(f"{config}: a database of Bcfg2 can be read from {' and '.join(ENGINES)} only")
        self.config = config
        if config.is_file and not Path(config.name).is_file():
            raise ConfigError(f"{config.name}: there is no such file")
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
                raise ConfigError(f"{self.config} has reports of Bcfg2 1.2, which Bcfg2 1.3 could convert")
            raise NoLegacyTablesError(f"{self.config} has no tables of Bcfg2 1.3 or 1.4")
        wanted = [schema.CLIENT_LIST, schema.PROBE_DATA, schema.PROBE_GROUPS, *schema.LATER_TABLES]
        if self.has_reports:
            wanted += schema.REPORT_TABLES
            missing = [each.name for each in schema.REPORT_TABLES if each.name not in self._columns]
            if missing:
                raise ConfigError(f"{self.config} is not as Bcfg2 1.3 or 1.4 made it: there is no {', '.join(missing)}")
        for each in wanted:
            lacking = set(each.required) - self._columns.get(each.name, set(each.required))
            if lacking:
                raise ConfigError(
                    f"{self.config} is not as Bcfg2 1.3 or 1.4 made it: {each.name} has no {', '.join(sorted(lacking))}"
                )

    @property
    def has_reports(self) -> bool:
        """Whether there are tables of reports."""
        return schema.INTERACTION.name in self._columns

    def has(self, wanted: LegacyTable) -> bool:
        """Whether there is a table."""
        return wanted.name in self._columns

    def unknown_tables(self) -> list[str]:
        """Tables of Bcfg2 that this program knows nothing of."""
        known = {each.name for each in (*schema.REPORT_TABLES, *schema.LATER_TABLES, *schema.MIGRATIONS)}
        known |= {each.name for each in (schema.CLIENT_LIST, schema.PROBE_DATA, schema.PROBE_GROUPS)}
        return sorted(set(self._columns) - known - schema.IGNORED)

    def table(self, wanted: LegacyTable) -> TableClause:
        """A table, with the columns that there are."""
        return wanted.present(self._columns[wanted.name])

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """The errors of the driver in our own words."""
        try:
            yield
        except SQLAlchemyError as err:
            if self.config.is_file and one_line(err) == _READ_ONLY:
                raise StorageError(
                    f"{self.config}: a write to it was interrupted, and has to be undone first by who may write: "
                    f"sqlite3 {self.config.name} .tables"
                ) from err
            raise storage_error(err, self.config) from err

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection; see `snapshot`. Errors of the driver become `StorageError`."""
        with self._errors(), self._engine.connect() as connection:
            yield connection

    def moment(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column with times as text: drivers refuse all rows of an answer if one is a time that they do not know."""
        return cast(column, String)

    def _universal(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The same, whatever time zone the connection has."""
        return cast(column if self.config.is_file else func.timezone("UTC", column), String)

    @cached_property
    def fingerprint(self) -> bytes:
        """What tells this database from others, wherever a copy of it is: when its tables were made, by whom."""
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
        """What tells the report of a number from others that had this number in another copy."""
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
    """The rows of a query whose key is one of the numbers."""
    for chunk in chunks(numbers):
        yield from connection.execute(query.where(key.in_(chunk))).all()
