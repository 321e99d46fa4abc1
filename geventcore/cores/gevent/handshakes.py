"""Turns for TLS handshakes, so that many of them at once do not delay requests that are under way.

A step of a handshake computes for a millisecond, most steps of a request for a fraction of that, and any client can
begin any number of handshakes. Handshakes that arrive together would delay all requests until the last one is done. So
each turn of the event loop computes only a few steps; then other greenlets run.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import gevent
from gevent.hub import Waiter

#: The priority of timers in the event loop that run after all other events.
_LOWEST_PRIORITY = -2


class HandshakeTurns:
    """Runs `count` steps of handshakes in each turn of the event loop, in the order of their arrival."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._left = count
        self._turn = 0.0
        self._waiting: deque[Waiter[None]] = deque()
        self._timer: Any = None

    def take(self) -> None:
        """Wait until this greenlet may compute a step."""
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
