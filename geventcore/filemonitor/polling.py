"""The monitor that looks at everything again and again: for file systems that report no changes, such as NFS.

A scan lists every monitored directory and asks for the state of each entry. It is done in short slices, with a pause
for others after each, and never takes more than a small share of one processor's time: the more there is to look at,
the longer the interval becomes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from geventcore.filemonitor.queue import QueuedMonitor

#: Seconds from the end of a scan to the next one, if scans are fast enough.
INTERVAL = 1.0

#: The share of one processor's time that scans may take. A scan of 10,000 files in 2,000 directories takes from 70 ms
#: to 130 ms on a busy machine, so they are looked at every 1.5 to 2.5 seconds.
PROCESSOR_SHARE = 0.05

#: How long others have to wait for a scan, in seconds.
SLICE = 0.005


class Polling(QueuedMonitor):
    """Compares what is there with what was known, at intervals."""

    name = "Polling"

    def __init__(self, ignore: Sequence[str], interval: float = INTERVAL) -> None:
        """`interval`: the least number of seconds between two scans."""
        super().__init__(ignore)
        self._interval = interval
        self._is_started = False
        self._to_scan: Iterator[str] | None = None
        self._scan_seconds = 0.0
        self._next_scan = 0.0

    def start(self) -> None:
        """See `FileMonitor.start`."""
        with self._changed:
            self._is_started = True
            for handle in list(self._snapshots):
                self._look_at(handle)
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

    def _scan_slice(self) -> None:
        """Go on with the scan, or begin one."""
        if self._to_scan is None:
            self._to_scan = iter(list(self._snapshots))
            self._scan_seconds = 0.0
        began = time.monotonic()
        for handle in self._to_scan:
            self._look_at(handle)
            if time.monotonic() - began >= SLICE:
                self._scan_seconds += time.monotonic() - began
                return
        now = time.monotonic()
        self._scan_seconds += now - began
        self._next_scan = now + max(self._interval, self._scan_seconds / PROCESSOR_SHARE)
        self._to_scan = None
