"""Reading and writing, from any greenlet, thread or process.

A `Database` opens connections when they are needed. Each process opens its own, and never touches connections inherited
by a fork. Work on SQLite blocks and is offloaded. The drivers of database servers are Python code on sockets, which
gevent makes cooperative.

A call waits up to ``[database] timeout`` seconds for an unavailable database, then raises `DatabaseUnavailable`. The
first call after the outage succeeds. Functions passed to `Database.read`, `Database.write` and `Database.write_item`
must use only the connection. They may be called several times: after a lost connection, after a conflict with another
transaction, or after a failure of another function in the same transaction.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from geventcore import tracing
from geventcore.backoff import Backoff
from geventcore.errors import DatabaseUnavailable, StorageError
from geventcore.group_commit import GroupCommit, Ticket
from geventcore.storage import engine as engines
from geventcore.storage.announcements import Announcement, Announcer
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.failures import (
    ConnectionLostError,
    is_lost,
    is_read_only,
    is_repeatable,
    one_line,
    storage_error,
)
from geventcore.storage.identity import DatabaseState, read_state
from geventcore.storage.transactions import Transaction, Write, roll_back

log = logging.getLogger(__name__)

T = TypeVar("T")
Item = TypeVar("Item")

#: Calls a function with arguments where it may block; see `PluginContext.offload`.
Offload = Callable[..., Any]

#: The most writers in one transaction: a longer one would keep other processes from writing.
BATCH_LIMIT = 100

#: Pauses between attempts to reach an unavailable database, in seconds.
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
#: How often a transaction is retried after a conflict with another one.
ATTEMPTS = 5


def call_directly(function: Callable[..., T], *args: Any) -> T:
    """Call the function directly: the `Offload` of single-threaded programs."""
    return function(*args)


@dataclass(frozen=True)
class DatabaseStatistics:
    """Counters since the start of the process.

    Attributes:
        reads, writes: successful calls.
        commits: transactions that the writes shared.
        failures: calls that failed because of the database.
        connections: opened connections.
        is_available: whether the last attempt to use the database succeeded; true before the first.
    """

    reads: int
    writes: int
    commits: int
    failures: int
    connections: int
    is_available: bool


class _Slot:
    """A place for one connection, which is opened at its first use."""

    def __init__(self, prepare: Callable[[Connection, DatabaseConfig], Connection]) -> None:
        self.prepare = prepare
        self.connection: Connection | None = None

    def discard(self) -> None:
        """Drop a connection whose state is unknown."""
        connection, self.connection = self.connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except SQLAlchemyError as err:
                log.debug("cannot close a database connection: %s", err)


class Database:
    """The access of a process to one database.

    Attributes:
        config: the configuration of the database.
    """

    def __init__(self, config: DatabaseConfig, offload: Offload = call_directly) -> None:
        """Set up without opening a connection.

        Raises:
            ConfigError: the library of the database's driver is missing.
        """
        self.config = config
        self._offload = offload if config.is_file else call_directly
        self._engine = engines.make_engine(config)
        self._inherited: list[Any] = []
        self._counters = {"reads": 0, "writes": 0, "commits": 0, "failures": 0, "connections": 0}
        self._is_available = True
        #: Whether the current outage has been logged.
        self._is_missed = False
        self._is_writable = True
        self._is_closed = False
        self._begin_process()

    @classmethod
    def open(
        cls, config: DatabaseConfig, offload: Offload = call_directly, is_ending: Callable[[], bool] = lambda: False
    ) -> Database:
        """Open a database and check its schema. Creates a missing SQLite file.

        Waiting for the database ends when `is_ending` returns true. No connection stays open, so the process may fork.

        Raises:
            SchemaMismatch: the schema is not current; the text names the command that fixes it.
            DatabaseUnavailable: the database cannot be reached.
        """
        from geventcore.storage.migration import prepare

        database = cls(config, offload)
        prepare(config, is_ending)
        return database

    def _begin_process(self) -> None:
        """Start without connections, and leave those of the parent process alone."""
        self._pid = os.getpid()
        self._writer = _Slot(engines.for_writing)
        self._readers: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for _ in range(self.config.connections):
            self._readers.put(_Slot(engines.for_reading))
        self._slots = [self._writer, *self._readers.queue]
        self._group: GroupCommit[Write] = GroupCommit(self._carry_out, BATCH_LIMIT)
        self._announcer = Announcer(self.config) if self.config.engine == "postgresql" else None
        self._counting = threading.Lock()

    def _own(self) -> None:
        """Reset the connections after a fork."""
        if self._is_closed:
            raise StorageError(f"{self.config} has been closed")
        if self._pid != os.getpid():
            # Closing inherited connections would end the parent's sessions or free its locks.
            self._inherited.append(self._slots)
            self._begin_process()

    # -- calls

    def read(self, function: Callable[[Connection], T], *, snapshot: bool = False) -> T:
        """Call `function` with a reading connection and return its result.

        Each statement sees all earlier commits; with `snapshot`, all statements see the same state.

        Raises:
            StorageError: the database failed. Errors of `function` are passed on.
        """
        self._own()
        deadline = time.monotonic() + self.config.timeout
        work = _in_snapshot(function, self.config) if snapshot else function
        try:
            slot = self._readers.get(timeout=self.config.timeout)
        except queue.Empty:
            error = DatabaseUnavailable(
                f"{self.config}: all {self.config.connections} connections of this process were busy for "
                f"{self.config.timeout:g} s; look for slow statements, or increase [database] connections"
            )
            self._failed(error)
            raise error from None
        try:
            backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, free=1)
            while True:
                try:
                    with tracing.span("database read"):
                        result: T = self._offload(tracing.carried(self._use), slot, work)
                except ConnectionLostError as err:
                    self._wait_for_return(err, deadline, backoff)
                except SQLAlchemyError as err:
                    failure = storage_error(err, self.config)
                    self._failed(failure)
                    raise failure from err
                else:
                    self._succeeded()
                    self._count(reads=1)
                    return result
        finally:
            self._readers.put(slot)

    def write(self, function: Callable[[Connection], T], announcements: Sequence[Announcement] = ()) -> T:
        """Call `function` with a writing connection. Return its result when its changes are durable.

        Other servers get `announcements` if and only if the changes are stored, also if this server crashes. They must
        share a PostgreSQL database.

        Functions of several callers may share a transaction; an error in one does not undo the others. `function` must
        not call `read` or `write`.

        Raises:
            StorageError: the database failed. Errors of `function` are passed on. In both cases nothing is stored. The
                exception is a connection lost during the commit: then the result is unknown, and the text says so.
        """
        return self.write_item(lambda connection, _: [function(connection)], None, announcements)

    def write_item(
        self,
        function: Callable[[Connection, Sequence[Item]], Sequence[T]],
        item: Item,
        announcements: Sequence[Announcement] = (),
    ) -> T:
        """Write like `write`, with a function that stores the items of many writers at once.

        `function` gets the items of all waiting writers with an equal function, in the order of arrival, and returns a
        result for each. If it raises an error, it is called again with fewer items, until only those items fail for
        which it raises even when called with them alone.
        """
        self._own()
        with tracing.span("database write"):
            result: T = self._group.put(Write(function, item, announcements))
        self._count(writes=1)
        return result

    @property
    def announcer(self) -> Announcer | None:
        """The announcer of this process; None if the database cannot deliver announcements."""
        self._own()
        return self._announcer

    def check(self) -> DatabaseState:
        """Check that the database answers, and return its state.

        Raises:
            DatabaseUnavailable: it does not.
        """
        return self.read(lambda connection: read_state(connection, self.config))

    @property
    def is_available(self) -> bool:
        """True if the last attempt reached the database, or before the first. Does not ask the database."""
        return self._is_available

    @property
    def is_writable(self) -> bool:
        """True if the last attempt to write to a reachable database succeeded, or before the first."""
        return self._is_writable

    def statistics(self) -> DatabaseStatistics:
        """The counters of this process."""
        return DatabaseStatistics(**self._counters, is_available=self._is_available and self._is_writable)

    def close(self) -> None:
        """Close all connections and refuse further calls. May be called twice."""
        if not self._is_closed:
            self._is_closed = True
            if self._pid == os.getpid():
                for slot in self._slots:
                    slot.discard()

    # -- connections

    def _use(self, slot: _Slot, work: Callable[[Connection], T]) -> T:
        """Call `work` with the connection of a slot, which is opened if needed. Runs where blocking is allowed."""
        if slot.connection is None:
            slot.connection = self._connect(slot)
        connection = slot.connection
        try:
            result = work(connection)
        except DBAPIError as err:
            # SQLite leaves the transaction open after a refused commit, and SQLAlchemy does not know.
            is_over = self.config.is_file or is_lost(err) or is_read_only(err)
            slot.discard() if is_over else roll_back(connection)
            if is_lost(err):
                raise ConnectionLostError(one_line(err)) from err
            raise
        except Exception:
            roll_back(connection)
            raise
        except BaseException:
            # The call was interrupted: the next response of the connection would belong to no call.
            slot.discard()
            raise
        if connection.in_transaction():
            connection.rollback()
        return result

    def _connect(self, slot: _Slot) -> Connection:
        try:
            connection = slot.prepare(self._engine.connect(), self.config)
        except DBAPIError as err:
            if self.config.is_file:
                raise
            raise ConnectionLostError(one_line(err)) from err
        self._count(connections=1)
        return connection

    def _wait_for_return(self, err: ConnectionLostError, deadline: float, backoff: Backoff) -> None:
        """Sleep before the next attempt. The second attempt follows at once: a single lost connection is no outage.

        Raises:
            DatabaseUnavailable: no time is left.
        """
        if backoff.failures:
            self._is_available = False
        pause = backoff.fail()
        if time.monotonic() + pause >= deadline:
            error = DatabaseUnavailable(f"{self.config} cannot be reached: {err}")
            self._failed(error)
            raise error from err
        time.sleep(pause)

    def _failed(self, error: StorageError) -> None:
        """Count a failure. Log an outage once, until the database is available again."""
        self._count(failures=1)
        if isinstance(error, DatabaseUnavailable):
            if not self._is_missed:
                log.error("%s", error)
            self._is_available, self._is_missed = False, True

    def _succeeded(self) -> None:
        if self._is_missed:
            log.warning("%s is available again", self.config)
        self._is_available, self._is_missed = True, False

    def _write_failed(self, error: StorageError) -> None:
        """Count a failure to write to a reachable database. Reads may still succeed."""
        if not isinstance(error, DatabaseUnavailable):
            self._failed(error)
            return
        self._count(failures=1)
        if self._is_writable:
            log.error("%s", error)
        self._is_writable = False

    def _written(self) -> None:
        if not self._is_writable:
            log.warning("%s is writable again", self.config)
        self._is_writable = True
        self._succeeded()

    def _count(self, **increments: int) -> None:
        with self._counting:
            for name, increment in increments.items():
                self._counters[name] += increment

    # -- writing

    def _carry_out(self, batch: Sequence[Ticket[Write]]) -> None:
        """Write a batch in one transaction. After a conflict with another transaction, retry the writes one by one."""
        try:
            self._transact(batch)
            for write in batch:
                for attempt in range(ATTEMPTS):
                    if write.is_done:
                        break
                    time.sleep(attempt * FIRST_PAUSE_SECONDS)
                    self._transact([write], is_last=attempt == ATTEMPTS - 1)
        finally:
            # The writing greenlet was killed; the result is unknown.
            _fail_all([write for write in batch if not write.is_done], StorageError("the write was interrupted"))

    def _transact(self, batch: Sequence[Ticket[Write]], is_last: bool = False) -> None:
        """Run one transaction. The caller retries writes that are not done afterwards."""
        deadline = max(write.since for write in batch) + self.config.timeout
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, free=1)
        while True:
            transaction = Transaction(batch, self.config, self._announcer)
            try:
                self._offload(self._use, self._writer, transaction.run)
            except ConnectionLostError as err:
                if transaction.is_committing:
                    reason = (
                        f"{self.config}: lost the connection during the commit; the data may be stored or not: {err}"
                    )
                    self._failed(DatabaseUnavailable(reason))
                    _fail_all(batch, DatabaseUnavailable(reason))
                    return
                try:
                    self._wait_for_return(err, deadline, backoff)
                except DatabaseUnavailable as unavailable:
                    _fail_all(batch, unavailable)
                    return
            except SQLAlchemyError as err:
                if not is_repeatable(err) or is_last:
                    error = storage_error(err, self.config)
                    self._write_failed(error)
                    _fail_all(batch, error)
                return
            else:
                self._written()
                self._count(commits=1)
                transaction.finish()
                return


def _fail_all(batch: Sequence[Ticket[Write]], error: StorageError) -> None:
    for write in batch:
        # An exception collects tracebacks, so each caller gets its own.
        write.finish(type(error)(str(error)))


def _in_snapshot(function: Callable[[Connection], T], config: DatabaseConfig) -> Callable[[Connection], T]:
    """Wrap a function so that it runs in a transaction with one snapshot."""

    def in_snapshot(connection: Connection) -> T:
        engines.for_snapshot(connection, config, begin=True)
        try:
            return function(connection)
        finally:
            if not connection.invalidated:
                connection.rollback()
                engines.for_snapshot(connection, config, begin=False)

    return in_snapshot
