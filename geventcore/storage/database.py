"""Reading and writing, from any greenlet, thread or process.

A `Database` opens connections when they are needed, and each process opens its own: whatever a process inherited by a
fork stays untouched. Work on SQLite, which nothing makes cooperative, is offloaded; the drivers of database servers are
plain Python on sockets, which cooperate by themselves.

A call waits for a database that is gone, up to ``[database] timeout`` seconds, and then raises `DatabaseUnavailable`;
when the database is back, the next call finds it. Functions that are given to `Database.read`, `Database.write` and
`Database.write_item` use the connection and nothing else: before anything is stored they may be called again, if a
connection was lost, if another transaction was in the way, or if something that shared theirs has failed.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from geventcore.errors import DatabaseUnavailable, StorageError
from geventcore.group_commit import GroupCommit, Ticket
from geventcore.storage import engine as engines
from geventcore.storage.announcements import Announcement, Announcer
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.failures import (
    ConnectionLostError,
    concerns_everybody,
    is_lost,
    is_repeatable,
    one_line,
    storage_error,
)
from geventcore.storage.memory import forget

log = logging.getLogger(__name__)

T = TypeVar("T")
Item = TypeVar("Item")

#: Calls a function with arguments where its blocking holds up nobody; see `PluginContext.offload`.
Offload = Callable[..., Any]

#: How many writers share a transaction at most: a longer one would keep other processes from writing.
BATCH_LIMIT = 100

#: Pauses between attempts to reach a database that is gone, in seconds.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
#: How often a transaction is begun again because another one was in its way.
ATTEMPTS = 5


def call_directly(function: Callable[..., T], *args: Any) -> T:
    """An `Offload` for programs that have nothing else to do."""
    return function(*args)


class _Write(NamedTuple):
    """What a writer brings.

    Attributes:
        function: stores any number of items. It is called once for all that are brought with an equal function.
        item: one of them.
        announcements: what others shall hear when it is stored.
    """

    function: Callable[[Connection, Sequence[Any]], Sequence[Any]]
    item: Any
    announcements: Sequence[Announcement]


@dataclass(frozen=True)
class DatabaseStatistics:
    """What has been done since the start of the process.

    Attributes:
        reads, writes: calls that succeeded.
        commits: transactions that the writes shared.
        failures: calls that failed because of the database.
        connections: how many were opened.
        is_available: whether the last attempts to use the database succeeded; true before the first.
    """

    reads: int
    writes: int
    commits: int
    failures: int
    connections: int
    is_available: bool


class _Slot:
    """The right to one connection; the connection, once it is open."""

    def __init__(self, prepare: Callable[[Connection, DatabaseConfig], Connection]) -> None:
        self.prepare = prepare
        self.connection: Connection | None = None

    def discard(self) -> None:
        """Let go of a connection that cannot be trusted any more."""
        connection, self.connection = self.connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except SQLAlchemyError as err:
                log.debug("closing a connection: %s", err)


class Database:
    """One database, as a process uses it.

    Attributes:
        config: which database it is.
    """

    def __init__(self, config: DatabaseConfig, offload: Offload = call_directly) -> None:
        """Nothing is opened yet. `ConfigError` if the library of the database's driver is missing."""
        self.config = config
        self._offload = offload if config.is_file else call_directly
        self._engine = engines.make_engine(config)
        self._inherited: list[Any] = []
        self._counters = {"reads": 0, "writes": 0, "commits": 0, "failures": 0, "connections": 0}
        self._is_available = True
        #: Whether the log says that it is gone.
        self._is_missed = False
        self._is_writable = True
        self._is_closed = False
        self._begin_process()

    @classmethod
    def open(
        cls, config: DatabaseConfig, offload: Offload = call_directly, is_ending: Callable[[], bool] = lambda: False
    ) -> Database:
        """A database whose schema is what the code needs; a SQLite file that does not exist is made.

        `SchemaMismatch` names the command that mends the schema. `DatabaseUnavailable` if it cannot be reached, for
        which it is waited no longer when `is_ending` says so. No connection is left open, so that the process may fork.
        """
        from geventcore.storage.migration import prepare

        database = cls(config, offload)
        prepare(config, is_ending)
        return database

    def _begin_process(self) -> None:
        """Start with no connections, and leave those of the parent process alone."""
        self._pid = os.getpid()
        self._writer = _Slot(engines.for_writing)
        self._readers: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for _ in range(self.config.connections):
            self._readers.put(_Slot(engines.for_reading))
        self._slots = [self._writer, *self._readers.queue]
        self._group: GroupCommit[_Write] = GroupCommit(self._carry_out, BATCH_LIMIT)
        self._announcer = Announcer(self.config) if self.config.engine == "postgresql" else None
        self._counting = threading.Lock()

    def _own(self) -> None:
        """Notice that this is another process than the one that used this object until now."""
        if self._is_closed:
            raise StorageError(f"{self.config} has been closed")
        if self._pid != os.getpid():
            # Closing them would tell the database, or free locks, in the name of the parent.
            self._inherited.append(self._slots)
            self._begin_process()

    # -- calls

    def read(self, function: Callable[[Connection], T], *, snapshot: bool = False) -> T:
        """What `function` finds in the database; each of its statements sees all that was committed before it.

        With `snapshot`, all its statements see one state. Raises what `function` raises, and `StorageError`.
        """
        self._own()
        deadline = time.monotonic() + self.config.timeout
        work = _in_snapshot(function, self.config) if snapshot else function
        try:
            slot = self._readers.get(timeout=self.config.timeout)
        except queue.Empty:
            error = DatabaseUnavailable(
                f"{self.config}: all {self.config.connections} connections were busy for {self.config.timeout:g} s"
            )
            self._failed(error)
            raise error from None
        try:
            pause = 0.0
            while True:
                try:
                    result: T = self._offload(self._use, slot, work)
                except ConnectionLostError as err:
                    pause = self._wait_for_return(err, deadline, pause)
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
        """Have `function` change the database; returns what it returned when all of it is durable.

        Other servers hear of `announcements` if it is stored, and only then, whatever becomes of this one; they have
        to share a PostgreSQL database.

        Functions of others may be part of the same transaction; what one of them raises undoes nothing of the others.
        It must not call `read` or `write`. Raises what `function` raises, and `StorageError`; in either case nothing is
        stored. Only if a server was lost during the commit itself nobody can know; the error says so.
        """
        return self.write_item(lambda connection, _: [function(connection)], None, announcements)

    def write_item(
        self,
        function: Callable[[Connection, Sequence[Item]], Sequence[T]],
        item: Item,
        announcements: Sequence[Announcement] = (),
    ) -> T:
        """As `write`, with a function that many writers use and that can store what all of them bring at once.

        It gets the items, in the order of their arrival, of those who wait with a function that is equal to this one,
        and returns what comes of each. If it raises something it is called again with fewer items, until only
        those are left out for which it does so even when it gets them alone.
        """
        self._own()
        result: T = self._group.put(_Write(function, item, announcements))
        self._count(writes=1)
        return result

    @property
    def announcer(self) -> Announcer | None:
        """What tells other servers in the name of this process; None if there is no way to tell them."""
        self._own()
        return self._announcer

    def check(self) -> None:
        """Raise `DatabaseUnavailable` if the database does not answer."""
        self.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())

    @property
    def is_available(self) -> bool:
        """Whether the database was reached by the last attempt; true before the first. Asks nobody."""
        return self._is_available

    @property
    def is_writable(self) -> bool:
        """Whether the last attempt to write succeeded, if the database was reached; true before the first."""
        return self._is_writable

    def statistics(self) -> DatabaseStatistics:
        """What this process has done with the database."""
        return DatabaseStatistics(**self._counters, is_available=self._is_available and self._is_writable)

    def close(self) -> None:
        """Let go of all connections; calls are refused from now on. May be called twice."""
        if not self._is_closed:
            self._is_closed = True
            if self._pid == os.getpid():
                for slot in self._slots:
                    slot.discard()

    # -- connections

    def _use(self, slot: _Slot, work: Callable[[Connection], T]) -> T:
        """Call `work` with the connection of a slot, opening it if need be. Runs where blocking is allowed."""
        if slot.connection is None:
            slot.connection = self._connect(slot)
        connection = slot.connection
        try:
            result = work(connection)
        except DBAPIError as err:
            # A commit that SQLite refuses leaves the transaction open, without SQLAlchemy's knowing.
            slot.discard() if self.config.is_file or is_lost(err) else _roll_back(connection)
            if is_lost(err):
                raise ConnectionLostError(one_line(err)) from err
            raise
        except Exception:
            _roll_back(connection)
            raise
        except BaseException:
            # Somebody ended this in the middle of a call: what the connection is about to say belongs to nobody.
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

    def _wait_for_return(self, err: ConnectionLostError, deadline: float, pause: float) -> float:
        """Sleep before the next attempt; the pause after that. `DatabaseUnavailable` if there is no time left."""
        if pause:
            # One connection may be lost by itself; this is another one.
            self._is_available = False
        if time.monotonic() + pause >= deadline:
            error = DatabaseUnavailable(f"{self.config} cannot be reached: {err}")
            self._failed(error)
            raise error from err
        time.sleep(pause)
        return min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)

    def _failed(self, error: StorageError) -> None:
        """Count a failure. That the database is unavailable is logged once, until it is available again."""
        self._count(failures=1)
        if isinstance(error, DatabaseUnavailable):
            if not self._is_missed:
                log.error("%s", error)
            self._is_available, self._is_missed = False, True

    def _succeeded(self) -> None:
        if self._is_missed:
            log.warning("%s can be used again", self.config)
        self._is_available, self._is_missed = True, False

    def _write_failed(self, error: StorageError) -> None:
        """Count a failure of a database that was reached. Reading may go on meanwhile, and says nothing of writing."""
        if not isinstance(error, DatabaseUnavailable):
            self._failed(error)
            return
        self._count(failures=1)
        if self._is_writable:
            log.error("%s", error)
        self._is_writable = False

    def _written(self) -> None:
        if not self._is_writable:
            log.warning("%s can be written again", self.config)
        self._is_writable = True
        self._succeeded()

    def _count(self, **increments: int) -> None:
        with self._counting:
            for name, increment in increments.items():
                self._counters[name] += increment

    # -- writing

    def _carry_out(self, batch: Sequence[Ticket[_Write]]) -> None:
        """Do all of a batch in one transaction; what was in the way of another transaction is done again by itself."""
        try:
            self._transact(batch)
            for write in batch:
                for attempt in range(ATTEMPTS):
                    if write.is_done:
                        break
                    time.sleep(attempt * FIRST_PAUSE)
                    self._transact([write], is_last=attempt == ATTEMPTS - 1)
        finally:
            # Who did this was ended from outside, and it may be stored or not.
            _fail_all([write for write in batch if not write.is_done], StorageError("the storing was interrupted"))

    def _transact(self, batch: Sequence[Ticket[_Write]], is_last: bool = False) -> None:
        """One transaction. Writes that are not done then shall be tried again."""
        deadline = max(write.since for write in batch) + self.config.timeout
        pause = 0.0
        while True:
            transaction = _Transaction(batch, self.config, self._announcer)
            try:
                self._offload(self._use, self._writer, transaction.run)
            except ConnectionLostError as err:
                if transaction.is_committing:
                    reason = f"{self.config} was lost while it stored this, and may have stored it or not: {err}"
                    self._failed(DatabaseUnavailable(reason))
                    _fail_all(batch, DatabaseUnavailable(reason))
                    return
                try:
                    pause = self._wait_for_return(err, deadline, pause)
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


