"""How many configurations are built at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.lock import Semaphore

#: How long a request for a configuration waits before it looks whether those before it do anything, in seconds.
PATIENCE_SECONDS = 0.05


class RenderSlots:
    """Lets a number of greenlets compute, and further ones if all of those only wait.

    A greenlet that holds a slot and has to wait, for a socket or a program, cannot be told from outside. But it does
    not breathe. So whoever has waited for a while in which nobody breathed goes on without a slot.
    """

    def __init__(self, count: int) -> None:
        self._slots = Semaphore(count)
        self._progress = 0

    def breathed(self) -> None:
        """Note that somebody computes."""
        self._progress += 1

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Compute in the block, when it is this greenlet's turn."""
        has_slot = self._wait()
        try:
            yield
        finally:
            self._progress += 1
            if has_slot:
                self._slots.release()

    def _wait(self) -> bool:
        while True:
            seen = self._progress
            if self._slots.acquire(timeout=PATIENCE_SECONDS):
                return True
            if seen == self._progress:
                return False
