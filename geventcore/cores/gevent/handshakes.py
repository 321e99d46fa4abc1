"""Turns for TLS handshakes, so that many of them at once do not hold up requests that are under way.

A handshake computes for a millisecond where most steps of a request take a fraction of that, and whoever likes can
begin any number of handshakes. All that arrive at the same moment, one after the other, would keep everybody else
waiting until the last is done. So in each turn of the event loop only a few go on; then whoever else has something to
do comes first.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import gevent
from gevent.hub import Waiter

#: Of the event loop: after everything that has arrived.
_LOWEST_PRIORITY = -2


class HandshakeTurns:
    """Lets `count` steps of handshakes go on in each turn of the event loop, the longest waiting first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._left = count
        self._turn = 0.0
        self._waiting: deque[Waiter[None]] = deque()
        self._timer: Any = None

    def take(self) -> None:
        """Wait until it is this greenlet's turn."""
        loop = gevent.get_hub().loop
        # The loop looks at the clock once in each turn.
        now = loop.now()
        if now != self._turn:
            self._turn = now
            self._left = self._count
        if self._left > 0 and not self._waiting:
            self._left -= 1
            return
        waiter: Waiter[None] = Waiter()
        self._waiting.append(waiter)
        self._go_on_next_turn(loop)
        waiter.get()

    def _go_on_next_turn(self, loop: Any) -> None:
        if self._timer is None:
            self._timer = loop.timer(0.0, priority=_LOWEST_PRIORITY)
        if not self._timer.active:
            self._timer.start(self._go_on)

    def _go_on(self) -> None:
        for _ in range(min(self._count, len(self._waiting))):
            self._waiting.popleft().switch(None)
        self._timer.stop()
        if self._waiting:
            self._go_on_next_turn(gevent.get_hub().loop)
