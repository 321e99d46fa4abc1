"""Requests that come in tiny pieces: they are answered, but pauses keep them from costing much."""

from __future__ import annotations

import time

import pytest

from geventcore.rpc import driving
from geventcore.rpc.driving import LONGEST_PAUSE_SECONDS, TINY_BYTES, TINY_PIECES, _Dribble


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(driving.time, "sleep", made.append)
    return made


def test_the_first_pieces_are_read_as_they_come(pauses: list[float]) -> None:
    dribble = _Dribble()
    for _ in range(TINY_PIECES):
        dribble.received(1, time.monotonic() + 60)
    assert pauses == []


def test_pauses_grow_to_the_longest(pauses: list[float]) -> None:
    dribble = _Dribble()
    for _ in range(TINY_PIECES + 20):
        dribble.received(TINY_BYTES - 1, time.monotonic() + 60)
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1] == LONGEST_PAUSE_SECONDS


def test_a_piece_of_usual_size_ends_them(pauses: list[float]) -> None:
    dribble = _Dribble()
    for size in [1] * TINY_PIECES + [TINY_BYTES] + [1] * TINY_PIECES:
        dribble.received(size, time.monotonic() + 60)
    assert pauses == []


def test_no_pause_is_longer_than_the_client_has_time(pauses: list[float]) -> None:
    dribble = _Dribble()
    for _ in range(TINY_PIECES + 20):
        dribble.received(1, time.monotonic())
    assert max(pauses) <= 0.01
