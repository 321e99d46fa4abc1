"""The connections of a core: one object for each, and the table of those that are open.

A `Connection` has everything that belongs to one client: its address and identity, TLS, the conversation, the
deadlines. A core in which each connection has a thread or greenlet serves a `BlockingConnection`:

    with BlockingConnection(core, sock, address, waiter) as connection:
        connection.handshake()
        connection.converse()

A core whose event loop calls back has `geventcore.core.event_driven.EventDrivenConnection` instead.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol

from geventcore.core.network_options import (
    GZIP_LEVEL,
    HANDSHAKE_TIMEOUT,
    IDLE_TIMEOUT,
    MAX_BODY,
    PROXY_PROTOCOL,
    REQUEST_TIMEOUT,
)
from geventcore.core.proxies import BEGINNING_BYTES, HEADER_SECONDS, endpoint, is_header, read_header
from geventcore.core.uploads import CUT_OFF, ThreadLimits, UploadBudget
from geventcore.deadline_clock import now
from geventcore.errors import GeventcoreError, RequestError, TLSError
from geventcore.metrics.definitions import CONNECTIONS_ACCEPTED, HANDSHAKE_FAILURES, HANDSHAKES, PHASE_SECONDS
from geventcore.options.settings import LoadedSettings
from geventcore.rpc.blocking_driver import Deadlines, Limits, drive
from geventcore.rpc.conversation import Conversation
from geventcore.rpc.peer import Peer
from geventcore.rpc.service import Service
from geventcore.tls.context import ServerContext
from geventcore.tls.identity import PeerIdentity
from geventcore.tls.reasons import failure_kind
from geventcore.tls.stream import LINGER_SECONDS, TLSStream
from geventcore.tls.waiter import Waiter
from geventcore.wire.http1 import HTTPLimits
from geventcore.wire.proxy_protocol import ProxyHeaderParser

log = logging.getLogger(__name__)

#: The client of a connection that a balancer has opened without naming a client.
UNNAMED_CLIENT = ""


class ConnectionHost(Protocol):
    """The parts of a core that its connections use."""

    @property
    def settings(self) -> LoadedSettings:
        """The current settings: deadlines, limits, balancers."""

    @property
    def tls(self) -> ServerContext:
        """The keys, certificates and parameters of new connections."""

    @property
    def service(self) -> Service:
        """The answers to requests."""

    @property
    def connections(self) -> ConnectionTable:
        """The table of open connections."""

    @property
    def uploads(self) -> UploadBudget:
        """The memory for what clients send; the gevent core has another budget."""


class Connection(ABC):
    """An open connection to a client.

    Attributes:
        peer: the client's address, and its identity after the TLS handshake.
        conversation: None before the TLS handshake is complete.
        client_ip: the address that the connection counts for; `UNNAMED_CLIENT` if only a balancer's is known.
        opened_at: moment of `time.monotonic` at which the connection was accepted, or the balancer named the client.
        deadlines: the longest duration of each phase.
        proxy_header: the parser of the PROXY header; None if there must not be one.
    """

    def __init__(self, host: ConnectionHost, address: Any) -> None:
        """`address` is the other end's as the system gives it."""
        self._host = host
        self.peer = Peer(endpoint(address))
        self.conversation: Conversation | None = None
        self.deadlines = _deadlines(host.settings)
        self.proxy_header = ProxyHeaderParser() if host.settings[PROXY_PROTOCOL].include(address) else None
        self.client_ip = self.peer.ip if self.proxy_header is None else UNNAMED_CLIENT
        self.opened_at = self._accepted_at = time.monotonic()
        self._is_health_check = False
        CONNECTIONS_ACCEPTED.inc()
        host.connections.add(self)

    @property
    @abstractmethod
    def has_begun(self) -> bool:
        """True if the client has sent the first message of TLS."""

    @abstractmethod
    def abort(self) -> None:
        """End the connection at once. May be called from any thread."""

    def cut_off(self) -> None:
        """End the connection of a client that has stopped sending; may be called from any thread."""
        log.warning("%s: connection cut off: %s", self.peer, CUT_OFF)
        self.abort()

    @property
    def is_idle(self) -> bool:
        """True between two requests: closing the connection then loses nothing."""
        return self.conversation is not None and self.conversation.is_idle

    @property
    def is_unused(self) -> bool:
        """True until the first request begins."""
        return self.conversation is None or (self.conversation.is_unused and self.conversation.is_idle)

    @property
    def is_closable(self) -> bool:
        """True if the client expects nothing: the connection is idle, or the client has not begun to speak TLS."""
        return self.conversation.is_idle if self.conversation is not None else not self.has_begun

    def name_client(self, source: tuple[str, int] | None) -> None:
        """Take the client's address from a PROXY header; None is a health check of the balancer itself."""
        self._is_health_check = source is None
        if source is not None:
            self.peer = Peer(source)
            self._host.connections.rename(self, self.peer.ip)

    def begin_conversation(self, protocol: str | None, identity: PeerIdentity | None) -> Conversation:
        """Count a completed TLS handshake, and make the conversation that follows it."""
        host = self._host
        HANDSHAKES.inc(protocol or "")
        PHASE_SECONDS.observe(time.monotonic() - self._accepted_at, "handshake")
        self.peer = Peer(self.peer.address, identity)
        table = host.connections
        self.conversation = Conversation(
            host.service,
            self.peer,
            _http_limits(host.settings),
            gzip_level=host.settings[GZIP_LEVEL],
            may_continue=lambda: not table.is_draining,
        )
        return self.conversation

    def report_failure(self, err: TLSError | RequestError | OSError, beginning: bytes) -> None:
        """Log and count why the connection ended early.

        `beginning` are the first bytes that the client has sent, or what OpenSSL has left of them.
        """
        if self.conversation is None:
            HANDSHAKE_FAILURES.inc(_failure_reason(err))
        if isinstance(err, TLSError | RequestError | TimeoutError):
            hint = _proxy_hint(beginning) if self.conversation is None else ""
            log.warning("%s: connection ended: %s%s", self.peer, err, hint)
        else:
            log.log(self._loss_level(), "%s: connection lost: %s", self.peer, err)

    def _loss_level(self) -> int:
        """The level of the log line about a lost connection.

        Balancers and monitors check every second that somebody listens, and send no TLS: that is not worth a line. A
        client that breaks off the handshake refuses the server's certificate, which somebody should look at.
        """
        if self._is_health_check or not self.has_begun:
            return logging.DEBUG
        return logging.WARNING if self.conversation is None else logging.INFO


