"""What workers tell each other, as the master passes it on; and the frames that carry it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from geventcore.workers.broadcast_router import PATIENCE_SECONDS, BroadcastRouter, Deliveries
from geventcore.workers.frames import Frame, FrameReader, Kind


def new_router(*workers: int) -> BroadcastRouter:
    made = BroadcastRouter()
    for worker in workers:
        made.add(worker)
    return made


def tell(router: BroadcastRouter, sender: int, number: int, now: float = 0.0) -> Deliveries:
    return router.receive(sender, Frame(Kind.TELL, 0, number, b"topic\0null"), now)


def answer(router: BroadcastRouter, worker: int, sender: int, number: int) -> list[tuple[int, list[int]]]:
    """What is done with a worker's answer: who hears that all have answered, and what."""
    deliveries = router.receive(worker, Frame(Kind.ANSWER, sender, number, str(worker).encode()), 0.0)
    return [(to, json.loads(frame.payload)) for to, frame in deliveries if frame.kind is Kind.DONE]


def test_everyone_else_hears_it_and_the_answers_come_together() -> None:
    router = new_router(1, 2, 3)
    deliveries = tell(router, 2, 7)
    assert [(to, frame.kind, frame.sender, frame.number) for to, frame in deliveries] == [
        (1, Kind.TELL, 2, 7),
        (3, Kind.TELL, 2, 7),
    ]
    assert answer(router, 3, 2, 7) == []
    assert answer(router, 1, 2, 7) == [(2, [3, 1])]


def test_who_is_alone_need_not_wait() -> None:
    ((to, frame),) = tell(new_router(1), 1, 1)
    assert (to, frame.kind, frame.payload) == (1, Kind.DONE, b"[]")


def test_nobody_waits_for_who_is_gone() -> None:
    router = new_router(1, 2, 3)
    tell(router, 1, 1)
    assert answer(router, 3, 1, 1) == []
    assert [(to, frame.kind, frame.payload) for to, frame in router.remove(2)] == [
        (1, Kind.GONE, b""),
        (3, Kind.GONE, b""),
        (1, Kind.DONE, b"[3]"),
    ]


def test_who_has_told_and_is_gone_hears_nothing() -> None:
    router = new_router(1, 2)
    tell(router, 1, 1)
    assert [(to, frame.kind) for to, frame in router.remove(1)] == [(2, Kind.GONE)], (
        "and nothing to the one that is gone"
    )
    assert answer(router, 2, 1, 1) == []


def test_equal_numbers_of_two_senders_are_two_things() -> None:
    router = new_router(1, 2)
    tell(router, 1, 5)
    tell(router, 2, 5)
    assert answer(router, 2, 1, 5) == [(1, [2])]
    assert answer(router, 1, 2, 5) == [(2, [1])]


def test_a_second_answer_counts_for_nothing() -> None:
    router = new_router(1, 2, 3)
    tell(router, 1, 1)
    assert answer(router, 2, 1, 1) == []
    assert answer(router, 2, 1, 1) == []
    assert answer(router, 3, 1, 1) == [(1, [2, 3])]


def test_who_does_not_answer_is_not_waited_for_until_it_has_caught_up() -> None:
    router = new_router(1, 2, 3)
    tell(router, 1, 1)
    assert answer(router, 3, 1, 1) == []
    assert router.find_behind(PATIENCE_SECONDS / 2) == (set(), [])
    behind, ((to, frame),) = router.find_behind(PATIENCE_SECONDS)
    assert (behind, to, frame.payload) == ({2}, 1, b"[3]")
    assert [to for to, _ in tell(router, 1, 2)] == [2, 3]
    assert answer(router, 3, 1, 2) == [(1, [3])]
    assert answer(router, 2, 1, 1) == []
    tell(router, 1, 3)
    assert answer(router, 3, 1, 3) == [(1, [3])]
    for number in (2, 3):
        answer(router, 2, 1, number)
    tell(router, 1, 4)
    assert answer(router, 3, 1, 4) == []
    assert answer(router, 2, 1, 4) == [(1, [3, 2])]


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8),
    st.integers(1, 50),
)
def test_frames_survive_being_cut_anywhere(frames: list[tuple[Kind, int, bytes]], size: int) -> None:
    stream = b"".join(Frame(kind, number % 7, number, payload).encode() for kind, number, payload in frames)
    reader = FrameReader()
    found = [frame for start in range(0, len(stream), size) for frame in reader.feed(stream[start : start + size])]
    assert [(frame.kind, frame.number, frame.payload) for frame in found] == frames
