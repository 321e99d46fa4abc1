"""Requests that come in tiny pieces: nothing of them is lost, but they are taken a few at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from geventcore.rpc import blocking_driver as driving
from geventcore.rpc.blocking_driver import LONGEST_PAUSE_SECONDS, TINY_BYTES, TINY_PIECES, SlowSenderThrottle


class Pieces:
    """A stream on which pieces have come; there are no more after them, or the peer has closed."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        if not self._pieces:
            raise TimeoutError
        return self._pieces.pop(0)

    def send_all(self, data: Sequence[bytes], deadline: float) -> None:
        raise AssertionError("nothing is sent")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(driving.time, "sleep", made.append)
    return made


def later() -> float:
    return time.monotonic() + 60


def test_the_first_pieces_are_taken_as_they_come(pauses: list[float]) -> None:
    throttle = SlowSenderThrottle()
    for _ in range(TINY_PIECES):
        assert throttle.complete(b"x", Pieces(b"y"), later()) == b"x"
    assert pauses == []


def test_what_gathers_is_taken_at_once_and_whole(pauses: list[float]) -> None:
    throttle = SlowSenderThrottle()
    for _ in range(TINY_PIECES):
        throttle.complete(b"x", Pieces(), later())
    assert throttle.complete(b"a", Pieces(b"b", b"c" * 1000, b"d"), later()) == b"ab" + b"c" * 1000 + b"d"
    assert throttle.complete(b"a", Pieces(b"b", b"", b"never"), later()) == b"ab"
    assert len(pauses) == 2


def test_pauses_grow_to_the_longest(pauses: list[float]) -> None:
    throttle = SlowSenderThrottle()
    for _ in range(TINY_PIECES + 20):
        throttle.complete(b"x" * (TINY_BYTES - 1), Pieces(), later())
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1] == LONGEST_PAUSE_SECONDS


def test_a_piece_of_usual_size_ends_them(pauses: list[float]) -> None:
    throttle = SlowSenderThrottle()
    for size in [1] * TINY_PIECES + [TINY_BYTES] + [1] * TINY_PIECES:
        throttle.complete(b"x" * size, Pieces(), later())
    assert pauses == []


def test_no_pause_is_longer_than_the_client_has_time(pauses: list[float]) -> None:
    throttle = SlowSenderThrottle()
    for _ in range(TINY_PIECES + 20):
        throttle.complete(b"x", Pieces(), time.monotonic())
    assert max(pauses) <= 0.01
