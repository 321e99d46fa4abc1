"""Which requests are worked on, and what may lie in memory: the waiting that a connection does before it goes on.

Four things are bounded, and none is held by whoever only sends or reads slowly:

slots      requests at work, from the complete body until the answer is made. Of these only a few compute at a time;
           those that wait, for a plugin's server or a lock, let others begin.
uploads    bytes of bodies. A small body is read at once; for a large one there has to be room first, so what cannot be
           taken yet stays in the kernel's buffers and holds the client back. Who stops sending, or sends slowly while
           others wait, gives the rest of its room to them.
trees      what large bodies become while they are worked on.
answers    bytes that are made and not sent. While there are too many no request begins, and those who take nearly
           nothing of theirs, while others wait for that, are cut off.

Who waits stands in a `FairQueue`: addresses take turns, runs that have begun go first. Nobody is turned away.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from geventcore.cores.gevent.fair_queue import FairQueue
from geventcore.rpc.driving import STALL_SECONDS
from geventcore.rpc.peer import Peer
from geventcore.tls.stream import TLSStream

log = logging.getLogger(__name__)

#: The calls that begin a client's run; all others end, or go on with, one that has begun.
BEGINNINGS = frozenset({"DeclareVersion", "GetProbes"})
#: A body up to this size needs no room: it is hardly more than what a TLS connection holds anyway.
SMALL_BODY_BYTES = 16 * 1024
#: How long a request has waited before it is worth a look whether its client is still there, in seconds.
WORTH_A_LOOK_SECONDS = 1.0
#: What a large request takes in memory while it is worked on, as a multiple of its length: a report of 360 KB becomes a
#: tree of 4.5 MB.
TREE_FACTOR = 12
#: What all of these may take together, as a multiple of what bodies may.
TREES_SHARE = 4
#: Who sends less than this while others wait for room lets them go first.
SLOW_BYTES_PER_SECOND = 16 * 1024
#: While answers take too much memory: how often it is looked at how fast they are read, in seconds.
LOOK_AT_READERS_SECONDS = 2.0


@dataclass(eq=False)
class _Waiting:
    """Somebody in a queue.

    Attributes:
        size: how much it wants.
        turn: set when it has it.
    """

    address: str
    size: int = 1
    turn: Event = field(default_factory=Event)


@dataclass
class _Sending:
    """An answer on its way.

    Attributes:
        end: what `TLSStream.bytes_sent` will be when it is sent.
        deadline: when it is cut off anyway, on `time.monotonic`'s clock.
        seen, seen_at: what had been sent when that was looked at last.
    """

    peer: Peer
    end: int
    deadline: float
    seen: int
    seen_at: float


class Answers:
    """Bytes of answers that are made and not sent.

    Attributes:
        on_room: called when there is room again.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._sending: dict[TLSStream, _Sending] = {}
        self._is_looking = False
        self.on_room: Callable[[], None] = lambda: None

    @property
    def has_room(self) -> bool:
        """Whether another answer may be made."""
        return self._used < self._size

    @property
    def used(self) -> int:
        """Bytes that wait to be sent."""
        return self._used

    def begin(self, stream: TLSStream, peer: Peer, size: int, deadline: float) -> None:
        """Count an answer that is about to be sent."""
        self._used += size
        sent = stream.bytes_sent
        self._sending[stream] = _Sending(peer, sent + size, deadline, sent, time.monotonic())

    def end(self, stream: TLSStream, size: int) -> None:
        """It is sent, or will not be."""
        had_room = self.has_room
        self._used -= size
        self._sending.pop(stream, None)
        if self.has_room and not had_room:
            self.on_room()

    def make_room(self) -> None:
        """Cut off those who read so slowly that they would not end in time; returns at once."""
        if not self._is_looking:
            self._is_looking = True
            gevent.spawn(self._look_at_readers)

    def _look_at_readers(self) -> None:
        try:
            while not self.has_room:
                gevent.sleep(LOOK_AT_READERS_SECONDS)
                self._cut_off_slow_readers()
        finally:
            self._is_looking = False

    def _cut_off_slow_readers(self) -> None:
        now = time.monotonic()
        for stream, sending in list(self._sending.items()):
            elapsed, progress = now - sending.seen_at, stream.bytes_sent - sending.seen
            if self.has_room or elapsed < LOOK_AT_READERS_SECONDS / 2:
                continue
            sending.seen, sending.seen_at = stream.bytes_sent, now
            if (sending.end - sending.seen) * elapsed > progress * (sending.deadline - now):
                log.warning("%s: cut off: it reads its answer too slowly, and others wait for the memory", sending.peer)
                stream.abort()


