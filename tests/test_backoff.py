"""Pauses between attempts."""

from __future__ import annotations

from geventcore.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    """The pause after each failure is twice the one before, and never longer than the limit."""
    backoff = Backoff(0.25, 1.5)
    assert [backoff.fail() for _ in range(5)] == [0.25, 0.5, 1.0, 1.5, 1.5]


def test_a_success_begins_again() -> None:
    """The first failure after a success costs the first pause."""
    backoff = Backoff(0.25, 1.5)
    backoff.fail()
    backoff.fail()
    backoff.succeed()
    assert backoff.failures == 0
    assert backoff.fail() == 0.25


def test_free_failures_cost_no_pause() -> None:
    """The free attempts follow at once; pauses begin after them."""
    backoff = Backoff(0.25, 1.5, free=2)
    assert [backoff.fail() for _ in range(4)] == [0.0, 0.0, 0.25, 0.5]


def test_many_failures_overflow_nothing() -> None:
    """A loop that fails for weeks still gets the longest pause."""
    backoff = Backoff(0.1, 30.0)
    for _ in range(5000):
        pause = backoff.fail()
    assert pause == 30.0
