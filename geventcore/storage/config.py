"""The database configuration that results from the options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geventcore.errors import ConfigError, DatabaseMisconfigured
from geventcore.options import Option, Settings
from geventcore.storage import options

#: The timeout in seconds for ``[database] timeout = 0``: no call waits for ever.
LONGEST_TIMEOUT = 60.0


@dataclass(frozen=True)
class DatabaseConfig:
    """The configuration of one database.

    Attributes:
        engine: ``sqlite3``, ``postgresql`` or ``mysql``.
        name: name of the database; with SQLite the path of its file.
        user, password, host, port, schema: see the options.
        options: additional arguments for the driver.
        timeout: longest time that a call waits for the database, in seconds.
        connections: maximum number of connections for reading in a process.
    """

    engine: str
    name: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    schema: str = "public"
    options: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    timeout: float = 10.0
    connections: int = 8

    @property
    def is_file(self) -> bool:
        """True if the database is a file (SQLite)."""
        return self.engine == "sqlite3"

    def __str__(self) -> str:
        """Return the database's name for messages, without the password."""
        if self.is_file:
            return f"the database {self.name}"
        port = f":{self.port}" if self.port else ""
        return f"the {self.engine} database {self.name} on {self.host or 'this machine'}{port}"


def database_config(settings: Settings) -> DatabaseConfig:
    """Return the main database.

    Raises:
        ConfigError: an option is wrong.
    """
    return _config(options.ENGINE, settings[options.ENGINE], _OPTIONS, settings)


def reporting_config(settings: Settings) -> DatabaseConfig:
    """Return the database for reports: the main database unless ``reporting_engine`` is set."""
    engine = settings[options.REPORTING_ENGINE]
    if engine is None:
        return database_config(settings)
    return _config(options.REPORTING_ENGINE, engine, _REPORTING_OPTIONS, settings)


def with_place(err: DatabaseMisconfigured, settings: Settings, config: DatabaseConfig) -> DatabaseMisconfigured:
    """Return the error with the place of the wrong option."""
    is_own = settings[options.REPORTING_ENGINE] is not None and config == reporting_config(settings)
    engine, table = (options.REPORTING_ENGINE, _REPORTING_OPTIONS) if is_own else (options.ENGINE, _OPTIONS)
    option = table.get(err.key)
    if option is None:
        return err
    if settings.is_set(option):
        return DatabaseMisconfigured(f"{settings.source_of(option)}: {option.label}: {err}", err.key)
    return DatabaseMisconfigured(f"{settings.source_of(engine)}: {option.label} is not set: {err}", err.key)


#: Attribute of `DatabaseConfig` -> the option that says it; for the main database, and for one for reports only.
_OPTIONS: Mapping[str, Option[Any]] = {
    "name": options.NAME,
    "user": options.USER,
    "password": options.PASSWORD,
    "host": options.HOST,
    "port": options.PORT,
    "schema": options.SCHEMA,
    "options": options.OPTIONS,
}
_REPORTING_OPTIONS: Mapping[str, Option[Any]] = {
    "name": options.REPORTING_NAME,
    "user": options.REPORTING_USER,
    "password": options.REPORTING_PASSWORD,
    "host": options.REPORTING_HOST,
    "port": options.REPORTING_PORT,
    "schema": options.REPORTING_SCHEMA,
    "options": options.REPORTING_OPTIONS,
}


def _config(engine: Option[Any], kind: str, table: Mapping[str, Option[Any]], settings: Settings) -> DatabaseConfig:
    values = {attribute: settings[option] for attribute, option in table.items()}
    if kind == "sqlite3":
        values["name"] = str(Path(os.path.expanduser(values["name"])).absolute())
    elif not settings.is_set(table["name"]):
        raise ConfigError(
            f"{settings.source_of(engine)}: {engine.label} = {kind}: {table['name'].label} must name the database"
        )
    return DatabaseConfig(
        kind,
        timeout=settings[options.TIMEOUT] or LONGEST_TIMEOUT,
        connections=settings[options.CONNECTIONS],
        **values,
    )
