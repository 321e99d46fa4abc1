"""Work that is done once for everybody who wants its result meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest

from geventcore.core.single_flight import Reading, SingleFlight

PATIENCE = 10.0


class Work:
    """A piece of work that goes on when it is told to."""

    def __init__(self, result: str | Exception) -> None:
        self._result = result
        self.reads, self.may_read, self.may_end = threading.Event(), threading.Event(), threading.Event()
        self.times = 0

    def __call__(self, reading: Reading) -> str:
        self.times += 1
        assert self.may_read.wait(PATIENCE)
        with reading():
            self.reads.set()
            assert self.may_end.wait(PATIENCE)
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


class Desk:
    """Single flight, and threads that ask."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self.may_be_outdated = False
        self.flights: SingleFlight[str] = SingleFlight(lambda: self.may_be_outdated)

    def ask(self, work: Work, key: str = "key") -> Future[str]:
        return self._executor.submit(self.flights.get, key, work)


@pytest.fixture
def desk() -> Desk:
    return Desk(ThreadPoolExecutor(10))


def begin(desk: Desk, work: Work) -> Future[str]:
    asked = desk.ask(work)
    work.may_read.set()
    assert work.reads.wait(PATIENCE)
    return asked


def joins(desk: Desk) -> bool:
    """Whether somebody who asks gets what is under way, instead of a work of its own."""
    own = Work("own")
    own.may_read.set()
    own.may_end.set()
    asked = desk.ask(own)
    try:
        return asked.result(0.2) != "own"
    except FutureTimeoutError:
        return own.times == 0


def test_what_is_under_way_is_joined(desk: Desk) -> None:
    work = Work("result")
    first = begin(desk, work)
    others = [desk.ask(work) for _ in range(5)]
    assert joins(desk)
    work.may_end.set()
    assert {asked.result(PATIENCE) for asked in (first, *others)} == {"result"}
    assert work.times == 1


def test_a_failure_is_shared(desk: Desk) -> None:
    work = Work(ValueError("broken"))
    first = begin(desk, work)
    second = desk.ask(work)
    assert joins(desk)
    work.may_end.set()
    for asked in (first, second):
        with pytest.raises(ValueError, match="broken"):
            asked.result(PATIENCE)
    assert work.times == 1


def test_what_has_read_is_not_joined_if_it_may_be_outdated(desk: Desk) -> None:
    work = Work("old")
    old = begin(desk, work)
    desk.may_be_outdated = True
    assert not joins(desk)
    work.may_end.set()
    assert old.result(PATIENCE) == "old"


def test_what_waits_to_begin_is_joined_though_something_changes(desk: Desk) -> None:
    work = Work("fresh")
    first = desk.ask(work)
    while not work.times:
        threading.Event().wait(0.01)
    desk.may_be_outdated = True
    desk.flights.outdate()
    assert joins(desk)
    work.may_read.set()
    work.may_end.set()
    assert first.result(PATIENCE) == "fresh"


@pytest.mark.parametrize("key", ["key", None])
def test_what_was_outdated_is_not_joined(desk: Desk, key: str | None) -> None:
    work = Work("old")
    old = begin(desk, work)
    desk.flights.outdate("another")
    assert joins(desk)
    desk.flights.outdate(key)
    assert not joins(desk)
    work.may_end.set()
    assert old.result(PATIENCE) == "old"


def test_what_has_ended_is_done_again(desk: Desk) -> None:
    for result in ("one", "two"):
        work = Work(result)
        asked = begin(desk, work)
        work.may_end.set()
        assert asked.result(PATIENCE) == result


def test_work_that_is_given_up_is_done_by_who_waits_for_it(desk: Desk) -> None:
    begun, give_up = threading.Event(), threading.Event()

    def abandoned(reading: Reading) -> str:
        with reading():
            begun.set()
            assert give_up.wait(PATIENCE)
            raise SystemExit

    first = desk._executor.submit(desk.flights.get, "key", abandoned)
    assert begun.wait(PATIENCE)
    work = Work("result")
    work.may_read.set()
    work.may_end.set()
    second = desk.ask(work)
    give_up.set()
    assert second.result(PATIENCE) == "result"
    with pytest.raises(SystemExit):
        first.result(PATIENCE)
