"""Names and addresses of hosts from the system's resolver.

Lookups block, sometimes for half a minute, and cannot be cancelled. So worker threads do them, and callers wait for a
limited time. A later result is cached for the next caller. An outdated result stays in use while it is refreshed.

Everything goes through the standard library's ``socket`` and ``threading``, which a core may make cooperative.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

#: The number of concurrent lookups.
WORKERS = 16
#: The time for which a result is valid, in seconds; addresses of servers seldom change.
ANSWER_SECONDS = 3600.0
#: The time for which a negative result is valid, in seconds. It is shorter, because the name may be new.
NO_ANSWER_SECONDS = 600.0

_Answer = tuple[frozenset[str], float]


class NameService:
    """A cache of each name's addresses, and of the names of those addresses."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        """Call `on_change`, from any thread, when a result differs from the last one."""
        self._on_change = on_change
        self._condition = threading.Condition()
        self._answers: dict[str, _Answer] = {}
        self._queue: deque[str] = deque()
        self._pending: set[str] = set()
        self._given_up: set[str] = set()
        self._workers = 0
        self._closed = False

    def look_up(self, names: Iterable[str], seconds: float) -> Mapping[str, frozenset[str]]:
        """Return name -> its addresses and their names, for the names with a result within `seconds`.

        A name is waited for only once: if its lookup takes longer, the name is missing until the result arrives.
        """
        names = list(names)
        with self._condition:
            now = time.monotonic()
            for name in names:
                if name not in self._pending and self._answers.get(name, (None, 0.0))[1] <= now:
                    self._pending.add(name)
                    self._queue.append(name)
            self._start_workers()
            awaited = [name for name in names if name not in self._answers and name not in self._given_up]
            if awaited:
                self._condition.wait_for(lambda: self._closed or self._pending.isdisjoint(awaited), seconds)
                self._given_up.update(self._pending.intersection(awaited))
            return {name: self._answers[name][0] for name in names if name in self._answers}

    def close(self) -> None:
        """Start no more lookups, and wake all waiting callers."""
        with self._condition:
            self._closed = True
            self._queue.clear()
            self._condition.notify_all()

    def _start_workers(self) -> None:
        while self._workers < min(WORKERS, len(self._pending)) and not self._closed:
            self._workers += 1
            threading.Thread(target=self._work, name="name lookup", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._condition:
                if not self._queue:
                    self._workers -= 1
                    return
                name = self._queue.popleft()
            found = names_and_addresses(name)
            now = time.monotonic()
            with self._condition:
                old = self._answers.get(name)
                self._answers[name] = (found, now + (ANSWER_SECONDS if found else NO_ANSWER_SECONDS))
                self._pending.discard(name)
                self._given_up.discard(name)
                self._condition.notify_all()
            if old is None or old[0] != found:
                self._on_change()


def names_and_addresses(name: str) -> frozenset[str]:
    """Look up the addresses of a name and the names of those addresses; blocks as long as the resolver does."""
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return frozenset()
    found = set(addresses)
    for address in addresses:
        try:
            official, aliases, _ = socket.gethostbyaddr(address)
        except (OSError, UnicodeError):
            continue
        found.update([official, *aliases])
    return frozenset(found)