class BlockingConnection(Connection):
    """A connection that has a thread or greenlet of its own. As a context it reports failures and closes the socket."""

    def __init__(self, host: ConnectionHost, sock: socket.socket, address: Any, waiter: Waiter) -> None:
        """`waiter` waits for the socket in the way of the core."""
        self._sock = sock
        self._waiter = waiter
        self.stream = TLSStream(host.tls, sock, waiter)
        super().__init__(host, address)

    @property
    def has_begun(self) -> bool:
        """See `Connection.has_begun`."""
        return self.stream.has_begun

    def abort(self) -> None:
        """See `Connection.abort`."""
        self.stream.abort()

    def before_handshake_step(self) -> None:
        """Wait for other connections before a step of the TLS handshake. Threads need not."""

    def limits(self) -> AbstractContextManager[Limits]:
        """Return a context with the limits that this connection's requests wait for."""
        return ThreadLimits(self._host.uploads, self.peer.ip, self.cut_off)

    def handshake(self) -> None:
        """Read the PROXY header, if there must be one, and agree on keys with the client.

        Raises what `geventcore.core.proxies.read_header` and `TLSStream.handshake` raise.
        """
        if self.proxy_header is not None:
            deadline = now() + HEADER_SECONDS
            wait = self._waiter.wait_readable
            self.name_client(read_header(self._sock, lambda: wait(self._sock, deadline), self.proxy_header))
        try:
            self.stream.handshake(now() + self.deadlines.handshake, self.before_handshake_step)
        except TimeoutError:
            raise TimeoutError("timed out waiting for the TLS handshake") from None
        self.begin_conversation(self.stream.protocol, self.stream.peer_identity)

    def converse(self) -> None:
        """Answer requests until one side ends the connection; raises what `drive` raises."""
        conversation = self.conversation
        if conversation is not None:
            with self.limits() as limits:
                drive(conversation, self.stream, self.deadlines, limits)

    def __enter__(self) -> BlockingConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Close the connection; failures that a client can cause are logged and go no further."""
        try:
            return self._end(err)
        finally:
            if self.conversation is not None:
                self.conversation.end()
            self.stream.close()
            self._host.connections.remove(self)

    def _end(self, err: BaseException | None) -> bool:
        """Say goodbye. Returns true if the failure needs no other care."""
        if err is None:
            left_unread = self.conversation is not None and self.conversation.left_unread
            self.stream.shutdown(now() + self.deadlines.write, peer_is_sending=left_unread)
        elif isinstance(err, TLSError | RequestError | OSError):
            self.report_failure(err, _peek(self._sock))
            if not isinstance(err, OSError) or isinstance(err, TimeoutError):
                # The client should get the alert that says why.
                self.stream.shutdown(now() + LINGER_SECONDS)
        elif isinstance(err, GeventcoreError):
            log.error("%s: %s", self.peer, err)
        else:
            return False
        return True


class ConnectionTable:
    """The open connections of a process.

    Attributes:
        is_draining: true when connections are to end after the request that is under way.
    """

    def __init__(self) -> None:
        self.is_draining = False
        self._open: dict[Connection, None] = {}
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Note an open connection."""
        # Without a lock, as in `remove`: these are single operations of a dictionary, and every connection makes them.
        self._open[connection] = None

    def remove(self, connection: Connection) -> None:
        """Forget a closed connection."""
        self._open.pop(connection, None)
        if self.is_draining:
            with self._changed:
                self._changed.notify_all()

    def rename(self, connection: Connection, client_ip: str) -> None:
        """Count a connection for another client."""
        connection.client_ip = client_ip
        connection.opened_at = time.monotonic()

    def states(self) -> dict[str, int]:
        """The number of connections in the handshake, idle, and active."""
        connections = list(self._open)
        handshake = sum(connection.conversation is None for connection in connections)
        idle = sum(connection.is_idle for connection in connections)
        return {"handshake": handshake, "idle": idle, "active": len(connections) - handshake - idle}

    def drain(self, seconds: float, handshake_seconds: float) -> int:
        """Close connections between two requests, and wait until the requests that are under way are answered.

        After `handshake_seconds`, connections without a request are aborted, after `seconds` all that are left.
        Returns the number of the latter.
        """
        begin = time.monotonic()
        self.is_draining = True
        with self._changed:
            while self._open:
                elapsed = time.monotonic() - begin
                for connection in list(self._open):
                    # Only between two requests does a client expect that the server closes the connection.
                    if elapsed >= handshake_seconds if connection.is_unused else connection.is_idle:
                        connection.abort()
                if elapsed >= seconds:
                    left = list(self._open)
                    for connection in left:
                        connection.abort()
                    return len(left)
                self._changed.wait(min(seconds - elapsed, 0.5))
        return 0


