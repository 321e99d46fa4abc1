"""Names and addresses of hosts, as the system's resolver knows them.

Lookups block, sometimes for half a minute, and cannot be stopped. So they are made by some threads, whoever asks waits
for a bounded time, and what comes later is there for the next one who asks. Answers are remembered; one that has grown
old stays in use while it is looked up again.

Everything goes through the standard library's ``socket`` and ``threading``, which a core may make cooperative.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

#: How many lookups are made at the same time.
WORKERS = 16
#: How long an answer is good, in seconds; names of servers seldom change their addresses.
ANSWER_SECONDS = 3600.0
#: The same, of the answer that there is none: the name may be new.
NO_ANSWER_SECONDS = 600.0

_Answer = tuple[frozenset[str], float]


class NameService:
    """Remembers for each name its addresses and the names of those."""

    def __init__(self, on_news: Callable[[], None]) -> None:
        """`on_news` is called, by any thread, when there is an answer that is not the same as before."""
        self._on_news = on_news
        self._condition = threading.Condition()
        self._answers: dict[str, _Answer] = {}
        self._queue: deque[str] = deque()
        self._pending: set[str] = set()
        self._given_up: set[str] = set()
        self._workers = 0
        self._closed = False

    def look_up(self, names: Iterable[str], seconds: float) -> Mapping[str, frozenset[str]]:
        """Name -> its addresses and their names, for those names whose answers are there within some seconds.

        Nobody waits twice for a name: one that takes longer is missing until its answer comes.
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
        """Start no more lookups, and let nobody wait."""
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
                self._on_news()


def names_and_addresses(name: str) -> frozenset[str]:
    """The addresses of a name and the names of those addresses; takes as long as the resolver does."""
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
