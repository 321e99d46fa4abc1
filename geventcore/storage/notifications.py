"""The relay of the bus between servers that share a PostgreSQL database, over LISTEN and NOTIFY.

A message about a change of the database is sent in the transaction of the change (`geventcore.storage.announcements`).
Other messages get a transaction of their own. Messages can be lost with a connection, or because they are too long. A
receiver must then clear all its caches. It knows in three ways:

* each message carries its sender and a number, so a gap shows;
* after a lost connection it must assume that it missed messages;
* a sender that could not send a message says so later.

While `NotificationRelay.is_listening` is false, nothing should be cached.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from geventcore.backoff import Backoff
from geventcore.errors import StorageError
from geventcore.storage.announcements import SOMETHING, Announcement, Announcer, Notification
from geventcore.storage.database import Database
from geventcore.storage.engine import make_engine
from geventcore.storage.failures import one_line

log = logging.getLogger(__name__)

#: Time after which the listener checks for other work, in seconds.
TICK_SECONDS = 1.0
#: Pauses between attempts to listen again, in seconds.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


class NotificationRelay:
    """A relay to the other servers; see `geventcore.workers.bus.Relay`.

    Attributes:
        is_listening: whether messages from other servers arrive.
    """

    def __init__(
        self,
        database: Database,
        topics: Collection[str],
        deliver: Callable[[str, Any], object],
        on_lost: Callable[[], None],
    ) -> None:
        """Set up a relay for the messages of some topics; the others concern one machine.

        `deliver` gets topic and message from other servers. `on_lost` is called if messages may have been missed. Both
        are called in the listener's thread.
        """
        self._database = database
        self._topics = frozenset(topics)
        self._deliver = deliver
        self._on_lost = on_lost
        self._announcer: Announcer | None = None
        self._owes = False
        self._numbers: dict[str, int] = {}
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_listening = False

    def start(self) -> None:
        """Start to listen; called in the process that serves clients."""
        self._announcer = self._database.announcer
        self._thread = threading.Thread(target=self._run, name="database notifications", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._is_closed.set()
        if self._thread is not None:
            self._thread.join(2 * TICK_SECONDS)

    # -- telling

    def tell(self, topic: str, message: Any) -> list[Any]:
        """Send a message to the other servers, without waiting for them.

        After a failure, they are told later that they missed a message.
        """
        if topic in self._topics and not self._owes:
            self._send(Announcement(topic, message))
        return []

    def _send(self, announcement: Announcement) -> None:
        try:
            self._database.write(_change_nothing, [announcement])
        except StorageError as err:
            self._owes = True
            log.error("cannot notify the other servers of a change, retrying later: %s", err)

    # -- listening

    def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while not self._is_closed.is_set():
            try:
                self._listen()
            except (psycopg.Error, SQLAlchemyError, OSError) as err:
                if self.is_listening:
                    backoff.succeed()
                    log.warning(
                        "%s: lost the connection for notifications, reconnecting: %s",
                        self._database.config,
                        one_line(err),
                    )
                self.is_listening = False
                # Cached values may be stale from this moment on.
                self._on_lost()
            self._is_closed.wait(backoff.fail())

    def _listen(self) -> None:
        """Deliver messages from other servers until the connection is lost or the server stops."""
        assert self._announcer is not None, "it has been started"
        with make_engine(self._database.config).connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            connection.rollback()
            driver.autocommit = True
            driver.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._announcer.channel)))
            self._numbers.clear()
            self.is_listening = True
            self._on_lost()
            log.debug("listening for notifications")
            try:
                self._hear(driver, self._announcer.sender)
            finally:
                # This connection has state (LISTEN), so it must not be reset and reused.
                connection.invalidate()
        self.is_listening = False

    def _hear(self, driver: psycopg.Connection[Any], own_name: str) -> None:
        while not self._is_closed.is_set():
            for notification in driver.notifies(timeout=TICK_SECONDS, stop_after=1):
                self._receive(notification.payload, own_name)
            if self._owes:
                # Reset the flag before sending: a failure meanwhile sets it again.
                self._owes = False
                self._send(SOMETHING)

    def _receive(self, payload: str, own_name: str) -> None:
        try:
            heard = Notification.decode(payload)
        except (ValueError, KeyError, TypeError):
            log.warning("ignored an unknown notification on the database channel: %.100r", payload)
            return
        if heard.sender == own_name:
            return
        expected = self._numbers.get(heard.sender, heard.number - 1) + 1
        self._numbers[heard.sender] = heard.number
        topic = heard.announcement.topic
        if heard.number != expected or topic is None:
            self._on_lost()
            return
        try:
            self._deliver(topic, heard.announcement.message)
        except Exception as err:
            log.error("cannot process a notification on topic %s: %s: %s", topic, type(err).__name__, err, exc_info=err)
            self._on_lost()


def _change_nothing(_: Connection) -> None:
    """Do nothing: only the announcement matters."""
