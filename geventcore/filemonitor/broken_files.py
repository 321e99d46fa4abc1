"""The files that handlers of file events cannot use at the moment.

A failure is remembered until the same handler has used the file again, or the file is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import replace

from geventcore.filemonitor.base import BrokenFile, EventHandler


class BrokenFiles:
    """The failures of all handlers. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[tuple[int, str], BrokenFile] = {}
        self._used: set[tuple[int, str]] = set()

    def note_failure(self, handler: EventHandler, path: str, reason: str) -> None:
        """A handler cannot use a file."""
        key = (id(handler), path)
        with self._lock:
            known = self._failures.get(key)
            since = time.time() if known is None else known.since
            self._failures[key] = BrokenFile(path, reason, since, keeps_last=key in self._used)

    def note_success(self, handler: EventHandler, path: str, reads: Iterable[str], *, is_gone: bool) -> None:
        """A handler has used a file, and everything that it has read for that; or has taken note of its end."""
        number = id(handler)
        with self._lock:
            for used in {path, *reads}:
                key = (number, used)
                self._failures.pop(key, None)
                if is_gone:
                    self._used.discard(key)
                else:
                    self._used.add(key)

    def list(self) -> list[BrokenFile]:
        """The files that cannot be used now, the oldest failure first; each once."""
        with self._lock:
            found = list(self._failures.values())
        by_path: dict[str, BrokenFile] = {}
        for file in sorted(found, key=lambda file: file.since):
            known = by_path.get(file.path)
            if known is None:
                by_path[file.path] = file
            elif not file.keeps_last:
                by_path[file.path] = replace(known, keeps_last=False)
        return list(by_path.values())
