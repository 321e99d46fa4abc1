"""The moment to apply changes: when nobody is changing the repository any more.

A checkout, an upload or an administrator's script changes one file after the other. Clients must not get a part of
that. So the changes wait

* until the tree has been quiet for a moment, counted from the last change; for longer after a burst of changes than
  after a single edit, which shall show at once;
* while a version control tool holds its lock, however quiet it is;
* but no longer than a limit each, so that a file that changes all the time, or a lock that somebody left behind, does
  not keep changes from clients for ever.

The server's own writes do not count (`geventcore.filemonitor.own_writes`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from geventcore.filemonitor import FileMonitor
from geventcore.repository.checkout_locks import CheckoutLock, find_lock

log = logging.getLogger(__name__)

#: Changes of more files than this are a burst.
SINGLE_EDIT_CHANGES = 3
#: How much longer than after a single edit the tree has to be quiet after a burst. A busy machine makes a script pause.
BURST_FACTOR = 2.5
#: How long changes wait for quiet, in seconds: of few files, which something may write all the time, and of a burst.
MOST_SECONDS = 10.0
MOST_BURST_SECONDS = 30.0
#: How long changes wait for a lock to be released, in seconds. An older lock has been left behind.
MOST_LOCKED_SECONDS = 60.0
#: How often the tree is looked at meanwhile, in seconds.
LOOK_SECONDS = 0.05
#: The pause between two slices of detecting changes, in seconds: about as long as a slice.
PAUSE_SECONDS = 0.005


class Settling:
    """Waits until a repository has come to rest."""

    def __init__(self, path: Path, file_monitor: FileMonitor, quiet_seconds: Callable[[], float]) -> None:
        """`quiet_seconds` returns for how long the tree has to be quiet after a single edit."""
        self._path = path
        self._file_monitor = file_monitor
        self._quiet_seconds = quiet_seconds
        self._reported: Path | None = None

    def is_settled(self) -> bool:
        """Return true if nobody is changing the repository now."""
        self._look()
        return self._is_quiet() and self._lock() is None

    def is_unchanged(self) -> bool:
        """Return true if nothing has changed since the changes were applied, and nobody is about to change anything."""
        self._look()
        return not self._file_monitor.unsettled_changes and self._file_monitor.quiet_for() > 0 and self._lock() is None

    def wait(self, is_ending: Callable[[], bool] = lambda: False) -> bool:
        """Return true when the repository has settled, false if it did not within the limits."""
        began = time.monotonic()
        while not is_ending():
            if self.is_settled():
                return True
            waited = time.monotonic() - began
            if waited >= (MOST_BURST_SECONDS if self._is_burst() else MOST_SECONDS):
                lock = self._lock()
                if lock is None:
                    log.warning("%s: files have been changing for %.0f s; applying the changes", self._path, waited)
                    return False
                if waited >= MOST_LOCKED_SECONDS:
                    return False
            time.sleep(LOOK_SECONDS)
        return False

    def _look(self) -> None:
        """Detect changes, in slices between which others run."""
        while self._file_monitor.look():
            time.sleep(PAUSE_SECONDS)

    def _is_quiet(self) -> bool:
        seconds = self._quiet_seconds()
        if self._is_burst():
            seconds *= BURST_FACTOR
        return self._file_monitor.quiet_for() >= seconds

    def _is_burst(self) -> bool:
        return self._file_monitor.unsettled_changes > SINGLE_EDIT_CHANGES

    def _lock(self) -> CheckoutLock | None:
        """Return the lock to wait for. One that has been left behind is reported once."""
        lock = find_lock(self._path)
        if lock is None:
            self._reported = None
            return None
        if lock.age < MOST_LOCKED_SECONDS:
            return lock
        if lock.path != self._reported:
            self._reported = lock.path
            log.warning(
                "%s: applying changes although this lock exists, as it is %.0f s old; remove it if no version control "
                "tool is running",
                lock.path,
                lock.age,
            )
        return None
