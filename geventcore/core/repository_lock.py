"""The lock between renders and changes of the repository.

Renders hold it shared, file events are applied under it exclusively, so that no render sees half a change. Whoever
holds it shared may take it shared again. Waiting writers keep new readers out, so that a busy server still applies
changes; the readers that are in finish first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class RepositoryLock:
    """Many readers or one writer."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._readers = 0
        self._writing = False
        self._waiting_writers = 0
        self._held = threading.local()

    @property
    def is_held_here(self) -> bool:
        """Whether the calling thread (or greenlet) holds the lock, shared or exclusively."""
        return getattr(self._held, "depth", 0) > 0

    @property
    def is_held_exclusively_here(self) -> bool:
        """Whether the calling thread (or greenlet) holds the lock for changing something."""
        return self._writing and self.is_held_here

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock for reading the repository."""
        depth = getattr(self._held, "depth", 0)
        if depth == 0:
            with self._condition:
                while self._writing or self._waiting_writers:
                    self._condition.wait()
                self._readers += 1
        self._held.depth = depth + 1
        try:
            yield
        finally:
            self._held.depth = depth
            if depth == 0:
                with self._condition:
                    self._readers -= 1
                    if not self._readers:
                        self._condition.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock for changing what renders see; must not be asked for while it is held shared."""
        if self.is_held_here:
            raise RuntimeError("the repository lock is held shared here; it cannot be had exclusively")
        with self._condition:
            self._waiting_writers += 1
            try:
                while self._writing or self._readers:
                    self._condition.wait()
                self._writing = True
            finally:
                self._waiting_writers -= 1
        self._held.depth = 1
        try:
            yield
        finally:
            self._held.depth = 0
            with self._condition:
                self._writing = False
                self._condition.notify_all()
