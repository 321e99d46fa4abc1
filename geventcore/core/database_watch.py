"""Whether the databases of a server can be used, and what is done with them: for ``/readyz`` and the metrics."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

from geventcore.core.databases import Databases
from geventcore.errors import StorageError
from geventcore.metrics.definitions import DATABASE_AVAILABLE, DATABASE_OPERATIONS

if TYPE_CHECKING:
    from geventcore.storage.database import Database


class DatabaseWatch:
    """Looks at the databases that a process has opened."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._counted: dict[str, dict[str, int]] = {}
        self._asking: threading.Thread | None = None

    def begin(self) -> None:
        """Count what is done from now on: what was done before a fork is not this process's."""
        for role, database in self._databases.by_role().items():
            self._counted[role] = _counts(database)

    def refresh(self) -> None:
        """Bring the metrics up to date."""
        for role, database in self._databases.by_role().items():
            DATABASE_AVAILABLE.set(database.is_available, role)
            counts, counted = _counts(database), self._counted.get(role, {})
            for operation, count in counts.items():
                DATABASE_OPERATIONS.inc(role, operation, by=max(0, count - counted.get(operation, 0)))
            self._counted[role] = counts

    def why_not_available(self) -> str:
        """Why clients cannot be served for want of the main database; ``""`` if they can, or if there is none."""
        database = self._databases.by_role().get("main")
        if database is None or database.is_available:
            return ""
        # Where no request comes any more because of this answer, nobody else would find out that it is back.
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=_ask, args=(database,), name="database check", daemon=True)
            self._asking.start()
        return "the last attempt to use it has failed"


def _counts(database: Database) -> dict[str, int]:
    return {name: count for name, count in asdict(database.statistics()).items() if name != "is_available"}


def _ask(database: Database) -> None:
    try:
        database.check()
    except StorageError:
        # It has logged that it is gone, and remembers it.
        return
