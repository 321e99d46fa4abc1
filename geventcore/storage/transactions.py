"""One transaction for the writes of several callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from geventcore.group_commit import Ticket, failures
from geventcore.storage.announcements import Announcement, Announcer
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.failures import concerns_everybody, storage_error
from geventcore.storage.memory import forget


class Write(NamedTuple):
    """A writer's request.

    Attributes:
        function: stores any number of items. It is called once for the items of all writers with an equal function.
        item: the writer's item.
        announcements: messages to other servers when the item is stored.
    """

    function: Callable[[Connection, Sequence[Any]], Sequence[Any]]
    item: Any
    announcements: Sequence[Announcement]


def roll_back(connection: Connection) -> None:
    """Undo a transaction, and forget the row numbers that it has learnt."""
    connection.rollback()
    forget(connection)


class Transaction:
    """One attempt at a batch of writes.

    Attributes:
        is_committing: whether the commit has begun.
    """

    def __init__(self, batch: Sequence[Ticket[Write]], config: DatabaseConfig, announcer: Announcer | None) -> None:
        self._batch = batch
        self._config = config
        self._announcer = announcer
        self._failures: dict[int, Exception] = {}
        self.is_committing = False

    def run(self, connection: Connection) -> None:
        """Call the functions and commit. Keep errors of single functions; raise errors of the whole transaction."""
        connection.begin()
        self._failures = failures(range(len(self._batch)), partial(self._attempt, connection))
        if len(self._failures) < len(self._batch):
            self._announce(connection)
            self.is_committing = True
            connection.commit()

    def _attempt(self, connection: Connection, numbers: Sequence[int]) -> Exception | None:
        """Write some of the batch under a savepoint, so that a failure does not undo the others."""
        if len(numbers) == len(self._batch):
            # A function rarely fails. Only then separate the writes by savepoints.
            err = self._call(connection, numbers)
            if err is not None:
                roll_back(connection)
                if len(numbers) > 1:
                    connection.begin()
            return err
        savepoint = connection.begin_nested()
        err = self._call(connection, numbers)
        if err is None:
            savepoint.commit()
        else:
            savepoint.rollback()
            forget(connection)
        return err

    def _call(self, connection: Connection, numbers: Sequence[int]) -> Exception | None:
        """Write some of the batch, with one call of each function. Return the error of a function, or None.

        Errors of the whole transaction are raised.
        """
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

    def _announce(self, connection: Connection) -> None:
        stored = [write.item for number, write in enumerate(self._batch) if number not in self._failures]
        announcements = [announcement for write in stored for announcement in write.announcements]
        if announcements and self._announcer is not None:
            self._announcer.announce(connection, announcements)

    def finish(self) -> None:
        """Report success to all callers: the transaction is durable."""
        for number, write in enumerate(self._batch):
            write.finish(self._failures.get(number))
