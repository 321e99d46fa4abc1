"""One client's connection in the gevent core: what a blocking connection is, and its limits."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager
from typing import Any

from geventcore.core.connection import BlockingConnection, ConnectionHost
from geventcore.cores.gevent.limits import ProcessLimits, RequestLimits
from geventcore.cores.gevent.waiting import GreenletWaiter
from geventcore.rpc.blocking_driver import Limits

_WAITER = GreenletWaiter()


class GeventConnection(BlockingConnection):
    """A connection that has a greenlet of its own."""

    def __init__(self, host: ConnectionHost, limits: ProcessLimits, sock: socket.socket, address: Any) -> None:
        super().__init__(host, sock, address, _WAITER)
        self._process_limits = limits

    def before_handshake_step(self) -> None:
        """See `BlockingConnection.before_handshake_step`."""
        self._process_limits.handshakes.take()

    def limits(self) -> AbstractContextManager[Limits]:
        """See `BlockingConnection.limits`."""
        return RequestLimits(self._process_limits, self.peer, self.stream, self.cut_off)
