"""The clock of clients' deadlines."""

from __future__ import annotations

import threading
import time

import pytest

from geventcore.deadline_clock import TICK_SECONDS, TOLERANCE_SECONDS, DeadlineClock


class Clock:
    """A monotonic clock that is set by hand, and the clock under test."""

    def __init__(self) -> None:
        self.time = 100.0
        self.deadline = DeadlineClock(lambda: self.time)

    def pass_by(self, seconds: float, ticks: bool = True) -> None:
        """Let time go by, with a tick at every interval or none."""
        end = self.time + seconds
        while ticks and self.time + TICK_SECONDS <= end:
            self.time += TICK_SECONDS
            self.deadline.tick()
        self.time = end


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_is_the_usual_clock_without_ticks(clock: Clock) -> None:
    clock.pass_by(50, ticks=False)
    clock.deadline.tick()
    assert clock.deadline.now() == 150


def test_it_is_the_usual_clock_while_ticks_are_on_time(clock: Clock) -> None:
    clock.deadline.start()
    clock.pass_by(50)
    assert clock.deadline.now() == 150
    assert clock.deadline.lost_seconds == 0


def test_small_delays_are_no_lost_time(clock: Clock) -> None:
    clock.deadline.start()
    for _ in range(100):
        clock.pass_by(TICK_SECONDS + TOLERANCE_SECONDS, ticks=False)
        clock.deadline.tick()
    assert clock.deadline.lost_seconds == pytest.approx(0)


def test_it_stands_still_when_a_tick_is_late_and_goes_on_after_it(clock: Clock) -> None:
    clock.deadline.start()
    clock.pass_by(10)
    clock.pass_by(60, ticks=False)
    stopped = clock.deadline.now()
    assert stopped == pytest.approx(110 + TICK_SECONDS + TOLERANCE_SECONDS)
    clock.deadline.tick()
    assert clock.deadline.now() == pytest.approx(stopped)
    clock.pass_by(5)
    assert clock.deadline.now() == pytest.approx(stopped + 5)
    assert clock.deadline.lost_seconds == pytest.approx(60 - TICK_SECONDS - TOLERANCE_SECONDS)


def test_it_does_not_stand_still_after_its_end(clock: Clock) -> None:
    clock.deadline.start()
    clock.deadline.stop()
    clock.pass_by(60, ticks=False)
    assert clock.deadline.now() == pytest.approx(160)
    assert not clock.deadline.is_started


def test_it_never_goes_back_by_more_than_what_was_lost() -> None:
    """A thread that reads while another one ticks sees no moment that lies ahead."""
    clock = DeadlineClock()
    clock.start()
    ticker = threading.Thread(target=clock.tick_in_thread)
    ticker.start()
    for _ in range(1000):
        assert clock.now() <= time.monotonic()
    clock.stop()
    ticker.join()
