"""The monitor that scans everything at intervals: for file systems that report no changes, such as NFS.

A scan lists every monitored directory and reads the state of each entry. It runs in short slices, with a pause for
other work after each, and takes at most a small share of one processor's time: the more files, the longer the interval.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from geventcore.filemonitor.queue import QueuedMonitor

#: Seconds from the end of a scan to the next one, if scans are fast enough.
INTERVAL_SECONDS = 1.0

#: Seconds from the end of a scan to the next one while changes wait to be applied.
LOOK_SECONDS = 0.1

#: The share of one processor's time that scans may take. A scan of 10,000 files in 2,000 directories takes from 70 ms
#: to 130 ms on a busy machine, so such a repository is scanned every 1.5 to 2.5 seconds.
PROCESSOR_SHARE = 0.05

#: The length of one slice of a scan, in seconds. Other work waits for at most this long.
SLICE_SECONDS = 0.005


class Polling(QueuedMonitor):
    """A monitor that compares files with their last known state, at intervals."""

    name = "Polling"

    def __init__(self, ignore: Sequence[str], interval: float = INTERVAL_SECONDS) -> None:
        """Set the least number of seconds between two scans to `interval`."""
        super().__init__(ignore)
        self._interval = interval
        self._is_started = False
        self._to_scan: Iterator[str] | None = None
        self._scan_seconds = 0.0
        self._next_scan = 0.0
        self._next_look = 0.0
        self._scan_began = 0.0
        self._last_scan_began = 0.0

    def start(self) -> None:
        """See `FileMonitor.start`."""
        with self._changed:
            self._is_started = True
            for handle in list(self._snapshots):
                self._refresh(handle)
            self._next_scan = time.monotonic() + self._interval
            self._wake()

    def wait(self, timeout: float) -> bool:
        """See `FileMonitor.wait`."""
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                if self._queue or self._is_shut_down:
                    return bool(self._queue)
                now = time.monotonic()
                is_due = self._is_started and now >= self._next_scan
                if is_due:
                    self._scan_slice()
                    if self._queue:
                        return True
                if now >= deadline:
                    return False
                if not is_due:
                    until = min(deadline, self._next_scan) if self._is_started else deadline
                    self._changed.wait(until - now)
            if is_due:
                time.sleep(0)

    def look(self) -> bool:
        """See `FileMonitor.look`. Scans follow each other faster than in `wait`: changes are about to be applied."""
        with self._changed:
            if self._is_started and (self._to_scan is not None or time.monotonic() >= self._next_look):
                self._scan_slice()
            return self._to_scan is not None

    def _seconds_since_last_change(self) -> float:
        """Only a scan that has found nothing tells that nothing has changed."""
        if not self._is_started:
            return super()._seconds_since_last_change()
        return max(0.0, self._last_scan_began - self._last_change)

    def _scan_slice(self) -> None:
        """Continue the scan, or begin one if none is running."""
        if self._to_scan is None:
            self._to_scan = iter(list(self._snapshots))
            self._scan_seconds = 0.0
            self._scan_began = time.monotonic()
        began = time.monotonic()
        for handle in self._to_scan:
            self._refresh(handle)
            if time.monotonic() - began >= SLICE_SECONDS:
                self._scan_seconds += time.monotonic() - began
                return
        now = time.monotonic()
        self._scan_seconds += now - began
        self._next_scan = now + max(self._interval, self._scan_seconds / PROCESSOR_SHARE)
        self._next_look = now + max(LOOK_SECONDS, self._scan_seconds)
        self._last_scan_began = self._scan_began
        self._to_scan = None