def _roll_back(connection: Connection) -> None:
    connection.rollback()
    forget(connection)


def _fail_all(batch: Sequence[Ticket[_Write]], error: StorageError) -> None:
    for write in batch:
        # An exception collects where it has been raised, so everybody gets one of his own.
        write.finish(type(error)(str(error)))


class _Transaction:
    """One attempt at a batch of writes.

    Attributes:
        is_committing: whether the commit has begun.
    """

    def __init__(self, batch: Sequence[Ticket[_Write]], config: DatabaseConfig, announcer: Announcer | None) -> None:
        self._batch = batch
        self._config = config
        self._announcer = announcer
        self._failures: dict[int, Exception] = {}
        self.is_committing = False

    def run(self, connection: Connection) -> None:
        """Call the functions and commit. What they raise is kept; what concerns all of them is raised."""
        everything = range(len(self._batch))
        connection.begin()
        err = self._call(connection, everything)
        if err is not None:
            _roll_back(connection)
            if len(everything) == 1:
                self._failures[0] = err
                return
            # Something of somebody has failed, which is rare: only now it is worth to keep them apart.
            connection.begin()
            self._run_halves(connection, everything)
        self._announce(connection)
        self.is_committing = True
        connection.commit()

    def _call(self, connection: Connection, numbers: Sequence[int]) -> Exception | None:
        """Write some of the batch, with one call of each function; what one of these has raised, unless it is about the
        whole transaction."""
        calls: dict[Any, list[int]] = {}
        for number in numbers:
            calls.setdefault(self._batch[number].item.function, []).append(number)
        try:
            for function, called in calls.items():
                results = function(connection, [self._batch[number].item.item for number in called])
                for number, result in zip(called, results, strict=True):
                    self._batch[number].result = result
        except Exception as err:
            if isinstance(err, DBAPIError) and concerns_everybody(err):
                raise
            return storage_error(err, self._config) if isinstance(err, SQLAlchemyError) else err
        return None

    def _run_halves(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Write some of the batch, where something fails: that undoes nothing of the others.

        Each half is written under a savepoint; one that fails is halved again. So one that fails among a hundred costs
        a dozen calls and not a hundred.
        """
        middle = len(numbers) // 2
        for half in (numbers[:middle], numbers[middle:]):
            savepoint = connection.begin_nested()
            err = self._call(connection, half)
            if err is None:
                savepoint.commit()
                continue
            savepoint.rollback()
            forget(connection)
            if len(half) == 1:
                self._failures[half[0]] = err
            else:
                self._run_halves(connection, half)

    def _announce(self, connection: Connection) -> None:
        stored = [write.item for number, write in enumerate(self._batch) if number not in self._failures]
        announcements = [announcement for write in stored for announcement in write.announcements]
        if announcements and self._announcer is not None:
            self._announcer.announce(connection, announcements)

    def finish(self) -> None:
        """The transaction is durable: everybody may know."""
        for number, write in enumerate(self._batch):
            write.finish(self._failures.get(number))


def _in_snapshot(function: Callable[[Connection], T], config: DatabaseConfig) -> Callable[[Connection], T]:
    """The same function in a transaction that sees one state."""

    def in_snapshot(connection: Connection) -> T:
        engines.for_snapshot(connection, config, begin=True)
        try:
            return function(connection)
        finally:
            if not connection.invalidated:
                connection.rollback()
                engines.for_snapshot(connection, config, begin=False)

    return in_snapshot
