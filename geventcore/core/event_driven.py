"""Connections of cores whose event loop calls back: TLS and a conversation, carried on by events.

Such a core has a *transport* for each connection: it writes, closes, runs work in another thread, and sets timers. The
core reports events to an `EventDrivenConnection`, which does everything else alike for every event loop. All methods
are called in the loop's own thread, except `EventDrivenConnection.abort`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Protocol

from geventcore.core.connection import Connection, ConnectionHost
from geventcore.core.network import NetworkCore
from geventcore.core.network_options import UPLOAD_MEMORY
from geventcore.core.proxies import BEGINNING_BYTES, HEADER_SECONDS
from geventcore.core.uploads import LoopEvent, Turn, UploadBudget, UploadRoom
from geventcore.deadline_clock import now
from geventcore.errors import RequestError, TLSError
from geventcore.options.settings import LoadedSettings
from geventcore.rpc.blocking_driver import STALL_SECONDS
from geventcore.rpc.conversation import Close, Phase, Read, Run, Write
from geventcore.tls.memory import MemoryTLS
from geventcore.tls.stream import LINGER_SECONDS
from geventcore.wire.proxy_protocol import ProxyHeaderParser

log = logging.getLogger(__name__)


class Transport(Protocol):
    """The services of a core for one connection."""

    def write(self, data: bytes, done: Callable[[], None]) -> None:
        """Send bytes. Call `done` in the loop when most of them are sent, or the connection is lost."""

    def pause(self) -> None:
        """Read nothing more until `resume`, so that a client that sends faster than it is served waits."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Close when everything is sent."""

    def abort(self) -> None:
        """Close at once. May be called from any thread."""

    def run(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        """Call `work`, which may block, in another thread, and then `done` in the loop."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back in the loop after a time. Returns a function that cancels it."""


class EventDrivenCore(NetworkCore):
    """A core whose event loop serves all connections in one thread."""

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self.uploads = UploadBudget(settings[UPLOAD_MEMORY], LoopEvent, nullcontext())


class EventDrivenConnection(Connection):
    """One connection of a core that is driven by events.

    While a request is worked on, or a response waits to be read, nothing more is read. So a connection holds one
    request and one response in memory. A large body waits for room (`geventcore.core.uploads`); the events of the
    host's budget are `LoopEvent`.
    """

    def __init__(self, host: ConnectionHost, address: Any, transport: Transport) -> None:
        """`host` is the core, `address` the other end's as the system gives it."""
        self._transport = transport
        self._beginning = b""
        self._tls = MemoryTLS(host.tls)
        self._busy = False
        self._paused = False
        self._closing = False
        self._lost = False
        self._phase: Phase | None = None
        self._deadline = 0.0
        self._cancel_timer: Callable[[], None] = lambda: None
        self._room: UploadRoom | None = None
        # Set while a body waits for room, and the moment since which it does.
        self._turn: Turn | None = None
        self._waits_since = 0.0
        self._cancel_stall_timer: Callable[[], None] = lambda: None
        super().__init__(host, address)
        if self.proxy_header is None:
            self._set_timer(self.deadlines.handshake, self._handshake_timed_out)
        else:
            self._set_timer(HEADER_SECONDS, self._proxy_header_timed_out)

    @property
    def has_begun(self) -> bool:
        """See `Connection.has_begun`."""
        return self._tls.has_begun

    # -- events that the core reports

    def data_received(self, data: bytes) -> None:
        """Take bytes that have arrived; ``b""`` at the end."""
        if not self._closing:
            rest = data if self.proxy_header is None else self._read_proxy_header(self.proxy_header, data)
            if rest or not data:
                self._beginning = self._beginning or rest[:BEGINNING_BYTES]
                self._tls.receive_data(rest)
                self._advance()

    def eof_received(self) -> None:
        """Note that the client will send no more."""
        if self._closing:
            self._transport.close()
        else:
            self.data_received(b"")

    def connection_lost(self) -> None:
        """Note that the connection is closed, by either side."""
        self._lost = True
        self._cancel_timer()
        if self._turn is not None:
            self._give_back_room()
        self._tls.receive_data(b"")
        # Work that has begun ends by itself. An unfinished request is logged.
        self._advance()
        if not self._busy:
            self._forget()

    def abort(self) -> None:
        """Close at once; may be called from any thread."""
        self._transport.abort()

    # -- reactions

    def _advance(self) -> None:
        """Do all steps that need not wait."""
        if self._busy or self._closing:
            return
        try:
            if self.conversation is None and not self._begin():
                return
            self._converse()
        except (TLSError, OSError) as err:
            self.report_failure(err, self._beginning)
            self._close()

    def _begin(self) -> bool:
        try:
            complete = self._tls.handshake()
        finally:
            self._flush()
        if complete:
            self._room = UploadRoom(self._host.uploads, self.peer.ip, self.cut_off)
            self.begin_conversation(self._tls.protocol, self._tls.peer_identity)
        return complete

    def _read_proxy_header(self, parser: ProxyHeaderParser, data: bytes) -> bytes:
        """Take the header. Returns the data after it, if it is complete."""
        try:
            rest = data[parser.receive_data(data) :]
        except RequestError as err:
            self.report_failure(err, b"")
            self._close()
            return b""
        if parser.header is not None:
            self.proxy_header = None
            self.name_client(parser.header.source)
            self._set_timer(self.deadlines.handshake, self._handshake_timed_out)
        return rest

    def _converse(self) -> None:
        conversation = self.conversation
        while conversation is not None and not self._closing:
            step = conversation.next_step()
            if isinstance(step, Read):
                if step.phase is Phase.BODY and not self._has_room(step):
                    self._flush()
                    return
                data = self._tls.read()
                self._flush()
                if data is None:
                    self._read_on()
                    self._wait_for(step.phase)
                    if step.phase is Phase.BODY:
                        self._watch_stall(step.held)
                    return
                conversation.receive_data(data)
            elif isinstance(step, Run):
                self._become_busy()
                self._transport.run(step.work, self._work_done if step.call else self._go_on)
                return
            elif isinstance(step, Write):
                self._tls.write(b"".join(step.buffers))
                if not self._lost:
                    self._become_busy()
                    self._set_timer(self.deadlines.write, self._writing_timed_out)
                    self._transport.write(self._tls.data_to_send(), self._go_on)
                    return
            elif isinstance(step, Close):
                self._close()

    def _has_room(self, step: Read) -> bool:
        """Return true if more of a body may be read. Otherwise this goes on when there is room."""
        self._cancel_stall_timer()
        if self._turn is not None or self._room is None or self._lost:
            return self._turn is None
        self._turn = self._room.ask(step.received, step.expected, step.held)
        if self._turn is None:
            return True
        event = self._turn.event
        assert isinstance(event, LoopEvent), "the host's budget is for event loops"
        # Room may be given back in the middle of another connection's event.
        event.on_set = lambda: self._call_soon(self._take_turn)
        self._waits_since = now()
        self._cancel_timer()
        self._pause()
        return False

    def _call_soon(self, callback: Callable[[], None]) -> None:
        self._transport.call_later(0.0, callback)

    def _take_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.finish()
            if self._phase is Phase.BODY:
                # The server has made the client wait.
                self._phase = None
                self._wait_for(Phase.BODY, self._deadline + now() - self._waits_since)
            self._advance()

    def _watch_stall(self, held: int) -> None:
        """Give back unused room if the client stops sending."""
        room = self._room
        if room is not None:

            def stalled() -> None:
                room.stalled(held)
                self._watch_stall(held)

            self._cancel_stall_timer = self._transport.call_later(STALL_SECONDS, stalled)

    def _give_back_room(self) -> None:
        self._cancel_stall_timer()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()
        if self._room is not None:
            self._room.close()

    def _become_busy(self) -> None:
        self._busy = True
        self._phase = None
        self._cancel_timer()
        self._cancel_stall_timer()
        self._pause()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause()

    def _read_on(self) -> None:
        if self._paused and not self._lost:
            self._paused = False
            self._transport.resume()

    def _work_done(self) -> None:
        self._give_back_room()
        self._go_on()

    def _go_on(self) -> None:
        """Go on after work or a write."""
        self._busy = False
        self._cancel_timer()
        if self._lost:
            self._advance()
            if not self._busy:
                self._forget()
        else:
            self._advance()

    def _forget(self) -> None:
        self._closing = True
        self._cancel_timer()
        if self.conversation is not None:
            self.conversation.end()
        self._give_back_room()
        self._host.connections.remove(self)

    def _flush(self) -> None:
        """Send messages of TLS itself, such as those of a handshake."""
        data = self._tls.data_to_send()
        if data and not self._lost:
            self._transport.write(data, lambda: None)

    def _wait_for(self, phase: Phase, deadline: float | None = None) -> None:
        """Set the deadline of a phase, when it begins."""
        if phase is not self._phase:
            self._phase = phase
            seconds = {
                Phase.IDLE: self.deadlines.idle,
                Phase.HEAD: self.deadlines.head,
                Phase.BODY: self.deadlines.body,
            }[phase]
            remaining = seconds if deadline is None else max(0.0, deadline - now())
            self._deadline = now() + remaining
            self._set_timer(remaining, lambda: self._timed_out(phase))

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        deadline = now() + seconds

        def look() -> None:
            # There is time left if the clock has stood still.
            remaining = deadline - now()
            if remaining > 0:
                self._cancel_timer = self._transport.call_later(remaining, look)
            else:
                callback()

        self._cancel_timer = self._transport.call_later(seconds, look)

    def _proxy_header_timed_out(self) -> None:
        if self.proxy_header is not None and not self._closing:
            self.report_failure(TimeoutError("timed out waiting for the PROXY header"), b"")
            self._close()

    def _handshake_timed_out(self) -> None:
        if self.conversation is None and not self._closing:
            self.report_failure(TimeoutError("timed out waiting for the TLS handshake"), self._beginning)
            self._close()

    def _timed_out(self, phase: Phase) -> None:
        if self.conversation is not None and not self._busy and not self._closing:
            self.conversation.timed_out(phase)
            self._advance()

    def _writing_timed_out(self) -> None:
        log.warning("%s: connection ended: timed out waiting for the client to read its answer", self.peer)
        self._closing = True
        self._give_back_room()
        self._transport.abort()

    def _close(self) -> None:
        """End TLS and close. A client that does not read the rest is cut off in the end.

        Closing while the client still sends would reset the connection, and the reset may overtake the response. So its
        data is thrown away for a while, until it closes its side.
        """
        if self._closing:
            return
        self._closing = True
        self._give_back_room()
        if self._tls.is_open:
            self._tls.shutdown()
        self._flush()
        self._read_on()
        if self.conversation is not None and self.conversation.left_unread:
            self._set_timer(LINGER_SECONDS, self._close_transport)
        else:
            self._close_transport()

    def _close_transport(self) -> None:
        self._transport.close()
        self._set_timer(self.deadlines.write, self._transport.abort)
