"""The number of hosts by the state of their last report, for the metrics.

The numbers are counted in a thread of their own when somebody asks for metrics, at most once a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from geventcore.errors import ConfigError, StorageError
from geventcore.metrics.definitions import HOSTS

if TYPE_CHECKING:
    from geventcore.storage.database import Database

log = logging.getLogger(__name__)

#: How long the numbers hold, in seconds.
COUNT_SECONDS = 60.0


class HostCounts:
    """Counts the hosts of a database."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counted_at = -COUNT_SECONDS
        self._is_counting = False

    def refresh(self) -> None:
        """Count again if the numbers are old; returns at once."""
        with self._lock:
            if self._is_counting or time.monotonic() - self._counted_at < COUNT_SECONDS:
                return
            self._is_counting = True
        threading.Thread(target=self._count, name="host counts", daemon=True).start()

    def _count(self) -> None:
        from geventcore.storage.report_queries import host_states

        try:
            for state, hosts in self._database().read(host_states).items():
                HOSTS.set(hosts, state)
        except (ConfigError, StorageError) as err:
            log.debug("the hosts cannot be counted: %s", err)
        finally:
            self._counted_at = time.monotonic()
            self._is_counting = False
