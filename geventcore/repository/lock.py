"""The lock between renders and changes of the repository.

Renders hold it shared, and file events are applied under the exclusive lock, so that no render sees half a change. A
holder of the shared lock may take it again.

A waiting writer keeps new readers out, so that a busy server still applies changes; the readers that hold the lock
finish first. But one reader may take long, such as a plugin that waits for a server that does not respond, and the
others must not wait for it. So the writer keeps new readers out for a while, lets them in for as long, and then keeps
them out for twice as long. The change is applied as soon as all readers end while new ones are kept out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: For how long a writer first keeps new readers out, in seconds: most readers are done in a fraction of it.
FIRST_CLOSED_SECONDS = 0.5
#: For how long it does so at most: clients wait 90 seconds for an answer.
LONGEST_CLOSED_SECONDS = 16.0


class RepositoryLock:
    """Many readers or one writer.

    Attributes:
        changes: a number that increases whenever something may have changed.
    """

    def __init__(self) -> None:
        self.changes = 0
        guard = threading.Lock()
        self._may_read = threading.Condition(guard)
        self._may_write = threading.Condition(guard)
        self._readers = 0
        self._writing = False
        self._closing_writers = 0
        self._waiting_writers = 0
        self._held = threading.local()

    @property
    def is_held_here(self) -> bool:
        """True if the calling thread (or greenlet) holds the lock, shared or exclusively."""
        return getattr(self._held, "depth", 0) > 0

    @property
    def is_held_exclusively_here(self) -> bool:
        """True if the calling thread (or greenlet) holds the lock exclusively."""
        return self._writing and self.is_held_here

    @property
    def has_waiting_writers(self) -> bool:
        """True if a writer waits for readers to end."""
        return self._waiting_writers > 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock for reading the repository."""
        depth = getattr(self._held, "depth", 0)
        if depth == 0:
            with self._may_read:
                while self._writing or self._closing_writers:
                    self._may_read.wait()
                self._readers += 1
        self._held.depth = depth + 1
        try:
            yield
        finally:
            self._held.depth = depth
            if depth == 0:
                with self._may_write:
                    self._readers -= 1
                    if not self._readers:
                        self._may_write.notify()

    def note_change(self) -> None:
        """Count a change that takes effect at once, while renders are under way."""
        with self._may_write:
            self.changes += 1

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock for a change that renders see. `RuntimeError` if the caller holds it shared."""
        if self.is_held_here:
            raise RuntimeError("the repository lock is held shared here; it cannot be had exclusively")
        with self._may_write:
            self._waiting_writers += 1
            try:
                self._wait_for_readers()
                self._writing = True
                self.changes += 1
            finally:
                self._waiting_writers -= 1
        self._held.depth = 1
        try:
            yield
        finally:
            self._held.depth = 0
            with self._may_write:
                self._writing = False
                self._may_write.notify()
                self._may_read.notify_all()

    def _wait_for_readers(self) -> None:
        seconds = FIRST_CLOSED_SECONDS
        while True:
            self._closing_writers += 1
            try:
                if self._can_write_within(seconds):
                    return
            finally:
                self._closing_writers -= 1
                self._may_read.notify_all()
            if self._can_write_within(seconds):
                return
            seconds = min(2 * seconds, LONGEST_CLOSED_SECONDS)

    def _can_write_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._writing or self._readers:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            self._may_write.wait(remaining)
        return True