class Slots:
    """Requests at work: at most `size`, half of them at most for one address, and `computing` that compute."""

    def __init__(self, size: int, computing: int, answers: Answers) -> None:
        self._size = size
        self._share = max(1, size // 2)
        self._max_computing = computing
        self._answers = answers
        self._queue: FairQueue[_Waiting] = FairQueue()
        self._at_work = 0
        self._by_address: Counter[str] = Counter()
        # Who computes is either suspended where it breathes, or has got its turn and not run yet, or has got its turn
        # without waiting since the event loop turned last. All others with a slot wait for something.
        self._breathing = 0
        self._starting = 0
        self._begun_at_once = 0
        self._is_turning = False
        answers.on_room = self._turn_soon

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._queue)

    @property
    def at_work(self) -> int:
        """How many requests have a slot."""
        return self._at_work

    def acquire(self, address: str, urgent: bool) -> None:
        """Wait for a slot."""
        if not self._queue and self._has_room() and self._may_work(address):
            self._take(address)
            self._begun_at_once += 1
            self._turn_soon()
            return
        waiting = _Waiting(address)
        self._queue.add(address, waiting, urgent)
        self._turn_soon()
        try:
            waiting.turn.wait()
        except BaseException:
            if waiting.turn.is_set():
                self._starting -= 1
                self.release(address)
            else:
                self._queue.remove(address, waiting)
            raise
        self._starting -= 1

    def release(self, address: str) -> None:
        """Give a slot back."""
        self._at_work -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        if self._queue:
            self._turn_soon()

    def breathe(self) -> None:
        """Let others go on, and count as one that computes."""
        self._breathing += 1
        try:
            gevent.sleep(0)
        finally:
            self._breathing -= 1

    def _has_room(self) -> bool:
        return (
            self._at_work < self._size
            and self._breathing + self._starting + self._begun_at_once < self._max_computing
            and self._answers.has_room
        )

    def _may_work(self, address: str) -> bool:
        return self._by_address[address] < self._share

    def _take(self, address: str) -> None:
        self._at_work += 1
        self._by_address[address] += 1

    def _turn_soon(self) -> None:
        if not self._is_turning:
            self._is_turning = True
            gevent.get_hub().loop.run_callback(self._turn)

    def _turn(self) -> None:
        """Let requests begin; runs in the event loop, after who has begun before has computed or waits."""
        self._is_turning = False
        self._begun_at_once = 0
        if not self._answers.has_room and self._queue:
            self._answers.make_room()
            return
        while self._has_room():
            waiting = self._queue.take(lambda waiting: self._may_work(waiting.address))
            if waiting is None:
                return
            self._take(waiting.address)
            self._starting += 1
            waiting.turn.set()
        if self._queue and self._at_work < self._size:
            self._turn_soon()


class Uploads:
    """Bytes of large bodies that may be in memory."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._queue: FairQueue[_Waiting] = FairQueue()
        self._next: _Waiting | None = None
        self._used = 0
        self._readers = 0

    @property
    def used(self) -> int:
        """Bytes that are in memory or may come."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many connections wait for room."""
        return len(self._queue) + (self._next is not None)

    @property
    def share(self) -> int:
        """What one body may ask for: a larger one takes more, but waits only for this."""
        return self._size // 4

    def begin(self, address: str, size: int, urgent: bool) -> None:
        """Wait for room to read a body, or the rest of one."""
        if not self.waiting and self._has_room(size):
            self._take(size)
            return
        waiting = _Waiting(address, size)
        self._queue.add(address, waiting, urgent)
        self._let_go_on()
        try:
            waiting.turn.wait()
        except BaseException:
            if waiting.turn.is_set():
                self.end(size)
            elif waiting is self._next:
                self._next = None
                self._let_go_on()
            else:
                self._queue.remove(address, waiting)
            raise

    def extend(self, size: int) -> None:
        """Take more room for a body whose length was not known: who is in the middle of one does not wait."""
        self._used += size

    def end(self, size: int) -> None:
        """Read no more, for the time being or at all, and give room back."""
        self._readers -= 1
        self.give_back(size)

    def give_back(self, size: int) -> None:
        """Give room back."""
        self._used -= size
        self._let_go_on()

    def _let_go_on(self) -> None:
        while True:
            if self._next is None:
                self._next = self._queue.take()
            # Nobody overtakes who is next: what is large would never have its turn.
            if self._next is None or not self._has_room(self._next.size):
                return
            waiting, self._next = self._next, None
            self._take(waiting.size)
            waiting.turn.set()

    def _has_room(self, size: int) -> bool:
        # One always goes on, so that bodies that are half there do not wait for each other.
        return self._used + size <= self._size or not self._readers

    def _take(self, size: int) -> None:
        self._used += size
        self._readers += 1


