"""Work that is done once for everybody who wants its result meanwhile.

A client that gives up waiting asks again, while its first request is still worked on. Whoever asks for what is being
made gets the same result, or the same failure, unless it could be too old: a request must see everything that had
happened when it came. So work that has begun to look at the world is joined only as long as nothing of that has
changed; work that waits to begin has seen nothing, and can always be joined.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

#: Entered by work while it looks at what may change, and holds what keeps it from being changed.
Looking = Callable[[], AbstractContextManager[None]]


class _Piece(Generic[T]):
    """One piece of work under way; without a result or failure at its end, it was given up."""

    def __init__(self) -> None:
        self.has_begun = False
        self.is_done = threading.Event()
        self.results: list[T] = []
        self.failure: Exception | None = None


class SharedWork(Generic[T]):
    """Pieces of work by key; may be used from any thread or greenlet."""

    def __init__(self, may_be_outdated: Callable[[], bool]) -> None:
        """`may_be_outdated` is asked before work that has begun is joined."""
        self._may_be_outdated = may_be_outdated
        self._pieces: dict[str, _Piece[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: str, work: Callable[[Looking], T]) -> T:
        """The result of work that is under way, or else of `work`; raises what it raises."""
        while True:
            piece, is_own = self._find_or_begin(key)
            if is_own:
                return self._do(key, piece, work)
            piece.is_done.wait()
            if piece.failure is not None:
                raise piece.failure
            if piece.results:
                return piece.results[0]

    def outdate(self, key: str | None = None) -> None:
        """What has begun is too old for whoever comes from now on: the work of one key, or all."""
        with self._lock:
            for name in [key] if key is not None else list(self._pieces):
                piece = self._pieces.get(name)
                if piece is not None and piece.has_begun:
                    del self._pieces[name]

    def _find_or_begin(self, key: str) -> tuple[_Piece[T], bool]:
        seen = self._pieces.get(key)
        if seen is not None and seen.has_begun and self._may_be_outdated():
            seen = None
        with self._lock:
            piece = self._pieces.get(key)
            if piece is not None and (piece is seen or not piece.has_begun):
                return piece, False
            piece = self._pieces[key] = _Piece()
            return piece, True

    def _do(self, key: str, piece: _Piece[T], work: Callable[[Looking], T]) -> T:
        @contextmanager
        def looking() -> Iterator[None]:
            with self._lock:
                piece.has_begun = True
            try:
                yield
            finally:
                self._take_off(key, piece)

        try:
            result = work(looking)
            piece.results.append(result)
            return result
        except Exception as err:
            piece.failure = err
            raise
        finally:
            self._take_off(key, piece)
            piece.is_done.set()

    def _take_off(self, key: str, piece: _Piece[T]) -> None:
        with self._lock:
            if self._pieces.get(key) is piece:
                del self._pieces[key]
