"""Whether the databases of a server can be used, and what is done with them: for ``/readyz`` and the metrics."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from geventcore.core.databases import Databases
from geventcore.errors import StorageError
from geventcore.metrics.definitions import DATABASE_AVAILABLE, DATABASE_OPERATIONS
from geventcore.storage.file_rights import why_not_writable

if TYPE_CHECKING:
    from geventcore.storage.database import Database

log = logging.getLogger(__name__)

#: For how long what an attempt has found is believed, in seconds: about as often as balancers ask.
CHECK_SECONDS = 2.0
#: How long whoever asks waits for an attempt, in seconds: long enough for a server that is gone to refuse twice.
ANSWER_SECONDS = 0.5


class DatabaseWatch:
    """Looks at the databases that a process has opened."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._counted: dict[str, dict[str, int]] = {}
        self._check: _Check | None = None

    def begin(self) -> None:
        """Count what is done from now on: what was done before a fork is not this process's."""
        for role, database in self._databases.by_role().items():
            self._counted[role] = _counts(database)

    def refresh(self) -> None:
        """Bring the metrics up to date."""
        for role, database in self._databases.by_role().items():
            DATABASE_AVAILABLE.set(database.is_available and database.is_writable, role)
            counts, counted = _counts(database), self._counted.get(role, {})
            for operation, count in counts.items():
                DATABASE_OPERATIONS.inc(role, operation, by=max(0, count - counted.get(operation, 0)))
            self._counted[role] = counts

    def why_not_available(self) -> str:
        """Why clients cannot be served for want of the main database; ``""`` if they can, or if there is none.

        A process that nobody has called lately does not know, so it is tried, too: whoever asks waits a moment for the
        answer. A database that is only slow to answer is there.
        """
        database = self._databases.by_role().get("main")
        if database is None:
            return ""
        check = self._check
        if check is None or check.is_outdated:
            check = self._check = _Check(database)
        if database.is_available:
            check.wait()
        if not database.is_available:
            return f"the last attempt to use {database.config} has failed"
        return why_not_writable(database.config)


def _counts(database: Database) -> dict[str, int]:
    return {name: count for name, count in asdict(database.statistics()).items() if name != "is_available"}


class _Check:
    """One attempt to use a database, in a thread of its own."""

    def __init__(self, database: Database) -> None:
        self._ended_at = math.inf
        self._has_ended = threading.Event()
        threading.Thread(target=self._run, args=(database,), name="database check", daemon=True).start()

    def _run(self, database: Database) -> None:
        try:
            database.check()
        except StorageError as err:
            # It has logged that it is gone, and remembers it.
            log.debug("the database is checked: %s", err)
        finally:
            self._ended_at = time.monotonic()
            self._has_ended.set()

    @property
    def is_outdated(self) -> bool:
        """Whether it has ended, and too long ago to say anything about now."""
        return time.monotonic() - self._ended_at > CHECK_SECONDS

    def wait(self) -> None:
        """Wait until it has ended, for a moment at most."""
        self._has_ended.wait(ANSWER_SECONDS)
