"""Which database the options mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geventcore.errors import ConfigError, DatabaseMisconfigured
from geventcore.options import Option, Settings
from geventcore.storage import options

#: What ``[database] timeout = 0`` stands for: nothing waits for ever.
LONGEST_TIMEOUT = 60.0


@dataclass(frozen=True)
class DatabaseConfig:
    """One database.

    Attributes:
        engine: ``sqlite3``, ``postgresql`` or ``mysql``.
        name: the database's name; with SQLite the path of its file.
        user, password, host, port, schema: see the options.
        options: further arguments for the driver.
        timeout: for how long a call waits for the database, in seconds.
        connections: how many connections for reading a process opens at most.
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
        """Whether it is a file of this machine: SQLite."""
        return self.engine == "sqlite3"

    def __str__(self) -> str:
        """What messages call it; without the password."""
        if self.is_file:
            return f"the database {self.name}"
        port = f":{self.port}" if self.port else ""
        return f"the {self.engine} database {self.name} on {self.host or 'this machine'}{port}"


def database_config(settings: Settings) -> DatabaseConfig:
    """The database for everything. `ConfigError` if an option is wrong."""
    return _config(
        options.ENGINE,
        options.NAME,
        settings[options.ENGINE],
        settings,
        user=settings[options.USER],
        password=settings[options.PASSWORD],
        host=settings[options.HOST],
        port=settings[options.PORT],
        schema=settings[options.SCHEMA],
        options=settings[options.OPTIONS],
    )


def reporting_config(settings: Settings) -> DatabaseConfig:
    """The database for reports, which is that for everything unless ``reporting_engine`` is set."""
    engine = settings[options.REPORTING_ENGINE]
    if engine is None:
        return database_config(settings)
    return _config(
        options.REPORTING_ENGINE,
        options.REPORTING_NAME,
        engine,
        settings,
        user=settings[options.REPORTING_USER],
        password=settings[options.REPORTING_PASSWORD],
        host=settings[options.REPORTING_HOST],
        port=settings[options.REPORTING_PORT],
        schema=settings[options.REPORTING_SCHEMA],
        options=settings[options.REPORTING_OPTIONS],
    )


def with_place(err: DatabaseMisconfigured, settings: Settings, config: DatabaseConfig) -> DatabaseMisconfigured:
    """The same error with the place of the option that is wrong."""
    is_own = settings[options.REPORTING_ENGINE] is not None and config == reporting_config(settings)
    engine, table = (options.REPORTING_ENGINE, _REPORTING_KEYS) if is_own else (options.ENGINE, _KEYS)
    option = table.get(err.key)
    if option is None:
        return err
    if settings.is_set(option):
        return DatabaseMisconfigured(f"{settings.source_of(option)}: {option.label}: {err}", err.key)
    return DatabaseMisconfigured(f"{settings.source_of(engine)}: {option.label} is not set: {err}", err.key)


_KEYS: Mapping[str, Option[Any]] = {
    "name": options.NAME,
    "user": options.USER,
    "password": options.PASSWORD,
    "options": options.OPTIONS,
}
_REPORTING_KEYS: Mapping[str, Option[Any]] = {
    "name": options.REPORTING_NAME,
    "user": options.REPORTING_USER,
    "password": options.REPORTING_PASSWORD,
    "options": options.REPORTING_OPTIONS,
}


def _config(
    engine: Option[Any], name_option: Option[str], kind: str, settings: Settings, **details: Any
) -> DatabaseConfig:
    name = settings[name_option]
    if kind != "sqlite3" and not settings.is_set(name_option):
        raise ConfigError(
            f"{settings.source_of(engine)}: {engine.label} = {kind}: {name_option.label} has to name the database"
        )
    if kind == "sqlite3":
        name = str(Path(os.path.expanduser(name)).absolute())
    return DatabaseConfig(
        kind,
        name,
        timeout=settings[options.TIMEOUT] or LONGEST_TIMEOUT,
        connections=settings[options.CONNECTIONS],
        **details,
    )
