"""The state of a server's databases, for ``/readyz`` and the metrics."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from geventcore.core.databases import Databases
from geventcore.errors import StorageError
from geventcore.metrics.definitions import DATABASE_AVAILABLE, DATABASE_INFO, DATABASE_OPERATIONS
from geventcore.storage.file_rights import why_not_writable

if TYPE_CHECKING:
    from geventcore.storage.database import Database
    from geventcore.storage.identity import DatabaseState

log = logging.getLogger(__name__)

#: How long the result of a check holds, in seconds: about the interval at which load balancers ask.
CHECK_SECONDS = 2.0
#: How long a caller waits for a check, in seconds: long enough for a database that is down to refuse twice.
ANSWER_SECONDS = 0.5


class DatabaseWatch:
    """Watches the databases that a process has opened."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._counted: dict[str, dict[str, int]] = {}
        self._check: _Check | None = None
        self._newest: DatabaseState | None = None
        self._mistake = ""

    def begin(self) -> None:
        """Count operations from now on; the parent process counts those before a fork."""
        for role, database in self._databases.by_role().items():
            self._counted[role] = _counts(database)

    def refresh(self) -> None:
        """Bring the metrics up to date."""
        for role, database in self._databases.by_role().items():
            DATABASE_AVAILABLE.set(database.is_available and database.is_writable and not self._mistake, role)
            counts, counted = _counts(database), self._counted.get(role, {})
            for operation, count in counts.items():
                DATABASE_OPERATIONS.inc(role, operation, by=max(0, count - counted.get(operation, 0)))
            self._counted[role] = counts
        state = self._check.state if self._check is not None else None
        DATABASE_INFO.reset()
        if state is not None and state.generation:
            DATABASE_INFO.set(1, "main", state.generation)

    @property
    def is_shared(self) -> bool:
        """True if the main database is one that other machines use, too."""
        database = self._databases.by_role().get("main")
        return database is not None and not database.config.is_file

    def why_not_local(self) -> str:
        """Return why this machine cannot use the main database although others may; see `why_not_available`."""
        return "" if self.is_shared else self.why_not_available()

    def why_not_available(self) -> str:
        """Return why the main database cannot be used; ``""`` if it can, or if there is none.

        A process that has served nobody lately does not know, so it tries. The caller waits `ANSWER_SECONDS` at most. A
        database that is only slow counts as available.
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
        if check.state is not None:
            if check.state.is_read_only:
                return f"{database.config} accepts no writes: it is a standby, or read-only"
            self._compare(check.state, str(database.config))
        return self._mistake or why_not_writable(database.config)

    def _compare(self, state: DatabaseState, name: str) -> None:
        """Notice a database that is not the newest generation that this process has used."""
        newest = self._newest
        if not state.generation:
            return
        if newest is None or (state.system == newest.system and state.timeline >= newest.timeline):
            self._newest, self._mistake = state, ""
            return
        mistake = (
            f"split brain: {name} is generation {state.generation}, and this server has used generation "
            f"{newest.generation}; stop the old primary, and restart this server if the change is wanted"
        )
        if mistake != self._mistake:
            log.critical("%s", mistake)
        self._mistake = mistake


def _counts(database: Database) -> dict[str, int]:
    return {name: count for name, count in asdict(database.statistics()).items() if name != "is_available"}


class _Check:
    """One attempt to use a database, in its own thread."""

    def __init__(self, database: Database) -> None:
        self.state: DatabaseState | None = None
        self._ended_at = math.inf
        self._has_ended = threading.Event()
        threading.Thread(target=self._run, args=(database,), name="database check", daemon=True).start()

    def _run(self, database: Database) -> None:
        try:
            self.state = database.check()
        except StorageError as err:
            # The database has logged that it is unavailable, and remembers it.
            log.debug("database check failed: %s", err)
        finally:
            self._ended_at = time.monotonic()
            self._has_ended.set()

    @property
    def is_outdated(self) -> bool:
        """True if the check has ended, and its result is older than `CHECK_SECONDS`."""
        return time.monotonic() - self._ended_at > CHECK_SECONDS

    def wait(self) -> None:
        """Wait until the check has ended, for `ANSWER_SECONDS` at most."""
        self._has_ended.wait(ANSWER_SECONDS)
