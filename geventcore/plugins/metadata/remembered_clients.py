"""A copy of the client list's rows in memory, for database outages.

All rows are read when a process starts to serve, and again every minute; rows that are read or written in between
update the copy. So each process knows all clients, even those that have never called it. During an outage, reading is
retried more often, because no other work may reach the database.

The copy has no passwords: they are in files, which are always up to date.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator

from geventcore.errors import StorageError
from geventcore.storage import clients as rows
from geventcore.storage.clients import StoredClient
from geventcore.storage.database import Database

log = logging.getLogger(__name__)

#: The interval for reading all rows, in seconds.
READ_SECONDS = 60.0
#: The interval after a failed read, in seconds.
RETRY_SECONDS = 2.0
#: The number of rows to read at once. Decoding them delays other work by some milliseconds.
PAGE = 200


class RememberedClients:
    """A thread-safe copy of the rows, with indexes by name, address and user name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, StoredClient] | None = None
        self._names_by_address: dict[str, dict[str, None]] = {}
        self._names_by_uuid: dict[str, dict[str, None]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_known(self) -> bool:
        """Return true if all rows have been read at least once."""
        return self._rows is not None

    # -- queries

    def get(self, name: str) -> StoredClient | None:
        """See `rows.get_client`."""
        return (self._rows or {}).get(name)

    def names(self) -> list[str]:
        """See `rows.client_names`."""
        return sorted(self._rows or ())

    def all(self) -> list[StoredClient]:
        """See `rows.all_clients`."""
        return [row for _, row in sorted((self._rows or {}).items())]

    def names_by_address(self, address: str) -> list[str]:
        """See `rows.names_by_address`."""
        return sorted(self._names_by_address.get(address, ()))

    def name_by_uuid(self, uuid: str) -> str | None:
        """See `rows.name_by_uuid`."""
        return min(self._names_by_uuid.get(uuid, ()), default=None)

    # -- updates

    def note(self, name: str, row: StoredClient | None) -> None:
        """Store the current row of a client; None if it has none."""
        with self._lock:
            if self._rows is None or self._rows.get(name) == row:
                return
            old = self._rows.pop(name, None)
            if old is not None:
                _leave(self._names_by_address, old.address, name)
                _leave(self._names_by_uuid, old.uuid, name)
            if row is not None:
                self._rows[name] = row
                self._enter(row)

    def _enter(self, row: StoredClient) -> None:
        if row.address:
            self._names_by_address.setdefault(row.address, {})[row.hostname] = None
        if row.uuid:
            self._names_by_uuid.setdefault(row.uuid, {})[row.hostname] = None

    def read(self) -> None:
        """Read all rows. `StorageError` if that fails; then the copy stays unchanged."""
        found = {row.hostname: row for page in self._pages() for row in page}
        if self._rows is None:
            log.info("read %d clients from the database into memory, for use during an outage", len(found))
        with self._lock:
            self._rows = found
            self._names_by_address, self._names_by_uuid = {}, {}
            for row in found.values():
                self._enter(row)

    def _pages(self) -> Iterator[Iterable[StoredClient]]:
        page = self._page("")
        while page:
            yield page
            page = self._page(page[-1].hostname)

    def _page(self, after: str) -> list[StoredClient]:
        return self._database.read(lambda connection: rows.page_of_clients(connection, after, PAGE))

    # -- the thread

    def start(self) -> None:
        """Start a thread that reads the rows now and at intervals."""
        self._thread = threading.Thread(target=self._run, name="client list", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Stop the thread."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = READ_SECONDS
            try:
                self.read()
            except StorageError as err:
                # The database has logged that it is gone.
                log.debug("cannot read the client list into memory: %s", err)
                pause = RETRY_SECONDS
            self._wait(pause)

    def _wait(self, seconds: float) -> None:
        """Wait; if the database becomes unavailable, return at most a moment later."""
        while seconds > 0 and not self._stopping.wait(min(seconds, RETRY_SECONDS)) and self._database.is_available:
            seconds -= RETRY_SECONDS


def _leave(index: dict[str, dict[str, None]], key: str | None, name: str) -> None:
    if key and key in index:
        index[key].pop(name, None)
        if not index[key]:
            del index[key]
