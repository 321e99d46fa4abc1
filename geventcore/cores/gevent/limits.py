"""The limits of a process of the gevent core: which requests run at once, and how much memory they may take.

A process has many more connections than it can work for at once. Three things are bounded, and a client that sends or
reads slowly holds none of them:

request slots     Requests at work, from the complete body until the response is made. Of these only a few compute at a
                  time. While a request waits for a lock or for a plugin's server, another one may compute.
upload budget     Bytes of request bodies, and of the documents that they become (`geventcore.core.uploads`).
response budget   Bytes of responses that are made and not sent. While it is used up no request begins, and clients that
                  read too slowly to finish in time are cut off.

Waiting requests stand in a `FairQueue`: client addresses take turns, and calls that continue a run go first. No request
is refused.
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

from geventcore.core.fair_queue import FairQueue
from geventcore.core.uploads import UploadBudget, UploadRoom
from geventcore.cores.gevent.handshakes import HandshakeTurns
from geventcore.deadline_clock import now
from geventcore.rpc.peer import Peer
from geventcore.tls.stream import TLSStream

log = logging.getLogger(__name__)

#: The calls that begin a client's run; all others continue one.
BEGINNINGS = frozenset({"DeclareVersion", "GetProbes"})
#: After waiting for this time, in seconds, a request is dropped if its client has closed the connection.
CHECK_CLIENT_SECONDS = 1.0
#: Bytes of a body that are read before other greenlets run: parsing them takes some milliseconds.
BYTES_BETWEEN_BREAKS = 64 * 1024
#: How long a request that computes sleeps between two slices, in seconds. A sleep of 0 ends before the event loop has
#: looked at sockets, several times in a row; any longer one ends after that.
TURN_SECONDS = 1e-9
#: The interval at which the speed of reading clients is measured while the response budget is used up, in seconds.
MEASURE_READERS_SECONDS = 2.0


@dataclass(eq=False)
class _Waiting:
    """A connection in a queue.

    Attributes:
        turn: set when it gets a slot.
    """

    address: str
    turn: Event = field(default_factory=Event)


@dataclass
class _ResponseOnItsWay:
    """A response that is being sent.

    Attributes:
        end: value of `TLSStream.bytes_sent` when it is sent completely.
        deadline: the moment at which sending is given up, on the clock of `geventcore.deadline_clock`.
        seen, seen_at: bytes that had been sent at the last measurement, and its moment.
    """

    peer: Peer
    end: int
    deadline: float
    seen: int
    seen_at: float


class ResponseBudget:
    """Bytes of responses that are made and not sent.

    Attributes:
        on_room: called when there is room again.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._sending: dict[TLSStream, _ResponseOnItsWay] = {}
        self._is_measuring = False
        self.on_room: Callable[[], None] = lambda: None

    @property
    def has_room(self) -> bool:
        """True if another response may be made."""
        return self._used < self._size

    @property
    def used(self) -> int:
        """Bytes that wait to be sent."""
        return self._used

    def begin(self, stream: TLSStream, peer: Peer, size: int, deadline: float) -> None:
        """Count a response that is about to be sent."""
        self._used += size
        sent = stream.bytes_sent
        self._sending[stream] = _ResponseOnItsWay(peer, sent + size, deadline, sent, now())

    def end(self, stream: TLSStream, size: int) -> None:
        """Stop counting a response that is sent or given up."""
        had_room = self.has_room
        self._used -= size
        self._sending.pop(stream, None)
        if self.has_room and not had_room:
            self.on_room()

    def make_room(self) -> None:
        """Begin to cut off clients that read too slowly to finish before their deadline; returns at once."""
        if not self._is_measuring:
            self._is_measuring = True
            gevent.spawn(self._measure_readers)

    def _measure_readers(self) -> None:
        try:
            while not self.has_room:
                gevent.sleep(MEASURE_READERS_SECONDS)
                self._cut_off_slow_readers()
        finally:
            self._is_measuring = False

    def _cut_off_slow_readers(self) -> None:
        moment = now()
        for stream, sending in list(self._sending.items()):
            elapsed, progress = moment - sending.seen_at, stream.bytes_sent - sending.seen
            if self.has_room or elapsed < MEASURE_READERS_SECONDS / 2:
                continue
            sending.seen, sending.seen_at = stream.bytes_sent, moment
            if (sending.end - sending.seen) * elapsed > progress * (sending.deadline - moment):
                log.warning(
                    "%s: connection cut off: the client reads its answer too slowly, and others wait", sending.peer
                )
                stream.abort()