class ConnectionAdmission:
    """One connection's waiting; see `geventcore.rpc.driving.Admission`. As a context it gives back at the end what the
    connection has taken."""

    def __init__(
        self, slots: Slots, uploads: Uploads, trees: Uploads, answers: Answers, peer: Peer, stream: TLSStream
    ) -> None:
        self._slots = slots
        self._uploads = uploads
        self._trees = trees
        self._answers = answers
        self._peer = peer
        self._stream = stream
        self._room = 0
        self._is_reading = False
        self._seen = 0
        self._seen_at = 0.0

    def __enter__(self) -> ConnectionAdmission:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def before_body(self, received: int, expected: int) -> None:
        """Wait until more of a body may be read."""
        room = max(min(expected, self._uploads.share), received)
        if self._is_reading and self._is_slow(received):
            self.stalled(received)
        if self._is_reading:
            if room > self._room:
                self._uploads.extend(room - self._room)
                self._room = room
        elif expected > SMALL_BODY_BYTES:
            self._uploads.begin(self._peer.ip, max(0, room - self._room), urgent=received > SMALL_BODY_BYTES)
            self._room = max(room, self._room)
            self._is_reading = True
            self._seen, self._seen_at = received, time.monotonic()

    def _is_slow(self, received: int) -> bool:
        """Whether little has come for a while in which others have waited for room."""
        now = time.monotonic()
        elapsed, progress = now - self._seen_at, received - self._seen
        if elapsed < STALL_SECONDS:
            return False
        self._seen, self._seen_at = received, now
        return self._uploads.waiting > 0 and progress < SLOW_BYTES_PER_SECOND * elapsed

    def stalled(self, received: int) -> None:
        """Nothing has come for a while: let others have the room for what is missing."""
        if self._is_reading:
            self._is_reading = False
            kept = min(self._room, received)
            unused, self._room = self._room - kept, kept
            self._uploads.end(unused)

    def working(self, call: str) -> AbstractContextManager[None]:
        """Have a slot in the block. `ConnectionError` if the client has gone away meanwhile."""
        return _Working(self, urgent=call not in BEGINNINGS)

    def begin_work(self, urgent: bool) -> int:
        """Wait for a slot. Returns for how many bytes of a tree there is room now."""
        start = time.monotonic()
        tree = self._room * TREE_FACTOR
        if tree:
            self._trees.begin(self._peer.ip, tree, urgent=True)
        try:
            self._slots.acquire(self._peer.ip, urgent)
        except BaseException:
            self._end_tree(tree)
            raise
        if time.monotonic() - start > WORTH_A_LOOK_SECONDS and self._stream.peer_has_left:
            self.end_work(tree)
            raise ConnectionAbortedError("the client has left while it waited for its turn")
        return tree

    def end_work(self, tree: int) -> None:
        """Give the slot back, the room of the body and that of the tree."""
        self._slots.release(self._peer.ip)
        self.close()
        self._end_tree(tree)

    def _end_tree(self, size: int) -> None:
        if size:
            self._trees.end(size)

    def sending(self, size: int, deadline: float) -> AbstractContextManager[None]:
        """Count an answer in the block, which sends it."""
        return _AnswerOnItsWay(self._answers, self._stream, self._peer, size, deadline)

    def close(self) -> None:
        """Give back the room of a body."""
        room, self._room = self._room, 0
        if self._is_reading:
            self._is_reading = False
            self._uploads.end(room)
        elif room:
            self._uploads.give_back(room)


# The blocks of a request are small classes: a generator takes four times as long to enter and to leave.


class _Working:
    """The block in which a request is worked on."""

    def __init__(self, admission: ConnectionAdmission, urgent: bool) -> None:
        self._admission = admission
        self._urgent = urgent
        self._tree = 0

    def __enter__(self) -> None:
        self._tree = self._admission.begin_work(self._urgent)

    def __exit__(self, *_: object) -> None:
        self._admission.end_work(self._tree)


class _AnswerOnItsWay:
    """The block in which an answer is sent."""

    def __init__(self, answers: Answers, stream: TLSStream, peer: Peer, size: int, deadline: float) -> None:
        self._answers = answers
        self._stream = stream
        self._peer = peer
        self._size = size
        self._deadline = deadline

    def __enter__(self) -> None:
        self._answers.begin(self._stream, self._peer, self._size, self._deadline)

    def __exit__(self, *_: object) -> None:
        self._answers.end(self._stream, self._size)
