"""Connections of cores whose event loop calls back: TLS and a conversation, carried on by events.

Such a core has a *transport* for each connection, which it writes to and closes, and which can run work in another
thread and set a timer. The core tells an `EventDrivenConnection` what happens; everything else is done here, alike for
every event loop. All methods are called in the loop's own thread, except `EventDrivenConnection.abort`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from geventcore.core.network import NetworkCore, count_handshake, count_handshake_failure, loss_level, proxy_hint
from geventcore.core.proxies import BEGINNING_BYTES, HEADER_SECONDS, endpoint
from geventcore.errors import RequestError, TLSError
from geventcore.metrics.definitions import CONNECTIONS_ACCEPTED
from geventcore.rpc.conversation import Close, Conversation, Phase, Read, Run, Write
from geventcore.rpc.peer import Peer
from geventcore.tls.memory import MemoryTLS
from geventcore.tls.stream import LINGER_SECONDS
from geventcore.wire.proxy_protocol import ProxyHeaderParser

log = logging.getLogger(__name__)


class Transport(Protocol):
    """What a core offers for one connection."""

    def write(self, data: bytes, done: Callable[[], None]) -> None:
        """Send bytes, and call `done` in the loop when most of them are on their way, or can be no more."""

    def pause(self) -> None:
        """Read nothing more until `resume`: a peer that sends faster than it is served has to wait."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Close when everything is sent."""

    def abort(self) -> None:
        """Close at once. May be called from any thread."""

    def run(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        """Do `work`, which may block, elsewhere, and then call `done` in the loop."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back in the loop after a time; returns what cancels it."""


class EventDrivenConnection:
    """One connection of a core that is driven by events.

    While a request is worked on, or an answer waits for the peer to read it, nothing more is read: what one connection
    holds in memory is one request and one answer.
    """

    def __init__(self, core: NetworkCore, address: Any, transport: Transport) -> None:
        self._core = core
        self._transport = transport
        self._peer = Peer(endpoint(address))
        self._proxy_header = core.new_proxy_header(address)
        self._is_check = False
        self._beginning = b""
        self._deadlines = core.deadlines()
        self._tls = MemoryTLS(core.tls)
        self._conversation: Conversation | None = None
        self._busy = False
        self._paused = False
        self._closing = False
        self._lost = False
        self._phase: Phase | None = None
        self._cancel_timer: Callable[[], None] = lambda: None
        self._accepted = time.perf_counter()
        CONNECTIONS_ACCEPTED.inc()
        core.track(self, None)
        if self._proxy_header is None:
            self._set_timer(self._deadlines.handshake, self._handshake_timed_out)
        else:
            self._set_timer(HEADER_SECONDS, self._proxy_header_timed_out)

    # -- what the core tells

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived; ``b""`` is the end of them."""
        if not self._closing:
            rest = data if self._proxy_header is None else self._read_proxy_header(self._proxy_header, data)
            if rest or not data:
                self._beginning = self._beginning or rest[:BEGINNING_BYTES]
                self._tls.receive_data(rest)
                self._advance()

    def eof_received(self) -> None:
        """The peer will send no more."""
        if self._closing:
            self._transport.close()
        else:
            self.data_received(b"")

    def connection_lost(self) -> None:
        """The connection is closed, whoever did it."""
        self._lost = True
        self._cancel_timer()
        self._tls.receive_data(b"")
        # What is under way ends by itself, and what the peer left unfinished is noted.
        self._advance()
        if not self._busy:
            self._forget()

    def abort(self) -> None:
        """Close at once; may be called from any thread."""
        self._transport.abort()

    # -- what follows from it

    def _advance(self) -> None:
        """Do everything that can be done now."""
        if self._busy or self._closing:
            return
        try:
            if self._conversation is None and not self._begin():
                return
            self._converse()
        except TLSError as err:
            hint = proxy_hint(self._beginning) if self._conversation is None else ""
            log.warning("%s: connection ended: %s%s", self._peer, err, hint)
            if self._conversation is None:
                count_handshake_failure(err)
            self._close()
        except OSError as err:
            level = loss_level(self._tls.has_begun, self._conversation, self._is_check)
            log.log(level, "%s: connection lost: %s", self._peer, err)
            if self._conversation is None:
                count_handshake_failure(err)
            self._close()

    def _begin(self) -> bool:
        try:
            complete = self._tls.handshake()
        finally:
            self._flush()
        if complete:
            count_handshake(self._tls.protocol, time.perf_counter() - self._accepted)
            self._peer = Peer(self._peer.address, self._tls.peer_identity)
            self._conversation = self._core.new_conversation(self._peer)
            self._core.track(self, self._conversation)
        return complete

    def _read_proxy_header(self, parser: ProxyHeaderParser, data: bytes) -> bytes:
        """Take the header; what follows it, if it is complete."""
        try:
            rest = data[parser.receive_data(data) :]
        except RequestError as err:
            log.warning("%s: connection ended: %s", self._peer, err)
            count_handshake_failure(err)
            self._close()
            return b""
        if parser.header is not None:
            self._proxy_header = None
            self._is_check = parser.header.source is None
            self._peer = Peer(parser.header.source or self._peer.address)
            self._set_timer(self._deadlines.handshake, self._handshake_timed_out)
        return rest

    def _converse(self) -> None:
        conversation = self._conversation
        while conversation is not None and not self._closing:
            step = conversation.next_step()
            if isinstance(step, Read):
                data = self._tls.read()
                self._flush()
                if data is None:
                    self._read_on()
                    self._wait_for(step.phase)
                    return
                conversation.receive_data(data)
            elif isinstance(step, Run):
                self._become_busy()
                self._transport.run(step.work, self._go_on)
                return
            elif isinstance(step, Write):
                self._tls.write(b"".join(step.buffers))
                if not self._lost:
                    self._become_busy()
                    self._set_timer(self._deadlines.write, self._writing_timed_out)
                    self._transport.write(self._tls.data_to_send(), self._go_on)
                    return
            elif isinstance(step, Close):
                self._close()

    def _become_busy(self) -> None:
        self._busy = True
        self._phase = None
        self._cancel_timer()
        if not self._paused:
            self._paused = True
            self._transport.pause()

    def _read_on(self) -> None:
        if self._paused and not self._lost:
            self._paused = False
            self._transport.resume()

    def _go_on(self) -> None:
        """What kept the connection busy is done."""
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
        self._core.untrack(self)

    def _flush(self) -> None:
        """Send what TLS has to say by itself, for which nobody waits."""
        data = self._tls.data_to_send()
        if data and not self._lost:
            self._transport.write(data, lambda: None)

    def _wait_for(self, phase: Phase) -> None:
        """Bound how long a phase lasts, from when it begins."""
        if phase is not self._phase:
            self._phase = phase
            seconds = {
                Phase.IDLE: self._deadlines.idle,
                Phase.HEAD: self._deadlines.head,
                Phase.BODY: self._deadlines.body,
            }[phase]
            self._set_timer(seconds, lambda: self._timed_out(phase))

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        self._cancel_timer = self._transport.call_later(seconds, callback)

    def _proxy_header_timed_out(self) -> None:
        if self._proxy_header is not None and not self._closing:
            log.warning("%s: connection ended: timed out waiting for the PROXY header", self._peer)
            self._close()

    def _handshake_timed_out(self) -> None:
        if self._conversation is None and not self._closing:
            log.warning("%s: connection ended: timed out waiting for the TLS handshake", self._peer)
            count_handshake_failure(TimeoutError())
            self._close()

    def _timed_out(self, phase: Phase) -> None:
        if self._conversation is not None and not self._busy and not self._closing:
            self._conversation.timed_out(phase)
            self._advance()

    def _writing_timed_out(self) -> None:
        log.warning("%s: connection ended: timed out waiting for the answer to be read", self._peer)
        self._closing = True
        self._transport.abort()

    def _close(self) -> None:
        """Say goodbye and close; a peer that does not read what is left is cut off in the end.

        Closing while the peer still sends would reset the connection, and the reset may overtake the answer: then what
        it sends is thrown away for a while, until it closes its side.
        """
        if self._closing:
            return
        self._closing = True
        if self._tls.is_open:
            self._tls.shutdown()
        self._flush()
        self._read_on()
        if self._conversation is not None and self._conversation.left_unread:
            self._set_timer(LINGER_SECONDS, self._close_transport)
        else:
            self._close_transport()

    def _close_transport(self) -> None:
        self._transport.close()
        self._set_timer(self._deadlines.write, self._transport.abort)
