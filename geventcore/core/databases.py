"""The databases of a server: opened on first use, closed when the server ends.

A server that keeps nothing in a database needs no library for it, so nothing of `geventcore.storage` that does is
imported before.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geventcore.errors import ConfigError, DatabaseMisconfigured
from geventcore.options.settings import LoadedSettings
from geventcore.storage.config import DatabaseConfig, database_config, reporting_config, with_place
from geventcore.storage.file_rights import require_writable

if TYPE_CHECKING:
    from geventcore.storage.database import Database
    from geventcore.storage.notifications import NotificationRelay


class Databases:
    """The open databases. Two settings that name the same database share it."""

    def __init__(
        self,
        settings: Callable[[], LoadedSettings],
        offload: Callable[..., Any],
        is_ending: Callable[[], bool] = lambda: False,
        read_only: Callable[[], bool] = lambda: False,
    ) -> None:
        """See above.

        `is_ending` returns true if the server ends; then nobody waits for an unreachable database any more. With
        `read_only`, a SQLite file that does not exist is not created: an empty one in a temporary directory stands in.
        """
        self._settings = settings
        self._offload = offload
        self._is_ending = is_ending
        self._read_only = read_only
        self._stand_ins: list[tempfile.TemporaryDirectory[str]] = []
        self._lock = threading.Lock()
        self._opened: dict[str, Database] = {}
        self._notifications: NotificationRelay | None = None

    def main(self) -> Database:
        """The database for everything.

        Raises `ConfigError`, `SchemaMismatch` or `DatabaseUnavailable`, which stop the start of a server.
        """
        database = self._open("main", database_config)
        if not self._read_only():
            require_writable(database.config)
        return database

    def reporting(self) -> Database:
        """The database for reports, which may be the same; raises what `main` raises."""
        return self._open("reporting", reporting_config)

    def _open(self, role: str, config_of: Callable[[LoadedSettings], DatabaseConfig]) -> Database:
        with self._lock:
            if role not in self._opened:
                config = config_of(self._settings())
                same = [database for database in self._opened.values() if database.config == config]
                try:
                    self._opened[role] = same[0] if same else self._open_new(config)
                except DatabaseMisconfigured as err:
                    raise with_place(err, self._settings(), config) from err
            return self._opened[role]

    def _open_new(self, config: DatabaseConfig) -> Database:
        require_libraries()
        from geventcore.storage.database import Database

        if self._read_only() and config.is_file and not os.path.exists(config.name):
            directory = tempfile.TemporaryDirectory(prefix="geventcore-")
            self._stand_ins.append(directory)
            config = replace(config, name=os.path.join(directory.name, "empty.sqlite"))
        return Database.open(config, self._offload, self._is_ending)

    def opened(self) -> list[Database]:
        """The open databases, each once."""
        return list(dict.fromkeys(self._opened.values()))

    def by_role(self) -> dict[str, Database]:
        """The open databases, each once, by the first role that it has: ``main`` or ``reporting``."""
        roles: dict[str, Database] = {}
        for role, database in list(self._opened.items()):
            if database not in roles.values():
                roles[role] = database
        return roles

    def start_notifications(
        self, topics: Collection[str], deliver: Callable[[str, Any], object], on_lost: Callable[[], None]
    ) -> NotificationRelay | None:
        """Listen to other servers that share the database, if it can notify; called in each process that serves.

        See `NotificationRelay` for the arguments. Returns the relay to these servers.
        """
        database = self._opened.get("main")
        if database is None or database.config.engine != "postgresql":
            return None
        from geventcore.storage.notifications import NotificationRelay

        self._notifications = NotificationRelay(database, topics, deliver, on_lost)
        self._notifications.start()
        return self._notifications

    @property
    def may_remember(self) -> bool:
        """True if cached data are safe: this server hears of changes on other machines, or there are none."""
        return self._notifications is None or self._notifications.is_listening

    def close(self) -> None:
        """Close all connections."""
        if self._notifications is not None:
            self._notifications.close()
        for database in self.opened():
            database.close()
        for directory in self._stand_ins:
            directory.cleanup()


def require_libraries() -> None:
    """Raise `ConfigError` if a library that every database needs is not installed."""
    for library in ("sqlalchemy", "alembic"):
        if importlib.util.find_spec(library) is None:
            raise ConfigError(f"the database needs {library}, which is missing: pip install 'geventcore[database]'")
