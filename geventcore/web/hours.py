"""The runs of each hour, for the trend and the calendar.

Counting an hour of a large site reads some ten thousand rows of an index. Hours that are over hardly change, so the
counts are kept. A page counts missing hours for a limited time only; a thread counts the others, and the page says so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geventcore.errors import GeventcoreError
from geventcore.storage.fleet_queries import HourRow, period
from geventcore.storage.report_queries import now_milliseconds
from geventcore.web.database import ReportDatabase

log = logging.getLogger(__name__)

HOUR = 3_600_000
#: How long a page counts, in seconds.
PAGE_SECONDS = 0.04
#: How long counts hold, in seconds: of the hours that may get more reports, and of older ones, for late reports.
RECENT_SECONDS, OLD_SECONDS = 20.0, 3600.0
#: The most hours that are kept: a quarter of a year.
MOST_HOURS = 24 * 92


@dataclass(frozen=True)
class Hours:
    """Consecutive hours; the count of an hour is None as long as it is not known.

    Attributes:
        start: beginning of the first hour in milliseconds since the epoch.
        rows: the counts.
    """

    start: int
    rows: Sequence[HourRow | None]

    @property
    def is_complete(self) -> bool:
        """True if all hours are counted."""
        return None not in self.rows


class HourReader:
    """Counts hours, newest first."""

    def __init__(self, database: ReportDatabase) -> None:
        self._database = database
        self._known: dict[int, tuple[float, HourRow]] = {}
        self._missing: set[int] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def get(self, start: int, count: int) -> Hours:
        """Return hours from a time in milliseconds since the epoch, which is the beginning of an hour.

        Raises:
            StorageError: the database cannot be read.
        """
        wanted = [start + number * HOUR for number in range(count)]
        began = time.monotonic()
        missing = [hour for hour in reversed(wanted) if hour < now_milliseconds() and not self._is_fresh(hour)]
        while missing and time.monotonic() - began < PAGE_SECONDS:
            # Some at once, so that a page with many small hours needs few connections.
            batch, missing = missing[:2], missing[2:]
            self._count(batch)
        if missing:
            self._count_later(missing)
        nothing = HourRow(0, 0, 0, 0, 0, 0, None)
        rows = [self._known[hour][1] if hour in self._known else None for hour in wanted]
        future = now_milliseconds()
        return Hours(start, [nothing if hour >= future else row for hour, row in zip(wanted, rows, strict=True)])

    @property
    def is_counting(self) -> bool:
        """True while a thread counts hours."""
        return self._thread is not None and self._thread.is_alive()

    def _is_fresh(self, hour: int) -> bool:
        known = self._known.get(hour)
        return known is not None and known[0] > time.monotonic()

    def _count(self, hours: Sequence[int]) -> None:
        def read(connection: Any) -> dict[int, HourRow]:
            return {hour: period(connection, hour, hour + HOUR) for hour in hours}

        for hour, row in self._database.read(read).items():
            is_recent = now_milliseconds() - hour < 2 * HOUR
            self._known[hour] = time.monotonic() + (RECENT_SECONDS if is_recent else OLD_SECONDS), row
        if len(self._known) > MOST_HOURS:
            for hour in sorted(self._known)[: len(self._known) - MOST_HOURS]:
                del self._known[hour]

    def _count_later(self, hours: Sequence[int]) -> None:
        with self._lock:
            self._missing.update(hours)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="hours", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._missing:
                    self._thread = None
                    return
                hour = max(self._missing)
                self._missing.discard(hour)
            try:
                if not self._is_fresh(hour):
                    self._count([hour])
            except GeventcoreError as err:
                log.debug("cannot count the runs of an hour: %s", err)
                with self._lock:
                    self._missing.clear()
            # Pages come first.
            time.sleep(0.005)
