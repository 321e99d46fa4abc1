"""Sources of waiting reports. A source hands out batches of lines and removes a batch when it is acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geventcore.reporting.spool import Spool


@dataclass(frozen=True)
class Batch:
    """A batch of lines from a source.

    Attributes:
        origin: name of their place in messages.
        lines: reports in the format of `geventcore.reporting.format`.
        acknowledge: called when all are stored. The source does not hand them out again, even if it cannot remove them
            at once.
        release: called instead if they are not stored.
        refuse: keeps invalid lines and returns the place. Raises `OSError` if they cannot be kept.
    """

    origin: str
    lines: Sequence[bytes]
    acknowledge: Callable[[], None]
    release: Callable[[], None]
    refuse: Callable[[Sequence[bytes]], object]


class Source(Protocol):
    """A place where reports wait."""

    def take(self) -> Batch | None:
        """Return the next reports. Return None if there are none or another process takes them.

        May wait for up to a second.

        Raises:
            DatabaseUnavailable: the source cannot be reached.
        """

    def close(self) -> None:
        """Let other processes take reports."""


class SpoolSource:
    """The files of a spool, oldest first."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._taken: set[Path] = set()
        #: Files with stored reports that could not be removed.
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
                # An administrator has removed it, so do not store it.
                self._release(path)
            except (OSError, MemoryError) as err:
                reason = getattr(err, "strerror", None) or type(err).__name__
                self._spool.pass_over(path, f"cannot read waiting reports: {reason}")
                self._release(path)
            else:
                return Batch(
                    str(path), lines, lambda: self._acknowledge(path), lambda: self._release(path), self._spool.refuse
                )
        return None

    def _take_file(self) -> Path | None:
        """Reserve the next file for this thread."""
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
            self._spool.pass_over(path, f"cannot remove the file, whose reports are stored: {err.strerror or err}")
        self._release(path)

    def close(self) -> None:
        """Let another process take files."""
        self._spool.unlock()
