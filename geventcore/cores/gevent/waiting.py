"""Waiting for a socket while other greenlets run."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import Waiter
from gevent.monkey import get_original

from geventcore.deadline_clock import now

#: The original function: its poll object is asked without waiting.
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
    while (remaining := deadline - now()) > 0:
        if _wait_for(sock, remaining, events):
            return
        # The clock may have stood still meanwhile: then there is time left.
    raise TimeoutError("the deadline has passed")


def _wait_for(sock: socket.socket, seconds: float, events: int) -> bool:
    """Wait until the socket is ready, at most for so many seconds; returns whether it is."""
    hub = gevent.get_hub()
    # The watcher or the timer switches back, whichever is first. gevent.Timeout would take twice as long.
    waiter: Waiter[bool] = Waiter(hub)
    watcher = hub.loop.io(sock.fileno(), events)
    timer = hub.loop.timer(seconds)
    try:
        watcher.start(waiter.switch, True)
        timer.start(waiter.switch, False)
        is_ready = waiter.get()
    finally:
        watcher.close()
        timer.close()
    # A busy event loop may call the timer although data has come in time.
    return is_ready or _is_ready(sock, events)


def _is_ready(sock: socket.socket, events: int) -> bool:
    poll = _poll()
    poll.register(sock.fileno(), select.POLLIN if events == 1 else select.POLLOUT)
    return bool(poll.poll(0))
