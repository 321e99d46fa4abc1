"""The clock of clients' deadlines: it stands still while the server itself cannot run.

A server that gets no processor time, or whose event loop is late, makes its clients wait. That time must not count
against them, or overload would look like slow clients. So deadlines of connections are moments of `now`, not of
`time.monotonic`. The two agree while the server is on time.

Where clients are served, in the event loop or, in cores of threads, in a thread beside the others, `tick` is called
every `TICK_SECONDS`. A tick that comes late shows how long nothing else could run either. The clock never runs ahead of
a tick that is due, so a late deadline cannot pass before the lateness is known.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: The interval of ticks, in seconds. Longer stalls are measured; the shortest deadlines are about as long.
TICK_SECONDS = 0.25
#: A tick may be late by this much before the time counts as lost, in seconds: timers are not exact.
TOLERANCE_SECONDS = 0.05


class DeadlineClock:
    """A monotonic clock that lags behind by the time for which the server could not run."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lost = 0.0
        self._limit = math.inf

    @property
    def lost_seconds(self) -> float:
        """The time for which the server could not run, since it began."""
        return self._lost

    @property
    def is_started(self) -> bool:
        """True between `start` and `stop`."""
        return self._limit < math.inf

    def now(self) -> float:
        """Return the time in seconds. It does not pass the next tick."""
        # The limit is read first, and `tick` writes it last: in between, another thread sees the clock stand still.
        return min(self._limit, self._monotonic()) - self._lost

    def start(self) -> None:
        """Expect ticks from now on."""
        self._limit = self._monotonic() + TICK_SECONDS + TOLERANCE_SECONDS

    def tick(self) -> None:
        """Add the lateness of this tick to the lost time. Does nothing unless the clock is started."""
        if self.is_started:
            now = self._monotonic()
            self._lost += max(0.0, now - self._limit)
            self._limit = now + TICK_SECONDS + TOLERANCE_SECONDS

    def tick_in_thread(self) -> None:
        """Tick until `stop` is called; the body of a thread."""
        while self.is_started:
            time.sleep(TICK_SECONDS)
            self.tick()

    def stop(self) -> None:
        """Expect no more ticks."""
        self.tick()
        self._limit = math.inf


#: The clock of this process.
CLOCK = DeadlineClock()
#: Return the time of the process's clock, in seconds.
now = CLOCK.now
