"""Single flight: work that several callers want at the same time is done once.

A client that gives up waiting calls again while its first request is still worked on. Whoever asks for a result that is
being made gets the same result, or the same failure, unless it could be outdated: a request must see everything that
had happened when it came. So a flight that has begun to read is joined only while nothing has changed since. A flight
that still waits has read nothing and can always be joined.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

#: Entered by the work while it reads what may change, and holds what keeps that from being changed.
Reading = Callable[[], AbstractContextManager[None]]


class _Flight(Generic[T]):
    """Work under way. Without a result or failure at its end, it was given up."""

    def __init__(self) -> None:
        self.has_read = False
        self.is_done = threading.Event()
        self.results: list[T] = []
        self.failure: Exception | None = None


class SingleFlight(Generic[T]):
    """Flights by key. It may be used from any thread or greenlet."""

    def __init__(self, may_be_outdated: Callable[[], bool]) -> None:
        """`may_be_outdated` is asked before a flight that has begun to read is joined."""
        self._may_be_outdated = may_be_outdated
        self._flights: dict[str, _Flight[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: str, work: Callable[[Reading], T]) -> T:
        """Return the result of the flight under way, or else of `work`; raise what it raises."""
        while True:
            flight, is_own = self._join_or_begin(key)
            if is_own:
                return self._do(key, flight, work)
            flight.is_done.wait()
            if flight.failure is not None:
                raise flight.failure
            if flight.results:
                return flight.results[0]

    def outdate(self, key: str | None = None) -> None:
        """Let no new caller join the flight of one key, or any flight, that has begun to read."""
        with self._lock:
            for name in [key] if key is not None else list(self._flights):
                flight = self._flights.get(name)
                if flight is not None and flight.has_read:
                    del self._flights[name]

    def _join_or_begin(self, key: str) -> tuple[_Flight[T], bool]:
        seen = self._flights.get(key)
        if seen is not None and seen.has_read and self._may_be_outdated():
            seen = None
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and (flight is seen or not flight.has_read):
                return flight, False
            flight = self._flights[key] = _Flight()
            return flight, True

    def _do(self, key: str, flight: _Flight[T], work: Callable[[Reading], T]) -> T:
        @contextmanager
        def reading() -> Iterator[None]:
            with self._lock:
                flight.has_read = True
            try:
                yield
            finally:
                self._remove(key, flight)

        try:
            result = work(reading)
            flight.results.append(result)
            return result
        except Exception as err:
            flight.failure = err
            raise
        finally:
            self._remove(key, flight)
            flight.is_done.set()

    def _remove(self, key: str, flight: _Flight[T]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