class RequestSlots:
    """Slots for requests at work: `size` in all, half of them for one address, and `computing` that compute at once."""

    def __init__(self, size: int, computing: int, responses: ResponseBudget) -> None:
        self._size = size
        self._share = max(1, size // 2)
        self._max_computing = computing
        self._responses = responses
        self._queue: FairQueue[_Waiting] = FairQueue()
        self._at_work = 0
        self._by_address: Counter[str] = Counter()
        # A request that computes is suspended in `breathe`, or has a slot and has not run yet, or has got its slot
        # without waiting in this turn of the event loop. All other requests with a slot wait for something.
        self._breathing = 0
        self._starting = 0
        self._begun_at_once = 0
        self._is_turning = False
        responses.on_room = self._turn_soon

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        return len(self._queue)

    @property
    def at_work(self) -> int:
        """The number of requests that have a slot."""
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
        """Let other greenlets run; this request still counts as one that computes."""
        self._breathing += 1
        try:
            gevent.sleep(TURN_SECONDS)
        finally:
            self._breathing -= 1

    def _has_room(self) -> bool:
        return (
            self._at_work < self._size
            and self._breathing + self._starting + self._begun_at_once < self._max_computing
            and self._responses.has_room
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
        """Let requests begin; runs in the event loop, when those that have begun before compute or wait."""
        self._is_turning = False
        self._begun_at_once = 0
        if not self._responses.has_room and self._queue:
            self._responses.make_room()
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


@dataclass(frozen=True)
class ProcessLimits:
    """The limits that all connections of a process share.

    Attributes:
        handshakes: the steps of TLS handshakes in one turn of the event loop.
        slots: the requests at work.
        uploads: the bytes of large bodies.
        responses: the bytes of responses that are made and not sent.
    """

    handshakes: HandshakeTurns
    slots: RequestSlots
    uploads: UploadBudget
    responses: ResponseBudget


class RequestLimits:
    """The limits as one connection meets them; see `geventcore.rpc.blocking_driver.Limits`.

    As a context it gives back at the end what the connection has taken.
    """

    def __init__(self, process: ProcessLimits, peer: Peer, stream: TLSStream, cut_off: Callable[[], None]) -> None:
        """`cut_off` ends the connection, see `UploadRoom`."""
        self._slots = process.slots
        self._room = UploadRoom(process.uploads, peer.ip, cut_off)
        self._responses = process.responses
        self._peer = peer
        self._stream = stream
        self._seen = 0

    def __enter__(self) -> RequestLimits:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def before_body(self, received: int, expected: int, held: int) -> None:
        """Wait until more of a body may be read."""
        if not 0 <= received - self._seen < BYTES_BETWEEN_BREAKS:
            # A body that arrives faster than it is parsed would hold up everything else.
            self._seen = received
            if received:
                gevent.sleep(TURN_SECONDS)
        self._room.before_body(received, expected, held)

    def stalled(self, held: int) -> None:
        """See `UploadRoom.stalled`."""
        self._room.stalled(held)

    def working(self, call: str) -> AbstractContextManager[None]:
        """Return a block that has a slot. It raises `ConnectionError` if the client has gone away meanwhile."""
        return _Working(self, urgent=call not in BEGINNINGS)

    def begin_work(self, urgent: bool) -> None:
        """Wait for a slot."""
        start = time.monotonic()
        self._slots.acquire(self._peer.ip, urgent)
        if time.monotonic() - start > CHECK_CLIENT_SECONDS and self._stream.peer_has_left:
            self.end_work()
            raise ConnectionAbortedError("the client has closed the connection while its request waited")

    def end_work(self) -> None:
        """Give back the slot and the room of the body."""
        self._slots.release(self._peer.ip)
        self.close()

    def sending(self, size: int, deadline: float) -> AbstractContextManager[None]:
        """Return a block that counts a response while it is sent."""
        return _Sending(self._responses, self._stream, self._peer, size, deadline)

    def close(self) -> None:
        """Give back the room of a body."""
        self._room.close()


# These blocks are classes: a generator takes four times as long to enter and to leave.


class _Working:
    """The block in which a request is worked on."""

    def __init__(self, limits: RequestLimits, urgent: bool) -> None:
        self._limits = limits
        self._urgent = urgent

    def __enter__(self) -> None:
        self._limits.begin_work(self._urgent)

    def __exit__(self, *_: object) -> None:
        self._limits.end_work()


class _Sending:
    """The block in which a response is sent."""

    def __init__(self, responses: ResponseBudget, stream: TLSStream, peer: Peer, size: int, deadline: float) -> None:
        self._responses = responses
        self._stream = stream
        self._peer = peer
        self._size = size
        self._deadline = deadline

    def __enter__(self) -> None:
        self._responses.begin(self._stream, self._peer, self._size, self._deadline)

    def __exit__(self, *_: object) -> None:
        self._responses.end(self._stream, self._size)