# Every connection asks for these two, and settings change only when they are replaced.


@lru_cache(maxsize=1)
def _deadlines(settings: LoadedSettings) -> Deadlines:
    seconds = settings[REQUEST_TIMEOUT]
    return Deadlines(
        handshake=settings[HANDSHAKE_TIMEOUT],
        idle=settings[IDLE_TIMEOUT],
        head=seconds,
        body=seconds,
        write=seconds,
    )


@lru_cache(maxsize=1)
def _http_limits(settings: LoadedSettings) -> HTTPLimits:
    return HTTPLimits(body_bytes=settings[MAX_BODY])


def _failure_reason(err: Exception) -> str:
    """The label of a failed TLS handshake in the metrics."""
    if isinstance(err, TLSError):
        return failure_kind(str(err))
    if isinstance(err, RequestError):
        return "proxy_header"
    return "timeout" if isinstance(err, TimeoutError) else "closed"


def _proxy_hint(beginning: bytes) -> str:
    if not is_header(beginning):
        return ""
    return f"; it begins with a PROXY header, but its address is not among those in {PROXY_PROTOCOL.label}"


def _peek(sock: socket.socket) -> bytes:
    """Return the first bytes that the client has sent and nobody has read."""
    try:
        return sock.recv(BEGINNING_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return b""
