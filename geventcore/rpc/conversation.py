"""The conversation on one connection, without I/O: the next step, given the data received so far.

A driver asks `Conversation.next_step` again and again and does what it is told:

* `Read`: wait for bytes, under the deadline of the named phase, and give them to `Conversation.receive_data`
  (``b""`` when the peer has closed);
* `Run`: call the work, which may block (authentication may ask the DNS, a call may render a configuration);
* `Write`: send the buffers;
* `Close`: end the connection.

So every core treats every request alike, whether it blocks, yields or calls back. `geventcore.rpc.blocking_driver` is
the driver for cores whose sockets block a thread or greenlet.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum

from geventcore import tracing
from geventcore.errors import RequestError, is_outage
from geventcore.log import RequestContext, log_request, shortened
from geventcore.metrics.definitions import PHASE_SECONDS
from geventcore.rpc.peer import Peer
from geventcore.rpc.service import DENIED, MINIMUM_GZIP_BYTES, Response, Service, refusal
from geventcore.wire import http1, xmlrpc

log = logging.getLogger(__name__)

#: The part that is expected next of a body of unknown length, in bytes.
UNKNOWN_BODY_BYTES = 64 * 1024
#: A longer body is parsed while it arrives. Parsing a shorter one sooner would take more memory than keeping it.
SHORT_BODY_BYTES = 16 * 1024


#: Phases with spans that are made while they run, so that others are their children.
MEASURED_HERE = frozenset({"authenticate", "dispatch"})


class Phase(Enum):
    """The data that a connection waits for. Each phase has its deadline."""

    IDLE = "a request"
    HEAD = "the rest of a request's head"
    BODY = "the rest of a request's body"


@dataclass(slots=True)
class Read:
    """Wait for bytes.

    Attributes:
        phase: the part of a request that is awaited.
        received, expected: bytes of the body that have been read, and that will have been read at its end. If its
            length is unknown, the latter are those after the next read.
        held: bytes of memory that is taken by what is kept of the body.
    """

    phase: Phase
    received: int = 0
    expected: int = 0
    held: int = 0


@dataclass(slots=True)
class Run:
    """Do work that may block.

    Attributes:
        work: the function to call.
        call: the name of the XML-RPC method that the work answers; empty for other work.
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


class _PhaseTimer:
    """Measures the phases of requests for the metrics. Waiting for a request to begin is not one of them."""

    def __init__(self) -> None:
        self._start: float | None = None
        #: The phases of the current request, for its trace.
        self.phases: list[tuple[str, float]] = []
        self.keeps_phases = tracing.is_configured()

    def begin(self) -> None:
        """Begin a phase, unless one has begun."""
        if self._start is None:
            self._start = time.perf_counter()

    def begin_anew(self) -> None:
        """Begin a phase, and drop one that has begun."""
        self._start = time.perf_counter()

    def end(self, phase: str) -> None:
        """End a phase, if one has begun."""
        if self._start is not None:
            seconds = time.perf_counter() - self._start
            PHASE_SECONDS.observe(seconds, phase)
            self._start = None
            if self.keeps_phases:
                self.phases.append((phase, seconds))


