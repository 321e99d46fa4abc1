"""What ``geventcore report-collector`` does: takes reports from where the server has put them, and stores them.

It goes on while the database, or Redis, is gone: nothing is taken for good before it is stored.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from geventcore.errors import GeventcoreError
from geventcore.reporting.delivery import OUTAGES, Sink, deliver
from geventcore.reporting.sources import Source

log = logging.getLogger(__name__)

#: How long to wait before a source that had nothing is asked again, in seconds.
IDLE_SECONDS = 0.5
#: Pauses between attempts to store something, in seconds. An attempt itself may wait for the database.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
#: How often the log says how many reports were stored, in seconds.
PROGRESS_SECONDS = 60.0
#: How long before old reports are looked for, in seconds, and how often from then on.
FIRST_DAILY_SECONDS = 600.0
DAY_SECONDS = 86_400.0


class Collector:
    """Threads that store what a source has.

    Attributes:
        stored: how many reports have been stored.
    """

    def __init__(self, source: Source, sink: Sink, threads: int, daily: Callable[[], None]) -> None:
        """`daily` is called once a day."""
        self._source = source
        self._sink = sink
        self._daily = daily
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.stored = 0
        #: Why nothing could be stored lately; "" if something was.
        self._outage = ""
        self._threads = [
            *(
                threading.Thread(target=self._collect, name=f"collector {number}", daemon=True)
                for number in range(threads)
            ),
            threading.Thread(target=self._report, name="progress", daemon=True),
        ]

    def start(self) -> None:
        """Start to store."""
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float) -> bool:
        """Finish what is under way, for at most `patience` seconds; whether that was enough."""
        self._stopping.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._source.close()
        log.info("%d reports have been stored", self.stored)
        return not any(thread.is_alive() for thread in self._threads)

    def _collect(self) -> None:
        pause = FIRST_PAUSE
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
                        log.info("Reports can be stored again")
                pause = FIRST_PAUSE
            except OUTAGES as err:
                with self._lock:
                    if self._outage != str(err):
                        self._outage = str(err)
                        log.error("Reports wait, because they cannot be stored: %s", err)
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            except Exception:
                log.exception("Reports cannot be stored")
                self._stopping.wait(LONGEST_PAUSE)

    def _report(self) -> None:
        """Say how it goes, and do what is to be done once a day."""
        said = 0
        next_daily = time.monotonic() + FIRST_DAILY_SECONDS
        while not self._stopping.wait(PROGRESS_SECONDS):
            with self._lock:
                stored = self.stored
            if stored > said:
                log.info("%d reports stored, %d since the start", stored - said, stored)
                said = stored
            if time.monotonic() >= next_daily:
                next_daily = time.monotonic() + DAY_SECONDS
                try:
                    self._daily()
                except GeventcoreError as err:
                    log.error("Old reports cannot be removed: %s", err)
