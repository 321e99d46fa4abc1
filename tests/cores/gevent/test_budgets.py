"""Who may begin, and what may lie in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

gevent = pytest.importorskip("gevent")
gevent_event = pytest.importorskip("gevent.event")
gevent_socket = pytest.importorskip("gevent.socket")

from geventcore.core.uploads import UploadBudget  # noqa: E402 - as below
from geventcore.cores.gevent.limits import TURN_SECONDS, RequestSlots, ResponseBudget  # noqa: E402 - needs gevent

PATIENCE = 10.0


class Requests:
    """Requests for slots, each in a greenlet of its own.

    Attributes:
        begun: what has begun, in this order.
    """

    def __init__(self, size: int, computing: int = 8) -> None:
        self.slots = RequestSlots(size, computing, ResponseBudget(1000))
        self.begun: list[str] = []
        self._ends: dict[str, gevent_event.Event] = {}

    def make(self, name: str, address: str = "", urgent: bool = False, work: Callable[[], None] | None = None) -> None:
        end = self._ends[name] = gevent_event.Event()

        def serve() -> None:
            self.slots.acquire(address or name, urgent)
            self.begun.append(name)
            try:
                (work or end.wait)()
            finally:
                self.slots.release(address or name)

        gevent.spawn(serve)
        settle()

    def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
            settle()


def settle() -> None:
    """Let everything happen that can happen now."""
    for _ in range(20):
        gevent.sleep(TURN_SECONDS)


def test_at_most_so_many_are_at_work_and_the_others_follow() -> None:
    requests = Requests(size=2)
    for name in "abcd":
        requests.make(name)
    assert requests.begun == ["a", "b"]
    requests.end("b", "a")
    assert requests.begun == ["a", "b", "c", "d"]
    requests.end("c", "d")
    assert (requests.slots.at_work, requests.slots.waiting) == (0, 0)


def test_who_ends_a_run_goes_before_who_begins_one() -> None:
    requests = Requests(size=1)
    requests.make("at work")
    requests.make("begins")
    requests.make("ends", urgent=True)
    requests.end("at work", "ends")
    assert requests.begun == ["at work", "ends", "begins"]


def test_one_address_takes_half_of_the_slots_and_then_its_turns() -> None:
    requests = Requests(size=4)
    for number in range(6):
        requests.make(f"many {number}", address="many")
    assert requests.begun == ["many 0", "many 1"]
    requests.make("other")
    requests.make("another")
    requests.make("late")
    assert requests.begun[2:] == ["other", "another"]
    requests.end("many 0")
    # It has waited for longest, but has a slot more already: the next turn is somebody else's.
    assert sorted(requests.begun[4:]) in (["late"], ["many 2"])
    requests.end("other")
    assert sorted(requests.begun[4:]) == ["late", "many 2"]


def test_who_waits_lets_others_begin_and_who_computes_does_not() -> None:
    requests = Requests(size=100, computing=2)
    for number in range(10):
        requests.make(f"waits {number}")
    assert len(requests.begun) == 10
    goes_on = [True]

    def compute() -> None:
        while goes_on[0]:
            requests.slots.breathe()

    for number in range(4):
        requests.make(f"computes {number}", work=compute)
    assert requests.begun[10:] == ["computes 0", "computes 1"]
    goes_on[0] = False
    settle()
    assert requests.begun[12:] == ["computes 2", "computes 3"]


def test_sockets_are_looked_at_between_slices() -> None:
    slots = RequestSlots(4, 4, ResponseBudget(1000))
    here, there = gevent_socket.socketpair()
    reads: list[bytes] = []
    reader = gevent.spawn(lambda: reads.append(here.recv(1)))
    slices_before_read: list[int] = []

    def compute() -> None:
        for number in range(200):
            slots.breathe()
            if number == 0:
                there.sendall(b"x")
            if reads:
                slices_before_read.append(number)
                return

    settle()
    gevent.joinall([gevent.spawn(compute) for _ in range(3)], timeout=PATIENCE, raise_error=True)
    reader.kill()
    here.close()
    there.close()
    assert slices_before_read
    assert max(slices_before_read) <= 4


def test_a_flood_of_one_address_is_served_in_turns_with_others() -> None:
    """All arrive in the same turn of the event loop, as they do when it is busy."""
    requests = Requests(size=1000, computing=4)
    names = [*(f"many {number}" for number in range(100)), "one", "other"]
    for name in names:
        address = name.partition(" ")[0]

        def serve(name: str = name, address: str = address) -> None:
            requests.slots.acquire(address, urgent=False)
            requests.begun.append(name)
            requests.slots.release(address)

        gevent.spawn(serve)
    settle()
    while requests.slots.waiting:
        settle()
    assert sorted(requests.begun) == sorted(names)
    assert {"one", "other"} <= set(requests.begun[:10])


def test_who_is_ended_while_it_waits_leaves_nothing_behind() -> None:
    requests = Requests(size=1)
    requests.make("at work")
    waiting = gevent.spawn(requests.slots.acquire, "gives up", urgent=False)
    settle()
    assert requests.slots.waiting == 1
    waiting.kill()
    assert requests.slots.waiting == 0
    requests.end("at work")
    requests.make("next")
    assert requests.begun == ["at work", "next"]
    requests.end("next")
    assert requests.slots.at_work == 0


def test_bodies_have_room_or_wait() -> None:
    uploads = UploadBudget(100, gevent_event.Event, contextlib.nullcontext())
    uploads.begin("a", 60, urgent=False)
    done: list[str] = []

    def read(name: str, size: int) -> None:
        uploads.begin(name, size, urgent=False)
        done.append(name)

    for name, size in (("b", 60), ("c", 30), ("huge", 1000), ("d", 30)):
        gevent.spawn(read, name, size)
    settle()
    # "c" would fit, but it came later.
    assert done == []
    uploads.end(60)
    settle()
    assert done == ["b", "c"]
    uploads.end(60)
    settle()
    assert done == ["b", "c"]
    uploads.end(30)
    settle()
    # Larger than all the room there is: it is read when nobody else is.
    assert done == ["b", "c", "huge"]
    uploads.end(1000)
    settle()
    assert done == ["b", "c", "huge", "d"]
    uploads.end(30)
    assert (uploads.used, uploads.waiting) == (0, 0)


def test_who_is_ended_while_it_waits_for_room_makes_way() -> None:
    uploads = UploadBudget(100, gevent_event.Event, contextlib.nullcontext())
    uploads.begin("a", 60, urgent=False)
    large = gevent.spawn(uploads.begin, "b", 90, urgent=False)
    small = gevent.spawn(uploads.begin, "c", 30, urgent=False)
    settle()
    assert not small.ready()
    large.kill()
    settle()
    assert small.ready()
    assert (uploads.used, uploads.waiting) == (90, 0)


def test_bodies_that_have_stalled_do_not_keep_each_other_from_going_on() -> None:
    uploads = UploadBudget(100, gevent_event.Event, contextlib.nullcontext())
    for name in ("a", "b"):
        uploads.begin(name, 50, urgent=False)
    for _ in range(2):
        uploads.end(0)
    gone_on = [gevent.spawn(uploads.begin, name, 30, urgent=True) for name in ("a", "b")]
    settle()
    assert [greenlet.ready() for greenlet in gone_on] == [True, False]
    uploads.end(80)
    settle()
    assert gone_on[1].ready()
