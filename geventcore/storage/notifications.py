"""What servers that share a PostgreSQL database tell each other: a relay of the bus over LISTEN and NOTIFY.

What belongs to a change of the database goes with its transaction (`geventcore.storage.announcements`); what does not
has one of its own. Notifications can be missed all the same: while a connection is lost, or if a message is too long to
be sent. A receiver notices, and forgets everything that it remembers instead: each message has its sender and a number,
so that a gap shows; whoever has not been listening cannot know what it missed; and a sender that could not send a
message says later that it owes one. While nobody listens here, `NotificationRelay.is_listening` says that nothing
should be remembered at all.
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

from geventcore.errors import StorageError
from geventcore.storage.announcements import SOMETHING, Announcement, Announcer, Notification
from geventcore.storage.database import Database
from geventcore.storage.engine import make_engine
from geventcore.storage.failures import one_line

log = logging.getLogger(__name__)

#: How long the listener waits before it looks whether there is anything else to do, in seconds.
TICK_SECONDS = 1.0
#: Pauses between attempts to listen again, in seconds.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class NotificationRelay:
    """A way to the other servers; see `geventcore.core.bus.Relay`.

    Attributes:
        is_listening: whether everything that others tell arrives here.
    """

    def __init__(
        self,
        database: Database,
        topics: Collection[str],
        deliver: Callable[[str, Any], object],
        on_lost: Callable[[], None],
    ) -> None:
        """Only messages under `topics` are passed on: others concern one machine. `deliver` takes topic and message of
        others; `on_lost` is called if some may have been missed. Both are called in the listener's thread."""
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
        """Listen from now on; called in the process that serves."""
        self._announcer = self._database.announcer
        self._thread = threading.Thread(target=self._run, name="database notifications", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._is_closed.set()
        if self._thread is not None:
            self._thread.join(2 * TICK_SECONDS)

    # -- telling

    def tell(self, topic: str, message: Any) -> list[Any]:
        """Tell the other servers. They hear it in a moment; nobody answers.

        If it cannot be told now, they are told later that they have missed something.
        """
        if topic in self._topics and not self._owes:
            self._send(Announcement(topic, message))
        return []

    def _send(self, announcement: Announcement) -> None:
        try:
            self._database.write(_change_nothing, [announcement])
        except StorageError as err:
            self._owes = True
            log.error("Other servers will be told later that something has changed: %s", err)

    # -- listening

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._is_closed.is_set():
            try:
                self._listen()
            except (psycopg.Error, SQLAlchemyError, OSError) as err:
                if self.is_listening:
                    pause = FIRST_PAUSE
                    log.warning("%s: its notifications are lost: %s", self._database.config, one_line(err))
                self.is_listening = False
                # What is remembered was true until now, and may be so no more.
                self._on_lost()
            self._is_closed.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _listen(self) -> None:
        """Deliver what others tell until the connection is lost, or the server ends."""
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
                # It has listened, and may be lost: nobody should try to make it as good as new.
                connection.invalidate()
        self.is_listening = False

    def _hear(self, driver: psycopg.Connection[Any], own_name: str) -> None:
        while not self._is_closed.is_set():
            for notification in driver.notifies(timeout=TICK_SECONDS, stop_after=1):
                self._receive(notification.payload, own_name)
            if self._owes:
                # Before it is sent: what fails to be told meanwhile is owed again.
                self._owes = False
                self._send(SOMETHING)

    def _receive(self, payload: str, own_name: str) -> None:
        try:
            heard = Notification.decode(payload)
        except (ValueError, KeyError, TypeError):
            log.warning("A notification that is none of ours: %.100r", payload)
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
            log.error("A notification under %s: %s: %s", topic, type(err).__name__, err, exc_info=err)
            self._on_lost()


def _change_nothing(_: Connection) -> None:
    """Only what is announced counts."""
