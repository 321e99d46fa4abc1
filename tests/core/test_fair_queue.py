"""Whose turn it is."""

from __future__ import annotations

from geventcore.core.fair_queue import LONG_WAIT_SECONDS, FairQueue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drained(queue: FairQueue[str]) -> list[str]:
    return [item for item in iter(queue.take, None) if item is not None]


def test_addresses_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.add("many", f"many {number}", urgent=False)
    queue.add("one", "one", urgent=False)
    queue.add("other", "other", urgent=False)
    order = drained(queue)
    assert order[:4] == ["many 0", "one", "other", "many 1"]
    assert len(order) == 102
    assert not queue


def test_what_ends_a_run_goes_first() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.add("a", "begin a", urgent=False)
    queue.add("b", "begin b", urgent=False)
    queue.add("c", "end c", urgent=True)
    queue.add("d", "end d", urgent=True)
    assert drained(queue) == ["end c", "end d", "begin a", "begin b"]


def test_who_has_waited_for_long_gets_every_other_turn() -> None:
    clock = Clock()
    queue: FairQueue[str] = FairQueue(clock)
    queue.add("a", "begin a", urgent=False)
    queue.add("b", "begin b", urgent=False)
    clock.now = LONG_WAIT_SECONDS
    for number in range(3):
        queue.add(f"c{number}", f"end {number}", urgent=True)
    assert drained(queue) == ["begin a", "end 0", "begin b", "end 1", "end 2"]


def test_who_may_not_go_is_passed_over_and_keeps_its_place() -> None:
    queue: FairQueue[str] = FairQueue()
    for address in "abc":
        queue.add(address, address, urgent=False)
    assert queue.take(lambda item: item != "a") == "b"
    assert queue.take(lambda _: False) is None
    assert drained(queue) == ["a", "c"]


def test_who_gives_up_is_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("first", "second", "third"):
        queue.add("a", item, urgent=item == "second")
    queue.remove("a", "second")
    queue.remove("a", "first")
    queue.remove("a", "nobody")
    assert len(queue) == 1
    assert drained(queue) == ["third"]
