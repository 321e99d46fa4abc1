"""How a greenlet waits for a socket while others run."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import Waiter
from gevent.monkey import get_original

#: The system's own, which does not wait.
_poll: Callable[[], Any] = get_original("select", "poll")


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
    # A watcher and a timer, and whichever comes first switches back: half of what gevent.Timeout would take.
    waiter: Waiter[bool] = Waiter(hub)
    watcher = hub.loop.io(sock.fileno(), events)
    timer = hub.loop.timer(remaining)
    try:
        watcher.start(waiter.switch, True)
        timer.start(waiter.switch, False)
        is_ready = waiter.get()
    finally:
        watcher.close()
        timer.close()
    # A busy server may have been too late to see what had come in time.
    if not is_ready and not _is_ready(sock, events):
        raise TimeoutError("the deadline has passed")


def _is_ready(sock: socket.socket, events: int) -> bool:
    poll = _poll()
    poll.register(sock.fileno(), select.POLLIN if events == 1 else select.POLLOUT)
    return bool(poll.poll(0))
