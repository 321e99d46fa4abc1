"""One connection's dialogue, without I/O: what to do next, given what was received so far.

A driver asks `Conversation.next_step` again and again and does what it is told:

* `Read`: wait for bytes, under the deadline of the named phase, and give them to `Conversation.receive_data`
  (``b""`` when the peer has closed);
* `Run`: call the work, which may block (authentication may ask the DNS, a call may render a configuration);
* `Write`: send the buffers;
* `Close`: end the connection.

So every core treats every request alike, and whether it blocks, yields or calls back is its own affair:
`geventcore.rpc.driving` is the driver for cores whose sockets block a thread or greenlet.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from geventcore.errors import RequestError, is_outage
from geventcore.metrics.definitions import PHASE_SECONDS
from geventcore.rpc.peer import Peer
from geventcore.rpc.service import MINIMUM_GZIP_BYTES, NOT_LET_IN, Response, Service, refusal
from geventcore.wire import http1, xmlrpc

log = logging.getLogger(__name__)

#: How much more is expected of a body that does not tell its length.
UNKNOWN_BODY_BYTES = 64 * 1024


class Phase(Enum):
    """What a connection is waiting for, which decides how long it may."""

    IDLE = "a request"
    HEAD = "the rest of a request's head"
    BODY = "the rest of a request's body"


@dataclass(slots=True)
class Read:
    """Wait for bytes.

    Attributes:
        phase: what the connection waits for.
        received, expected: bytes of the body that are there, and that will be in memory when the next ones are read.
    """

    phase: Phase
    received: int = 0
    expected: int = 0


@dataclass(slots=True)
class Run:
    """Do work that may block.

    Attributes:
        work: does it.
        call: the name of the method that is called; empty if the work is not to answer a call.
    """

    work: Callable[[], None]
    call: str = ""


@dataclass(slots=True)
class Write:
    """Send buffers."""

    buffers: Sequence[bytes]


class Close:
    """End the connection."""


Step = Read | Run | Write | Close

_CLOSE = Close()


class _PhaseClock:
    """Counts how long the phases of requests take. Waiting for a request to begin is none of them."""

    def __init__(self) -> None:
        self._start: float | None = None

    def begin(self) -> None:
        """A phase begins, unless one has."""
        if self._start is None:
            self._start = time.perf_counter()

    def begin_anew(self) -> None:
        """A phase begins, whatever was before."""
        self._start = time.perf_counter()

    def end(self, phase: str) -> None:
        """A phase ends, if one has begun."""
        if self._start is not None:
            PHASE_SECONDS.observe(time.perf_counter() - self._start, phase)
            self._start = None


class Conversation:
    """The server's side of one connection."""

    def __init__(
        self,
        service: Service,
        peer: Peer,
        limits: http1.HTTPLimits,
        *,
        gzip_level: int = 0,
        may_continue: Callable[[], bool] = lambda: True,
    ) -> None:
        """`gzip_level` 0 never compresses; `may_continue` says whether a connection may be kept for another request."""
        self._service = service
        self._peer = peer
        self._limits = limits
        self._gzip_level = gzip_level
        self._may_continue = may_continue
        self._parser = http1.RequestParser(limits)
        self._head: http1.RequestHead | None = None
        self._admission = NOT_LET_IN
        self._steps: list[Step] = []
        self._is_unused = True
        self._is_writing = False
        self._body_received = 0
        self._clock = _PhaseClock()
        #: Whether a request was answered by its head alone, so that its body is still on its way.
        self.left_unread = False

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun whose answer is not sent."""
        return self._head is None and self._parser.idle and not self._steps and not self._is_writing

    def receive_data(self, data: bytes) -> None:
        """Take what was read; ``b""`` if the peer has closed."""
        self._body_received += len(data)
        self._clock.begin()
        self._parser.receive_data(data)

    def timed_out(self, phase: Phase) -> None:
        """The peer did not send in time: an idle one is let go, another is told."""
        if phase is not Phase.IDLE or self._is_unused:
            log.warning("%s: timed out waiting for %s", self._peer, phase.value)
        if phase is Phase.IDLE:
            self._steps.append(_CLOSE)
        else:
            self._respond(refusal(408), keep_alive=False)

    def next_step(self) -> Step:
        """What to do now."""
        # What is written while there is a head is leave to send a body, and no answer.
        if self._is_writing and self._head is None:
            self._clock.end("write")
        while not self._steps:
            try:
                self._advance()
            except RequestError as err:
                log.warning("%s: bad request: %s", self._peer, err)
                self.left_unread = True
                self._respond(refusal(err.status), keep_alive=False)
        step = self._steps.pop(0)
        self._is_writing = isinstance(step, Write)
        if self._is_writing and self._head is None:
            self._clock.begin_anew()
        return step

    def _advance(self) -> None:
        event = self._parser.next_event()
        if event is http1.NEED_DATA:
            self._steps.append(self._read())
        elif isinstance(event, http1.RequestHead):
            self._begin(event)
        elif isinstance(event, http1.RequestBody):
            self._clock.end("body")
            self._clock.begin()
            self._steps.append(Run(lambda: self._answer(event.data), xmlrpc.called_method(event.data)))
        else:
            self._steps.append(_CLOSE)

    def _read(self) -> Read:
        head, received = self._head, self._body_received
        if head is None:
            return Read(Phase.IDLE if self._parser.idle else Phase.HEAD)
        expected = head.content_length if head.content_length is not None else received + UNKNOWN_BODY_BYTES
        return Read(Phase.BODY, received, expected)

    def _begin(self, head: http1.RequestHead) -> None:
        self._clock.end("head")
        self._head = head
        self._body_received = 0
        self._is_unused = False
        if head.method != "POST":
            log.warning("%s: method %s is not allowed", self._peer, head.method)
            self.left_unread = head.content_length != 0
            self._respond(refusal(405), keep_alive=False)
            return
        self._steps.append(Run(self._authenticate))

    def _authenticate(self) -> None:
        head = self._head
        status = 401
        self._clock.begin_anew()
        try:
            credentials = head.get("authorization") if head is not None else None
            self._admission = self._service.authenticate(credentials, self._peer)
        except RequestError as err:
            level = logging.DEBUG if is_outage(err) else logging.ERROR
            log.log(level, "%s: it cannot be found out who calls: %s", self._peer, err)
            self._admission, status = NOT_LET_IN, err.status
        self._clock.end("authenticate")
        self._clock.begin()
        if head is None or not self._admission.is_let_in:
            self.left_unread = True
            self._respond(refusal(status), keep_alive=False)
        elif head.expect_continue:
            self._steps.append(Write([http1.CONTINUE]))

    def _answer(self, body: bytes) -> None:
        self._clock.end("turn")
        self._clock.begin()
        response = self._service.answer(body, self._peer, self._admission)
        self._clock.end("dispatch")
        self._respond(response, keep_alive=True)

    def _respond(self, response: Response, keep_alive: bool) -> None:
        head = self._head
        keep_alive = keep_alive and head is not None and head.keep_alive and self._may_continue()
        body, headers = response.body, response.headers
        if self._gzip_level and head is not None and len(body) >= MINIMUM_GZIP_BYTES and http1.accepts_gzip(head):
            body = http1.gzip_body(body, self._gzip_level)
            headers = (*headers, ("Content-Encoding", "gzip"))
        encoded_head = http1.encode_head(
            response.status,
            len(body),
            content_type=response.content_type,
            version=head.version if head is not None else "1.1",
            keep_alive=keep_alive,
            headers=headers,
        )
        is_head_only = head is not None and head.method == "HEAD"
        self._steps.append(Write([encoded_head, body] if body and not is_head_only else [encoded_head]))
        self._head = None
        if not keep_alive:
            self._steps.append(_CLOSE)
