"""The waiting of TLS streams, which is the only difference between cores."""

from __future__ import annotations

import math
import select
import socket
from typing import Protocol

from geventcore.deadline_clock import now


class Waiter(Protocol):
    """Waits for a socket on behalf of one thread or greenlet.

    `deadline` is a time of `geventcore.deadline_clock.now`. Both methods return when the operation should be tried
    again, also after the connection was lost.

    Raises:
        TimeoutError: the deadline passed first.
    """

    def wait_readable(self, sock: socket.socket, deadline: float) -> None:
        """Wait until there is something to read."""

    def wait_writable(self, sock: socket.socket, deadline: float) -> None:
        """Wait until there is room to write."""


class SelectWaiter:
    """Blocks the calling thread. It has no state, so any number of threads can share it."""

    def wait_readable(self, sock: socket.socket, deadline: float) -> None:
        """Wait until there is something to read."""
        _poll(sock, select.POLLIN, deadline)

    def wait_writable(self, sock: socket.socket, deadline: float) -> None:
        """Wait until there is room to write."""
        _poll(sock, select.POLLOUT, deadline)


def _poll(sock: socket.socket, event: int, deadline: float) -> None:
    # poll, because select fails for descriptors above 1023.
    poller = select.poll()
    poller.register(sock, event)
    # Round up: waking up a fraction of a millisecond early would only cause another poll.
    while not poller.poll(max(0, math.ceil((deadline - now()) * 1000))):
        # There is time left if the clock has stood still.
        if now() >= deadline:
            raise TimeoutError("the deadline has passed")
