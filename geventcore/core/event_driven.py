"""Connections of cores whose event loop calls back: TLS and a conversation, carried on by events.

Such a core has a *transport* for each connection, which it writes to and closes, and which can run work in another
thread and set a timer. The core tells an `EventDrivenConnection` what happens; everything else is done here, alike for
every event loop. All methods are called in the loop's own thread, except `EventDrivenConnection.abort`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from geventcore.core.network import NetworkCore, loss_level
from geventcore.errors import TLSError
from geventcore.rpc.conversation import Close, Conversation, Phase, Read, Run, Write
from geventcore.rpc.peer import Peer
from geventcore.tls.memory import MemoryTLS
from geventcore.tls.stream import LINGER_SECONDS

log = logging.getLogger(__name__)


class Transport(Protocol):
    """What a core offers for one connection."""

    def write(self, data: bytes) -> None:
        """Send bytes, now or as soon as possible."""

    def close(self) -> None:
        """Close when everything is sent."""

    def abort(self) -> None:
        """Close at once. May be called from any thread."""

    def run(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        """Do `work`, which may block, elsewhere, and then call `done` in the loop."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back in the loop after a time; returns what cancels it."""


class EventDrivenConnection:
    """One connection of a core that is driven by events."""

    def __init__(self, core: NetworkCore, address: tuple[Any, ...], transport: Transport) -> None:
        self._core = core
        self._transport = transport
        self._peer = Peer(address)
        self._deadlines = core.deadlines()
        self._tls = MemoryTLS(core.tls)
        self._conversation: Conversation | None = None
        self._working = False
        self._closing = False
        self._phase: Phase | None = None
        self._cancel_timer: Callable[[], None] = lambda: None
        core.track(self, None)
        self._set_timer(self._deadlines.handshake, self._handshake_timed_out)

    # -- what the core tells

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        if not self._closing:
            self._tls.receive_data(data)
            self._advance()

    def eof_received(self) -> None:
        """The peer will send no more."""
        if self._closing:
            self._transport.close()
        else:
            self._tls.receive_data(b"")
            self._advance()

    def connection_lost(self) -> None:
        """The connection is closed, whoever did it."""
        self._closing = True
        self._cancel_timer()
        self._core.untrack(self)

    def abort(self) -> None:
        """Close at once; may be called from any thread."""
        self._transport.abort()

    # -- what follows from it

    def _advance(self) -> None:
        """Do everything that can be done now."""
        if self._working or self._closing:
            return
        try:
            if self._conversation is None and not self._begin():
                return
            self._converse()
        except TLSError as err:
            log.warning("%s: connection ended: %s", self._peer, err)
            self._close()
        except OSError as err:
            in_handshake = self._tls.has_begun and self._conversation is None
            log.log(loss_level(in_handshake), "%s: connection lost: %s", self._peer, err)
            self._close()

    def _begin(self) -> bool:
        try:
            complete = self._tls.handshake()
        finally:
            self._flush()
        if complete:
            self._peer = Peer(self._peer.address, self._tls.peer_identity)
            self._conversation = self._core.new_conversation(self._peer)
            self._core.track(self, self._conversation)
        return complete

    def _converse(self) -> None:
        conversation = self._conversation
        while conversation is not None and not self._closing:
            step = conversation.next_step()
            if isinstance(step, Read):
                data = self._tls.read()
                self._flush()
                if data is None:
                    self._wait_for(step.phase)
                    return
                conversation.receive_data(data)
            elif isinstance(step, Run):
                self._working = True
                self._cancel_timer()
                self._phase = None
                self._transport.run(step.work, self._work_done)
                return
            elif isinstance(step, Write):
                self._tls.write(b"".join(step.buffers))
                self._flush()
                self._phase = None
            elif isinstance(step, Close):
                self._close()

    def _work_done(self) -> None:
        self._working = False
        self._advance()

    def _flush(self) -> None:
        data = self._tls.data_to_send()
        if data:
            self._transport.write(data)

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

    def _handshake_timed_out(self) -> None:
        if self._conversation is None and not self._closing:
            log.warning("%s: connection ended: timed out waiting for the TLS handshake", self._peer)
            self._close()

    def _timed_out(self, phase: Phase) -> None:
        if self._conversation is not None and not self._working and not self._closing:
            self._conversation.timed_out(phase)
            self._advance()

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
        if self._conversation is not None and self._conversation.left_unread:
            self._set_timer(LINGER_SECONDS, self._close_transport)
        else:
            self._close_transport()

    def _close_transport(self) -> None:
        self._transport.close()
        self._set_timer(self._deadlines.write, self._transport.abort)
