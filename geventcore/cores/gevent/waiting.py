"""How a greenlet waits for a socket while others run."""

from __future__ import annotations

import socket
import time

import gevent
import gevent.socket


class GreenletWaiter:
    """Waits for a socket while other greenlets run."""

    def wait_readable(self, sock: socket.socket, deadline: float) -> None:
        """See `geventcore.tls.waiter.Waiter`."""
        _wait(sock, deadline, 1)

    def wait_writable(self, sock: socket.socket, deadline: float) -> None:
        """See `geventcore.tls.waiter.Waiter`."""
        _wait(sock, deadline, 2)


def _wait(sock: socket.socket, deadline: float, events: int) -> None:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("the deadline has passed")
    hub = gevent.get_hub()
    watcher = hub.loop.io(sock.fileno(), events)
    try:
        gevent.socket.wait(watcher, remaining, TimeoutError("the deadline has passed"))
    finally:
        watcher.close()