class _Body:
    """The body of a request. A long one is parsed while it arrives, a short one when its turn has come."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reader: xmlrpc.CallReader | None = None
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def held_bytes(self) -> int:
        """The memory that is taken by what is kept of the body."""
        return self._size if self._reader is None else self._reader.held_bytes

    def feed(self, part: bytes) -> None:
        """Take a part which is not the last one."""
        self._size += len(part)
        if self._reader is None:
            self._parts.append(part)
            if self._size <= SHORT_BODY_BYTES:
                return
            self._reader = self._service.new_call()
            part, self._parts = b"".join(self._parts), []
        self._reader.feed(part)

    def method(self, last: bytes) -> str:
        """Return the name of the called method, to schedule the call; an empty text if it is not found."""
        return xmlrpc.called_method(b"".join([*self._parts, last])) if self._reader is None else self._reader.method

    def finish(self, last: bytes) -> xmlrpc.CallReader:
        """Parse the rest."""
        reader = self._service.new_call() if self._reader is None else self._reader
        reader.feed(b"".join([*self._parts, last]))
        return reader


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
        self._parser = http1.RequestParser(limits, in_parts=True)
        self._head: http1.RequestHead | None = None
        self._auth = DENIED
        self._body = _Body(service)
        self._steps: list[Step] = []
        self._is_unused = True
        self._is_writing = False
        self._body_received = 0
        self._timer = _PhaseTimer()
        self._trace: tracing.RequestTrace | None = None
        #: True if a request was answered by its head alone: its body is still on its way.
        self.left_unread = False

    @property
    def is_unused(self) -> bool:
        """True if no request has begun yet."""
        return self._is_unused

    @property
    def is_idle(self) -> bool:
        """True if every request that has begun is answered, and the answer is sent."""
        return self._head is None and self._parser.idle and not self._steps and not self._is_writing

    def receive_data(self, data: bytes) -> None:
        """Take data that was read; ``b""`` if the client has closed."""
        self._body_received += len(data)
        self._timer.begin()
        self._parser.receive_data(data)

    def end(self) -> None:
        """Let go of what was read of a request, since the connection has ended."""
        self._end_trace()
        # Not left to the garbage collector, which seldom looks at parsers with megabytes.
        self._body = _Body(self._service)

    def timed_out(self, phase: Phase) -> None:
        """End the connection because a deadline has passed. Unless it is idle, the client gets status 408."""
        if phase is not Phase.IDLE or self._is_unused:
            log.warning("%s: timed out waiting for %s", self._peer, phase.value)
        if phase is Phase.IDLE:
            self._steps.append(_CLOSE)
        else:
            self._respond(refusal(408), keep_alive=False)

    def next_step(self) -> Step:
        """Return the step to do now."""
        # Data that is written while there is a head is the permission to send a body, and no answer.
        if self._is_writing and self._head is None:
            self._timer.end("write")
            self._end_trace()
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
            self._timer.begin_anew()
        return step

    def _advance(self) -> None:
        event = self._parser.next_event()
        if event is http1.NEED_DATA:
            self._steps.append(self._read())
        elif isinstance(event, http1.RequestHead):
            self._begin(event)
        elif isinstance(event, http1.BodyPart):
            self._body.feed(event.data)
        elif isinstance(event, http1.RequestBody):
            self._timer.end("body")
            self._timer.begin()
            body, self._body = self._body, _Body(self._service)
            self._steps.append(Run(lambda: self._answer(body, event.data), body.method(event.data)))
        else:
            self._steps.append(_CLOSE)

    def _read(self) -> Read:
        head, received = self._head, self._body_received
        if head is None:
            return Read(Phase.IDLE if self._parser.idle else Phase.HEAD)
        expected = head.content_length if head.content_length is not None else received + UNKNOWN_BODY_BYTES
        return Read(Phase.BODY, received, expected, self._body.held_bytes)

    def _begin(self, head: http1.RequestHead) -> None:
        self._timer.end("head")
        if self._timer.keeps_phases:
            self._trace = tracing.begin_request(sum(seconds for _, seconds in self._timer.phases), str(self._peer))
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
        self._timer.begin_anew()
        try:
            credentials = head.get("authorization") if head is not None else None
            with self._trace_phase("authenticate"):
                self._auth = self._service.authenticate(credentials, self._peer)
        except RequestError as err:
            level = logging.DEBUG if is_outage(err) else logging.ERROR
            log.log(level, "%s: the caller cannot be identified: %s", self._peer, err)
            self._auth, status = DENIED, err.status
        self._timer.end("authenticate")
        self._timer.begin()
        if head is None or not self._auth.is_allowed:
            self.left_unread = True
            self._respond(refusal(status), keep_alive=False)
        elif head.expect_continue:
            self._steps.append(Write([http1.CONTINUE]))

    def _answer(self, body: _Body, last: bytes) -> None:
        self._timer.end("turn")
        self._timer.begin()
        call = body.finish(last)
        context = RequestContext(shortened(call.method), time.monotonic())
        if self._trace is not None:
            context.trace_id, context.span_id = self._trace.ids
            self._trace.note(**{"rpc.method": shortened(call.method)})
        with log_request(context), self._trace_phase("dispatch"):
            response = self._service.answer(call, self._peer, self._auth)
        if self._trace is not None:
            self._trace.note(**{"client": context.client, "http.response.status_code": response.status})
        self._timer.end("dispatch")
        self._respond(response, keep_alive=True)

    def _trace_phase(self, name: str) -> AbstractContextManager[None]:
        """Measure a phase that runs here, if the request is traced."""
        return nullcontext() if self._trace is None else self._trace.phase(name)

    def _end_trace(self) -> None:
        """End the trace of a request, with the phases that ran elsewhere."""
        trace, self._trace = self._trace, None
        if trace is not None:
            for phase, seconds in self._timer.phases:
                if phase not in MEASURED_HERE:
                    trace.add_phase(phase, seconds)
            trace.end()
        self._timer.phases.clear()

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
            self.end()
            self._steps.append(_CLOSE)
