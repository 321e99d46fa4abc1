"""TLS over a non-blocking socket, for any core.

pyOpenSSL never waits: each of its calls either succeeds or says that the socket must become readable, or writable,
first. Either may happen in any state: a read may have to write, a shutdown may have to read. So there is one loop,
`TLSStream._complete`, through which everything goes: try, wait for what OpenSSL asks for, try again, all under one
deadline. Waiting is the core's business (`geventcore.tls.waiter.Waiter`).

Three rules keep connections small and from harming each other:

* OpenSSL's error queue belongs to the OS thread, which greenlets share. It is emptied before each call, and between a
  call and the look at its result no other greenlet can run.
* OpenSSL knows the socket by its descriptor, whose number is used again after a close. A stream that was closed while
  somebody waited on it touches nothing any more.
* What belongs to an attempt, like the buffer of a read, does not survive into the wait.

Clients end connections in every way there is, so close_notify, a bare close and a reset are all just the end of the
stream. Whoever reads knows by the length of the request whether something is missing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from time import monotonic
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from geventcore.errors import TLSError
from geventcore.tls.context import ServerContext
from geventcore.tls.identity import PeerIdentity
from geventcore.tls.library import clear_errors, is_peer_verified
from geventcore.tls.reasons import UNREADABLE, explain
from geventcore.tls.waiter import Waiter

Buffer = bytes | bytearray | memoryview

#: The longest record of TLS. OpenSSL returns at most one record per read.
RECORD_SIZE = 16384
#: The most that is given to OpenSSL at once: it encrypts and sends in one go, while nobody else can do anything.
WRITE_SIZE = 256 * 1024
#: How long a closing connection waits for a peer that is still sending (nginx, lingering_timeout: 5 s).
LINGER_SECONDS = 2.0
#: The first byte of Linux's struct tcp_info, its state, while both sides are open.
_TCP_ESTABLISHED = 1

_Result = TypeVar("_Result")


class _State(Enum):
    """What can still be done."""

    NEW = "the handshake"
    OPEN = "everything"
    ENDED = "shutting down, without another word of TLS"
    CLOSED = "nothing"


class _PeerGoneError(ConnectionError):
    """The peer, or the network, has ended the connection."""


class TLSStream:
    """The server's end of one TLS connection, for one thread or greenlet at a time.

    Every deadline is a moment of `time.monotonic` for the whole operation. `handshake`, `receive` and `send_all` raise

    * TimeoutError if the deadline passes;
    * ConnectionError if the connection is gone or was closed here;
    * TLSError, with a short reason, if the peer breaks the rules of TLS or is refused.

    After that only `shutdown` and `close` are of use, except that `receive` may be tried again after a timeout.
    """

    def __init__(self, context: ServerContext, sock: socket.socket, waiter: Waiter) -> None:
        sock.setblocking(False)
        with suppress(OSError):
            # Session tickets and a short answer are two small writes: Nagle's algorithm would hold the second one back.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._waiter = waiter
        self._connection: SSL.Connection | None = context.connection(sock)
        self._state = _State.NEW
        self._take_turn: Callable[[], None] | None = None
        self._peer_identity: PeerIdentity | None = None
        self._bytes_sent = 0

    def handshake(self, deadline: float, take_turn: Callable[[], None] | None = None) -> None:
        """Agree on keys with the peer and learn who it is.

        `take_turn` is called before each step, which computes much, and may wait until others are done.
        """
        self._take_turn = take_turn
        try:
            self._complete(SSL.Connection.do_handshake, deadline)
        except TimeoutError:
            self._state = _State.ENDED
            raise
        finally:
            self._take_turn = None
        self._state = _State.OPEN
        if self._connection is not None:
            self._peer_identity = identify(self._connection)

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        """What the peer has sent, at most `max_bytes` and at most one record; nothing if it has ended the stream."""
        try:
            return self._complete(SSL.Connection.recv, deadline, min(max_bytes, RECORD_SIZE))
        except _PeerGoneError:
            return b""

    def send_all(self, data: Buffer | Sequence[Buffer], deadline: float) -> None:
        """Send one buffer, or several in a row, which saves joining a head with a long body."""
        try:
            for chunk in _chunks(data):
                rest = memoryview(chunk)
                while rest:
                    sent = self._complete(SSL.Connection.send, deadline, rest)
                    self._bytes_sent += sent
                    rest = rest[sent:]
        except TimeoutError:
            # Half a record is on its way: nothing intelligible can follow it.
            self._state = _State.ENDED
            raise

    def shutdown(self, deadline: float, *, peer_is_sending: bool = False) -> None:
        """Say goodbye so that the peer can read all that was sent to it: before `close`, also after an error.

        A socket that is closed while something unread lies in it resets the connection, and the reset may overtake the
        answer. So unread bytes are thrown away, for a short while, until the peer ends its side. `peer_is_sending` says
        that more must be on its way even if nothing is there yet, as when a request is answered by its head alone.

        Never raises anything about the connection: it is over anyway.
        """
        if self._state is _State.OPEN:
            with suppress(OSError, TLSError):
                # Only sends close_notify; few clients answer it, and nobody needs the answer.
                self._complete(SSL.Connection.shutdown, deadline)
            self._state = _State.ENDED
        if self._state is _State.CLOSED:
            return
        try:
            if peer_is_sending or self._sock.recv(1):
                self._sock.shutdown(socket.SHUT_WR)
                self._discard_input(min(deadline, monotonic() + LINGER_SECONDS))
        except OSError:
            # BlockingIOError, the usual case, says that nothing lies there.
            return

    def abort(self) -> None:
        """End the connection at once; whoever waits on it sees the end. May be called by any thread."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the socket and all memory, without another word to the peer. May be repeated; never raises."""
        self._state = _State.CLOSED
        self._connection = None
        try:
            self._sock.close()
        except OSError:
            return

    @property
    def peer_identity(self) -> PeerIdentity | None:
        """Who the peer is by its verified certificate; None if it has shown none."""
        return self._peer_identity

    @property
    def bytes_sent(self) -> int:
        """How many bytes `send_all` has handed to the kernel."""
        return self._bytes_sent

    @property
    def peer_has_left(self) -> bool:
        """Whether the peer has closed its side, or the connection is broken; nothing is read for it."""
        try:
            return self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _TCP_ESTABLISHED
        except OSError:
            return True

    @property
    def has_begun(self) -> bool:
        """Whether the peer has begun to speak TLS; False after `close`."""
        return self._connection is not None and self._connection.client_random() is not None

    @property
    def protocol(self) -> str | None:
        """The version of TLS, like ``TLSv1.3``; None without a connection."""
        return self._connection.get_protocol_version_name() if self._connection else None

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher; None without a connection."""
        return self._connection.get_cipher_name() if self._connection else None

    @property
    def pending(self) -> int:
        """How many bytes `receive` can return without touching the socket."""
        return self._connection.pending() if self._connection else 0

    def _complete(self, attempt: Callable[..., _Result], deadline: float, *arguments: object) -> _Result:
        """Repeat one call of pyOpenSSL until it has an outcome, waiting for the socket in between."""
        while True:
            if self._take_turn is not None:
                # Whoever waits for others here is not slow itself.
                arrived = monotonic()
                self._take_turn()
                deadline += monotonic() - arrived
            connection = self._connection
            if connection is None or self._state is _State.ENDED:
                raise ConnectionAbortedError("the connection was ended here")
            clear_errors()
            try:
                return attempt(connection, *arguments)
            except SSL.WantReadError:
                wait = self._waiter.wait_readable
            except SSL.WantWriteError:
                wait = self._waiter.wait_writable
            except SSL.ZeroReturnError:
                raise _PeerGoneError("the client has closed the connection") from None
            except SSL.SysCallError as error:
                self._state = _State.ENDED
                raise _PeerGoneError(_system_reason(error)) from error
            except SSL.Error as error:
                self._state = _State.ENDED
                raise TLSError(explain(error, connection)) from error
            # A peer that keeps the socket readable without ever getting anywhere is subject to the deadline, too.
            if monotonic() >= deadline:
                raise TimeoutError("the deadline has passed")
            try:
                wait(self._sock, deadline)
            except TimeoutError:
                raise
            except (OSError, ValueError) as error:
                if self._connection is None:
                    raise ConnectionAbortedError("the connection was ended here") from error
                raise

    def _discard_input(self, deadline: float) -> None:
        """Throw away what the peer sends until it ends its side. Raises OSError, TimeoutError included, to stop."""
        while monotonic() < deadline:
            # Also when something is there already: it lets others run between two reads.
            self._waiter.wait_readable(self._sock, deadline)
            if not self._sock.recv(65536):
                return


def _chunks(data: Buffer | Sequence[Buffer]) -> Iterator[Buffer]:
    """Buffers to send one by one: short ones are joined to full records, long ones are not copied."""
    buffers = [data] if isinstance(data, Buffer) else data
    short = bytearray()
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        if short:
            room = RECORD_SIZE - len(short)
            short += view[:room]
            view = view[room:]
            if len(short) < RECORD_SIZE:
                continue
            yield short
            short = bytearray()
        if len(view) >= RECORD_SIZE:
            yield view
        else:
            short += view
    if short:
        yield short


def identify(connection: SSL.Connection) -> PeerIdentity | None:
    """The identity in the peer's certificate, if there is one and it was verified.

    A resumed session has no chain, only the certificate that was verified when the session began. It may have expired
    since then.
    """
    try:
        chain = connection.get_verified_chain(as_cryptography=True)
        certificate = chain[0] if chain else connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not is_peer_verified(connection):
            return None
        if not chain and certificate.not_valid_after_utc < datetime.now(timezone.utc):
            return None
    except UNREADABLE as error:
        raise TLSError("client certificate refused: it cannot be read") from error
    return PeerIdentity(_common_name(certificate), certificate.fingerprint(hashes.SHA256()).hex())


def _common_name(certificate: x509.Certificate) -> str | None:
    """The last common name, or None if there is none or it is not plain text."""
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UNREADABLE:
        return None
    name = names[-1].value if names else None
    return name if isinstance(name, str) and name and name.isprintable() else None


def _system_reason(error: SSL.SysCallError) -> str:
    number = error.args[0] if error.args else -1
    return os.strerror(number) if number > 0 else "the client has closed the connection"
