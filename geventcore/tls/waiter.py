"""How a TLS stream waits: the only thing that differs from core to core."""

from __future__ import annotations

import math
import select
import socket
from time import monotonic
from typing import Protocol


class Waiter(Protocol):
    """Waits for a socket on behalf of one thread or greenlet.

    `deadline` is a moment of `time.monotonic`. Both return when the operation is worth trying again, which includes
    that the connection has died, and raise TimeoutError when the deadline passes first.
    """

    def wait_readable(self, sock: socket.socket, deadline: float) -> None:
        """Wait until there is something to read."""

    def wait_writable(self, sock: socket.socket, deadline: float) -> None:
        """Wait until there is room to write."""


class SelectWaiter:
    """Blocks the calling thread. Without state: one serves any number of threads."""

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
    # Rounded up: waking a fraction of a millisecond early would only mean to poll again.
    if not poller.poll(max(0, math.ceil((deadline - monotonic()) * 1000))):
        raise TimeoutError("the deadline has passed")
