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
        origin: what messages call the place that they are from.
        lines: reports, as `geventcore.reporting.format` writes them.
        acknowledge: called when all of them are stored: the source forgets them, and does not hand them out again even
            if it cannot get rid of them at once.
        release: called instead if they are not.
        refuse: keeps lines that nobody can store; returns where. `OSError` if that cannot be done.
    """

    origin: str
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
        #: What is stored, and could not be removed.
        self._stored: set[Path] = set()
        self._lock = threading.Lock()

    def take(self) -> Batch | None:
        """See `Source.take`; several threads may call it."""
        while (path := self._take_file()) is not None:
            if path in self._stored:
                self._acknowledge(path)
                continue
            try:
                lines = path.read_bytes().splitlines(keepends=True)
            except FileNotFoundError:
                # Somebody has removed it, who may: then it is not ours to store.
                self._release(path)
            except (OSError, MemoryError) as err:
                reason = getattr(err, "strerror", None) or type(err).__name__
                self._spool.pass_over(path, f"waits to be stored, and cannot be read: {reason}")
                self._release(path)
            else:
                return Batch(
                    str(path), lines, lambda: self._acknowledge(path), lambda: self._release(path), self._spool.refuse
                )
        return None

    def _take_file(self) -> Path | None:
        """The next file, for this thread alone."""
        with self._lock:
            if not self._spool.lock():
                return None
            path = next((path for path in self._spool.files() if path not in self._taken), None)
            if path is not None:
                self._taken.add(path)
            return path

    def _release(self, path: Path) -> None:
        with self._lock:
            self._taken.discard(path)

    def _acknowledge(self, path: Path) -> None:
        try:
            self._spool.remove(path)
            self._stored.discard(path)
        except OSError as err:
            self._stored.add(path)
            self._spool.pass_over(path, f"is stored, and cannot be removed: {err.strerror or err}")
        self._release(path)

    def close(self) -> None:
        """Let another process take."""
        self._spool.unlock()
