"""The log of failures: one line for each kind, and a number for the rest."""

from __future__ import annotations

from geventcore.plugin.failures import MOST_KINDS, QUIET_SECONDS, FailureLog


class Clock:
    """A clock that a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_repetitions_are_quiet_for_a_while_and_then_counted() -> None:
    clock = Clock()
    failures = FailureLog(clock)
    assert failures.note("a", "hook") == (True, 0)
    assert [failures.note("a", "hook") for _ in range(3)] == [None] * 3
    assert failures.note("b", "hook") == (True, 0)
    clock.seconds = QUIET_SECONDS
    assert failures.note("a", "hook") == (False, 3)
    assert failures.note("a", "hook") is None
    clock.seconds *= 2
    assert failures.note("a", "hook") == (False, 1)


def test_the_number_of_kinds_is_bounded() -> None:
    failures = FailureLog(Clock())
    for number in range(MOST_KINDS + 1):
        failures.note(number)
    assert failures.note(0) == (True, 0)
    assert failures.note(MOST_KINDS) is None
