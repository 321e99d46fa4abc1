"""Where reports wait, and how they are taken out.

A source hands out batches of lines and forgets a batch when it is acknowledged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geventcore.reporting.spool import Spool


@dataclass(frozen=True)
class Batch:
    """Lines that a source hands out.

    Attributes:
        lines: reports, as `geventcore.reporting.format` writes them.
        acknowledge: called when all of them are stored: the source forgets them.
        release: called instead if they are not.
        refuse: keeps lines that nobody can store; returns where.
    """

    lines: Sequence[bytes]
    acknowledge: Callable[[], None]
    release: Callable[[], None]
    refuse: Callable[[Sequence[bytes]], object]


class Source(Protocol):
    """Where reports wait."""

    def take(self) -> Batch | None:
        """The next reports; None if there are none, or another process takes them. May wait for up to a second.

        `DatabaseUnavailable` if the source cannot be reached.
        """

    def close(self) -> None:
        """Let others take."""


class SpoolSource:
    """The files of a spool, oldest first."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._taken: set[Path] = set()
        self._lock = threading.Lock()

    def take(self) -> Batch | None:
        """See `Source.take`; several threads may call it."""
        with self._lock:
            if not self._spool.lock():
                return None
            path = next((path for path in self._spool.files() if path not in self._taken), None)
            if path is None:
                return None
            self._taken.add(path)
        lines = path.read_bytes().splitlines(keepends=True)

        def release() -> None:
            with self._lock:
                self._taken.discard(path)

        def acknowledge() -> None:
            self._spool.remove(path)
            release()

        return Batch(lines, acknowledge, release, self._spool.refuse)

    def close(self) -> None:
        """Let another process take."""
        self._spool.unlock()
