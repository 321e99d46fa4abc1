"""The limit on connections: one pool of greenlets, which all servers of a process share.

If all places are taken, or the process has no descriptors left, nothing more is accepted. The pool closes idle
connections meanwhile. It refuses nobody: clients wait in the kernel's queue.
"""

from __future__ import annotations

import logging
import math
import time

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

from geventcore.cores.gevent.client_table import ClientTable

log = logging.getLogger(__name__)

#: How long accepting pauses if nothing can be accepted and no connection ends, in seconds.
PAUSE_SECONDS = 0.25
#: The log tells at most once in this time that nothing can be accepted, in seconds.
REPORT_SECONDS = 60.0


class ConnectionPool(Pool):
    """The greenlets of all connections of a process, at most `size`.

    Attributes:
        servers: the servers that share the pool.
    """

    def __init__(self, size: int, table: ClientTable) -> None:
        super().__init__(size)
        self.servers: list[StreamServer] = []
        self._table = table
        self._is_making_room = False
        self._has_reported = False
        self._reported_at = -math.inf

    def full(self) -> bool:
        """Return true if no connection may be accepted; then idle connections are closed. Servers call this."""
        if super().full():
            self.make_room("all places for connections are taken", logging.INFO)
            return True
        if self._has_reported and not self._is_making_room:
            self._has_reported = False
            gevent.spawn(log.info, "Connections are accepted again, %d are open", len(self))
        return False

    def make_room(self, reason: str, level: int) -> None:
        """Close idle connections, then let the servers accept again; returns at once."""
        if not self._is_making_room:
            self._is_making_room = True
            # The servers accept in the event loop, where nothing may wait, and the log might.
            gevent.spawn(self._make_room, reason, level)

    def _make_room(self, reason: str, level: int) -> None:
        try:
            self._report(reason, level)
            while True:
                self._table.close_idle()
                if not super().full():
                    # Descriptors are short, not places.
                    self._table.wait_for_change(PAUSE_SECONDS)
                    break
                if self.wait_available(PAUSE_SECONDS):
                    break
        finally:
            self._is_making_room = False
        for server in self.servers:
            if server.started:
                server.start_accepting()

    def _report(self, reason: str, level: int) -> None:
        now = time.monotonic()
        if now - self._reported_at > REPORT_SECONDS:
            self._reported_at = now
            self._has_reported = True
            log.log(level, "No more connections are accepted for now, with %d open: %s", len(self), reason)
