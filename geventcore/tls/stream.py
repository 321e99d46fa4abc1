"""TLS over a non-blocking socket, for any core.

pyOpenSSL does not wait on a non-blocking socket. Each call either succeeds or reports that the socket must become
readable or writable first. Both can happen in any state: a read may have to write, a shutdown may have to read. So all
operations go through one loop, `TLSStream._complete`: try, wait for the event that OpenSSL needs, try again, all under
one deadline. The core provides the waiting (`geventcore.tls.waiter.Waiter`).

Three rules keep connections small and independent:

* OpenSSL's error queue belongs to the OS thread, which greenlets share. It is cleared before each call, and no other
  greenlet can run between a call and the check of its result.
* OpenSSL refers to the socket by its descriptor, whose number is reused after a close. A stream that was closed during
  a wait does not use the descriptor again.
* The data of an attempt, such as the buffer of a read, is freed before a wait.

Clients end connections in different ways. close_notify, a plain close and a reset all mean the end of the stream. The
reader knows by the request's length whether data is missing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from geventcore.deadline_clock import now
from geventcore.errors import TLSError
from geventcore.tls.context import ServerContext
from geventcore.tls.identity import PeerIdentity
from geventcore.tls.library import clear_errors, is_peer_verified
from geventcore.tls.reasons import UNREADABLE, explain
from geventcore.tls.waiter import Waiter

Buffer = bytes | bytearray | memoryview

#: The longest record of TLS. OpenSSL returns at most one record per read.
RECORD_SIZE = 16384
#: The most bytes in one call of OpenSSL, which encrypts and sends without letting other greenlets run.
WRITE_SIZE = 256 * 1024
#: Timeout in seconds for a peer that still sends while the connection closes (nginx, lingering_timeout: 5 s).
LINGER_SECONDS = 2.0
#: The first byte of Linux's struct tcp_info, the state, while both sides are open.
_TCP_ESTABLISHED = 1

_Result = TypeVar("_Result")


class _State(Enum):
    """The state of a stream."""

    NEW = "the handshake"
    OPEN = "everything"
    ENDED = "shutting down, without another word of TLS"
    CLOSED = "nothing"


class _PeerGoneError(ConnectionError):
    """The peer or the network has ended the connection."""


class TLSStream:
    """The server side of one TLS connection, for one thread or greenlet at a time.

    Every deadline is a time of `geventcore.deadline_clock.now` for the whole operation. `handshake`, `receive` and
    `send_all` raise

    * TimeoutError if the deadline passes;
    * ConnectionError if the connection is lost or was closed here;
    * TLSError, with a short reason, if the peer violates TLS or is refused.

    After an error call only `shutdown` and `close`; after a timeout `receive` may be repeated.
    """

    def __init__(self, context: ServerContext, sock: socket.socket, waiter: Waiter) -> None:
        sock.setblocking(False)
        with suppress(OSError):
            # Session tickets and a short response are two small writes: Nagle's algorithm would delay the second one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._waiter = waiter
        self._connection: SSL.Connection | None = context.connection(sock)
        self._state = _State.NEW
        self._before_step: Callable[[], None] | None = None
        self._peer_identity: PeerIdentity | None = None
        self._bytes_sent = 0

    def handshake(self, deadline: float, before_step: Callable[[], None] | None = None) -> None:
        """Perform the handshake, which authenticates the peer by its certificate, if any.

        `before_step` is called before each expensive step, and may wait for other handshakes.
        """
        self._before_step = before_step
        try:
            self._complete(SSL.Connection.do_handshake, deadline)
        except TimeoutError:
            self._state = _State.ENDED
            raise
        finally:
            self._before_step = None
        self._state = _State.OPEN
        if self._connection is not None:
            self._peer_identity = identify(self._connection)

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        """Receive at most `max_bytes` and at most one record; return ``b""`` at the end of the stream."""
        try:
            return self._complete(SSL.Connection.recv, deadline, min(max_bytes, RECORD_SIZE))
        except _PeerGoneError:
            return b""

    def send_all(self, data: Buffer | Sequence[Buffer], deadline: float) -> None:
        """Send one or several buffers. Passing head and body separately saves a copy of the body."""
        try:
            for chunk in _chunks(data):
                rest = memoryview(chunk)
                while rest:
                    sent = self._complete(SSL.Connection.send, deadline, rest)
                    self._bytes_sent += sent
                    rest = rest[sent:]
        except TimeoutError:
            # A record was sent partially, so no valid data can follow.
            self._state = _State.ENDED
            raise

    def shutdown(self, deadline: float, *, peer_is_sending: bool = False) -> None:
        """End the stream so that the peer can read all sent data. Call it before `close`, also after an error.

        Closing a socket with unread data resets the connection, and the peer may lose the response. So this reads and
        discards data for a short time, until the peer ends its side. `peer_is_sending` means that more data is on its
        way, as when a request is answered by its head alone.

        Never raises errors of the connection.
        """
        if self._state is _State.OPEN:
            with suppress(OSError, TLSError):
                # Only send close_notify. Few clients answer it, and the answer is not needed.
                self._complete(SSL.Connection.shutdown, deadline)
            self._state = _State.ENDED
        if self._state is _State.CLOSED:
            return
        try:
            if peer_is_sending or self._sock.recv(1):
                self._sock.shutdown(socket.SHUT_WR)
                self._discard_input(min(deadline, now() + LINGER_SECONDS))
        except OSError:
            # BlockingIOError, the usual case, means that there is no unread data.
            return

    def abort(self) -> None:
        """End the connection at once, also for a thread that waits on it. May be called from any thread."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the socket and all memory without notifying the peer. May be repeated; never raises."""
        self._state = _State.CLOSED
        self._connection = None
        try:
            self._sock.close()
        except OSError:
            return

    @property
    def peer_identity(self) -> PeerIdentity | None:
        """The identity in the peer's verified certificate; None without a certificate."""
        return self._peer_identity

    @property
    def bytes_sent(self) -> int:
        """The number of bytes that `send_all` has passed to the kernel."""
        return self._bytes_sent

    @property
    def peer_has_left(self) -> bool:
        """True if the peer has closed its side or the connection is broken. Reads nothing."""
        try:
            return self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _TCP_ESTABLISHED
        except OSError:
            return True

    @property
    def has_begun(self) -> bool:
        """True if the peer has started TLS; False after `close`."""
        return self._connection is not None and self._connection.client_random() is not None

    @property
    def protocol(self) -> str | None:
        """The version of TLS, such as ``TLSv1.3``; None without a connection."""
        return self._connection.get_protocol_version_name() if self._connection else None

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher; None without a connection."""
        return self._connection.get_cipher_name() if self._connection else None

    @property
    def pending(self) -> int:
        """The number of bytes that `receive` can return without reading from the socket."""
        return self._connection.pending() if self._connection else 0

    def _complete(self, attempt: Callable[..., _Result], deadline: float, *arguments: object) -> _Result:
        """Repeat one call of pyOpenSSL until it has an outcome, waiting for the socket in between."""
        while True:
            if self._before_step is not None:
                # Do not count the time of waiting for other handshakes.
                arrived = now()
                self._before_step()
                deadline += now() - arrived
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
            # The deadline also applies to a peer that keeps the socket readable without progress.
            if now() >= deadline:
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
        """Discard data until the peer ends its side. Raises OSError, including TimeoutError, to stop."""
        while now() < deadline:
            # Wait also if data is there already, to let other greenlets run between two reads.
            self._waiter.wait_readable(self._sock, deadline)
            if not self._sock.recv(65536):
                return


def _chunks(data: Buffer | Sequence[Buffer]) -> Iterator[Buffer]:
    """Yield the buffers to send: short ones are joined to full records, long ones are not copied."""
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
    """Return the identity in the peer's certificate, if it was verified.

    A resumed session has no chain, but only the certificate that was verified at its start and may have expired since.
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
    """Return the last common name, or None if there is none or it is not plain text."""
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UNREADABLE:
        return None
    name = names[-1].value if names else None
    return name if isinstance(name, str) and name and name.isprintable() else None


def _system_reason(error: SSL.SysCallError) -> str:
    number = error.args[0] if error.args else -1
    return os.strerror(number) if number > 0 else "the client has closed the connection"
