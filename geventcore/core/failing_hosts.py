"""The clients that could not be given their configuration at their last attempt.

Every process of the server knows all of them: each tells the others when a client begins or ceases to fail.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from geventcore.metrics.definitions import HOSTS_FAILING
from geventcore.workers.bus import Bus

#: The topic of the messages ``[host, is failing]``.
FAILING = "hosts: failing"
#: The most hosts that are remembered.
MOST_HOSTS = 100_000


class FailingHosts:
    """The names of the failing clients."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        self._hosts: set[str] = set()
        bus.subscribe(FAILING, self._told)

    @contextmanager
    def watching(self, host: str) -> Iterator[None]:
        """Note whether the block, which makes the configuration of a client, raises an exception."""
        try:
            yield
        except Exception:
            self.note(host, True)
            raise

    def note(self, host: str, is_failing: bool) -> None:
        """Note whether the configuration of a client could be made."""
        if is_failing is not (host in self._hosts) and self._set(host, is_failing):
            self._bus.tell(FAILING, [host, is_failing], machines=False)

    def _told(self, message: Any) -> None:
        self._set(str(message[0]), bool(message[1]))

    def _set(self, host: str, is_failing: bool) -> bool:
        with self._lock:
            if (host in self._hosts) is is_failing or (is_failing and len(self._hosts) >= MOST_HOSTS):
                return False
            (self._hosts.add if is_failing else self._hosts.discard)(host)
            return True

    def refresh(self) -> None:
        """Bring the metric up to date."""
        HOSTS_FAILING.set(len(self._hosts))
