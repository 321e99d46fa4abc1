"""The database of reports as the pages use it: opened when a page needs it, checked, and never created."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from geventcore.core.databases import require_libraries
from geventcore.errors import DatabaseUnavailable, SchemaMismatch, StorageError
from geventcore.storage.config import DatabaseConfig

if TYPE_CHECKING:
    from geventcore.storage.database import Database

T = TypeVar("T")


class NoReportsYet(StorageError):
    """There is no database of reports yet: no server has stored a report."""


class _Opened:
    """An open database, and the number of calls that use it. The last one closes it after `retire`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._users = 0
        self._is_retired = False
        self._lock = threading.Lock()

    @contextmanager
    def used(self) -> Iterator[Database]:
        """Keep the database open during the block."""
        with self._lock:
            self._users += 1
        try:
            yield self.database
        finally:
            with self._lock:
                self._users -= 1
                is_last = self._is_retired and not self._users
            if is_last:
                self.database.close()

    def retire(self) -> None:
        """Close the database as soon as no call uses it. SQLite may crash if another thread is reading then."""
        with self._lock:
            self._is_retired = True
            is_unused = not self._users
        if is_unused:
            self.database.close()


class ReportDatabase:
    """The database of reports, opened when a page needs it, and again after it was unusable.

    A page must not create tables, and the program must start without the database: its pages say what is wrong.
    """

    def __init__(self, config: DatabaseConfig, offload: Callable[..., Any]) -> None:
        self.config = config
        self._offload = offload
        self._opened: _Opened | None = None
        self._lock = threading.Lock()

    def read(self, function: Callable[[Any], T], *, snapshot: bool = False) -> T:
        """Read as `Database.read` does.

        Raises:
            StorageError: the database cannot be used; the text says what to do.
        """
        return self._call(lambda database: database.read(function, snapshot=snapshot))

    def write(self, function: Callable[[Any], T]) -> T:
        """Write as `Database.write` does; raises what `read` raises."""
        return self._call(lambda database: database.write(function))

    def close(self) -> None:
        """Close all connections, those in use when their calls end. A later call opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.retire()

    def _call(self, function: Callable[[Database], T]) -> T:
        try:
            with self._open().used() as database:
                return function(database)
        except (DatabaseUnavailable, SchemaMismatch, NoReportsYet):
            raise
        except StorageError:
            # The tables may be those of another version; that is a better explanation.
            self.close()
            self._open()
            raise

    def _open(self) -> _Opened:
        with self._lock:
            if self.config.is_file and not os.path.exists(self.config.name):
                raise NoReportsYet(f"there is no file {self.config.name}")
            if self._opened is None:
                require_libraries()
                from geventcore.storage.database import Database
                from geventcore.storage.migration import SchemaState, require_current, schema_version

                version = schema_version(self.config)
                if version.state is SchemaState.EMPTY and self.config.is_file:
                    raise NoReportsYet(f"{self.config} is empty")
                require_current(version, self.config)
                self._opened = _Opened(Database(self.config, self._offload))
            return self._opened
