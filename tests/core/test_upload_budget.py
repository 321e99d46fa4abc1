"""The budget for uploads: clients that stop in the middle, and those that wait for them."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from geventcore.core import uploads
from geventcore.core.uploads import MOST_OVERUSE, SILENT_SECONDS, LoopEvent, UploadBudget, UploadRoom

KB = 1024
SIZE = 400 * KB
#: A body as long as the budget.
LENGTH = SIZE


class Clock:
    """The clock of deadlines, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 100.0
        monkeypatch.setattr(uploads, "now", lambda: self.time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Uploader:
    """A connection; `is_cut_off` when the budget has said so."""

    def __init__(self, budget: UploadBudget, name: str) -> None:
        self.is_cut_off = False
        self.room = UploadRoom(budget, name, self._cut_off)

    def _cut_off(self) -> None:
        self.is_cut_off = True


def silent(budget: UploadBudget, name: str) -> Uploader:
    """A client that has sent all but the end, and stops."""
    uploader = Uploader(budget, name)
    assert uploader.room.ask(0, LENGTH, 0) is None
    assert uploader.room.ask(LENGTH - 1, LENGTH, LENGTH - 1) is None
    uploader.room.stalled(LENGTH - 1)
    return uploader


def full_budget() -> tuple[UploadBudget, list[Uploader]]:
    """A budget of which silent clients hold too much."""
    budget = UploadBudget(SIZE, LoopEvent, nullcontext())
    return budget, [silent(budget, f"silent {number}") for number in range(MOST_OVERUSE + 1)]


def test_who_is_silent_for_long_makes_way(clock: Clock) -> None:
    budget, holders = full_budget()
    waiting = Uploader(budget, "waiting")
    turn = waiting.room.ask(0, LENGTH, 0)
    assert turn is not None
    holders[0].room.stalled(LENGTH - 1)
    assert not any(holder.is_cut_off for holder in holders), "not yet"
    clock.time += SILENT_SECONDS
    holders[1].room.stalled(LENGTH - 1)
    assert [holder.is_cut_off for holder in holders] == [True, False, False], "the one that is silent for longest"
    assert not turn.event.is_set()
    holders[0].room.close()
    assert turn.event.is_set()


def test_nobody_is_cut_off_for_whom_nobody_waits(clock: Clock) -> None:
    _, holders = full_budget()
    clock.time += 10 * SILENT_SECONDS
    for holder in holders:
        holder.room.stalled(LENGTH - 1)
    assert not any(holder.is_cut_off for holder in holders)


def test_those_that_read_on_are_served_although_they_hold_too_much(clock: Clock) -> None:
    budget, holders = full_budget()
    turns = [holder.room.ask(LENGTH - 1, LENGTH, LENGTH - 1) for holder in holders]
    for holder, turn in zip(holders, turns, strict=True):
        assert turn is None or turn.event.is_set()
        if turn is not None:
            turn.finish()
        holder.room.close()
    assert not any(holder.is_cut_off for holder in holders)
    assert (budget.used, budget.waiting) == (0, 0)
