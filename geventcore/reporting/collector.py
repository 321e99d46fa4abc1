"""The report collector: takes reports from a transport's source and stores them in the database.

It keeps running while the database or Redis is unavailable. A report is removed from the source only after it is
stored.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from geventcore.backoff import Backoff
from geventcore.errors import GeventcoreError
from geventcore.reporting.delivery import OUTAGES, Sink, deliver
from geventcore.reporting.sources import Source
from geventcore.units import counted

log = logging.getLogger(__name__)

#: Pause after a source had no reports, in seconds.
IDLE_SECONDS = 0.5
#: Pauses between attempts to store something, in seconds. An attempt itself may wait for the database.
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
#: Interval of the log line with the number of stored reports, in seconds.
PROGRESS_SECONDS = 60.0
#: Delay of the first removal of old reports, and interval of further ones, in seconds.
FIRST_DAILY_SECONDS = 600.0
DAY_SECONDS = 86_400.0


class Collector:
    """The threads that store the reports of a source.

    Attributes:
        stored: number of stored reports.
    """

    def __init__(self, source: Source, sink: Sink, threads: int, daily: Callable[[], None]) -> None:
        """Set up a collector that calls `daily` once a day."""
        self._source = source
        self._sink = sink
        self._daily = daily
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.stored = 0
        #: The reason why the last attempt failed; "" if it succeeded.
        self._outage = ""
        self._threads = [
            *(
                threading.Thread(target=self._collect, name=f"collector {number}", daemon=True)
                for number in range(threads)
            ),
            threading.Thread(target=self._report, name="progress", daemon=True),
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float) -> bool:
        """Stop, and wait at most `patience` seconds for open batches. Return whether all threads have ended."""
        self._stopping.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._source.close()
        log.info("Stored %s since the start", counted(self.stored, "report"))
        return not any(thread.is_alive() for thread in self._threads)

    def _collect(self) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while not self._stopping.is_set():
            try:
                batch = self._source.take()
                if batch is None:
                    self._stopping.wait(IDLE_SECONDS)
                    continue
                count = deliver(batch, self._sink, lambda function, *args: function(*args))
                with self._lock:
                    self.stored += count
                    if self._outage:
                        self._outage = ""
                        log.info("storing reports works again")
                backoff.succeed()
            except OUTAGES as err:
                with self._lock:
                    if self._outage != str(err):
                        self._outage = str(err)
                        log.error("cannot store reports, retrying: %s", err)
                self._stopping.wait(backoff.fail())
            except Exception:
                log.exception("cannot store reports")
                self._stopping.wait(LONGEST_PAUSE_SECONDS)

    def _report(self) -> None:
        """Log the progress, and run the daily work."""
        said = 0
        next_daily = time.monotonic() + FIRST_DAILY_SECONDS
        while not self._stopping.wait(PROGRESS_SECONDS):
            with self._lock:
                stored = self.stored
            if stored > said:
                log.info("Stored %s, %d since the start", counted(stored - said, "report"), stored)
                said = stored
            if time.monotonic() >= next_daily:
                next_daily = time.monotonic() + DAY_SECONDS
                try:
                    self._daily()
                except GeventcoreError as err:
                    log.error("cannot remove old reports: %s", err)
