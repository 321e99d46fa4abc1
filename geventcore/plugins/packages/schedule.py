"""Keeping sources fresh in the background, with a thread in each process of a server.

The states of sources are in the cache, so the processes need no agreement: the first one that finds a source due
fetches it, and the others see that it has been.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping

from geventcore.plugins.packages.cache import SourceState
from geventcore.plugins.packages.kinds.base import Origin
from geventcore.plugins.packages.store import SourceStore

log = logging.getLogger(__name__)

#: How often the thread looks for data that others have fetched, in seconds, where no file monitor tells.
POLL_SECONDS = 30.0
#: A source that fails is tried again after this time, in seconds, if the interval is not shorter.
RETRY_SECONDS = 900.0
#: The largest part of the interval by which a refresh is early or late.
JITTER = 0.1


def due_times(states: Mapping[Origin, SourceState], interval: float) -> dict[Origin, float]:
    """Return the time at which each source is to be fetched again, in seconds since the epoch."""
    return {
        origin: state.checked + min(interval, RETRY_SECONDS)
        if state.is_failing
        else max(state.checked, state.fetched) + interval
        for origin, state in states.items()
        if not origin.is_empty
    }


class RefreshThread:
    """The thread of one process."""

    def __init__(
        self,
        store: SourceStore,
        interval: Callable[[], float | None],
        tell_others: Callable[[], object],
        do_later: Callable[[], object],
    ) -> None:
        """`interval` returns the time between two refreshes in seconds, None for never. `tell_others` tells them.

        `do_later` is called after each look at the sources.
        """
        self._store = store
        self._interval = interval
        self._tell_others = tell_others
        self._do_later = do_later
        self._wake = threading.Event()
        self._is_stopping = False
        self._jitter = 1.0
        self._thread = threading.Thread(target=self._work, name="package sources", daemon=True)

    def start(self) -> None:
        """Begin to keep sources fresh."""
        self._store.fetch_later = self.wake
        self._thread.start()

    def wake(self) -> None:
        """Have the thread look at the sources soon."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread; returns at once."""
        self._is_stopping = True
        self._wake.set()

    def _work(self) -> None:
        while not self._is_stopping:
            self._jitter = random.uniform(1 - JITTER, 1 + JITTER)
            try:
                self._store.fetch_pending()
                self._store.reload()
                self._do_later()
                seconds = self._refresh_due()
            # A boundary: the thread must not end.
            except Exception:
                log.exception("Package sources cannot be refreshed")
                seconds = POLL_SECONDS
            self._wake.wait(max(0.0, min(seconds, POLL_SECONDS)))
            self._wake.clear()

    def _refresh_due(self) -> float:
        """Fetch the sources that are due; returns the time until the next one is."""
        interval = self._interval()
        if interval is None:
            return POLL_SECONDS
        interval *= self._jitter
        now = time.time()
        due = due_times(self._store.states, interval)
        late = {origin for origin, moment in due.items() if moment <= now}
        if not late:
            return min(due.values(), default=now + POLL_SECONDS) - now
        # Another process may have fetched them in the meantime.
        self._store.refresh(dict.fromkeys(late, now))
        self._tell_others()
        return POLL_SECONDS
