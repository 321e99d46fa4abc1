"""The client's end of TLS on a non-blocking socket, for whoever plays many clients in one process.

No operation waits or raises for waiting: each says with a number which event of the socket it needs to go on, so that
an event loop spends nothing on exceptions of its own. A session is never resumed, and the server's certificate is
checked in every handshake against the CA, without a look at its name: what Bcfg2's clients do.
"""

from __future__ import annotations

import select
import socket
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from geventcore.errors import TLSError
from geventcore.tls.library import clear_errors
from geventcore.tls.stream import RECORD_SIZE

#: OpenSSL's names for them are not in pyOpenSSL: a write may end after any record, may be repeated from another place,
#: and an idle connection keeps no buffers.
_PARTIAL_WRITE, _MOVING_WRITE_BUFFER, _RELEASE_BUFFERS = 0x1, 0x2, 0x10


class ClientContext:
    """What all connections of a client have in common; `TLSError` if the CA file is of no use."""

    def __init__(self, ca: Path) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        try:
            context.load_verify_locations(str(ca))
        except SSL.Error as error:
            raise TLSError(f"{ca}: no usable CA certificates: {_reason(error)}") from error
        context.set_verify(SSL.VERIFY_PEER)
        context.set_mode(_PARTIAL_WRITE | _MOVING_WRITE_BUFFER | _RELEASE_BUFFERS)
        # Today's OpenSSL would offer a post-quantum exchange, which no client in the field does and which costs more.
        context.set_tmp_ecdh(ec.SECP256R1())
        self._context = context

    def connect(self, sock: socket.socket) -> ClientConnection:
        """A connection, not yet begun, on a socket that stays the caller's and is non-blocking."""
        connection = SSL.Connection(self._context, sock)
        connection.set_connect_state()
        return ClientConnection(connection)


class ClientConnection:
    """One connection. `OSError` says that the network has failed, `TLSError` that the server's TLS is not acceptable.

    Where an operation cannot go on it returns the event to wait for as a negative number: ``-select.POLLIN`` or
    ``-select.POLLOUT``, which are epoll's numbers too.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection

    def handshake(self) -> int:
        """0 when it is done."""
        clear_errors()
        try:
            self._connection.do_handshake()
        except SSL.Error as error:
            if _outcome(error) == 0:
                raise ConnectionResetError("closed in the TLS handshake") from None
            return _outcome(error)
        return 0

    def send(self, data: memoryview) -> int:
        """How many bytes went out: at most one record."""
        clear_errors()
        try:
            return self._connection.send(data)
        except SSL.Error as error:
            if _outcome(error) == 0:
                raise BrokenPipeError("closed while sending") from None
            return _outcome(error)

    def receive_into(self, buffer: memoryview) -> int:
        """How many bytes came into the buffer, at most one record; 0 if the server has closed, however it did."""
        clear_errors()
        try:
            return self._connection.recv_into(buffer, min(RECORD_SIZE, len(buffer)))
        except SSL.Error as error:
            return _outcome(error)


def _outcome(error: SSL.Error) -> int:
    """The event that the error asks for, negative, or 0 for the end of the stream; else it is raised as one of ours."""
    if isinstance(error, SSL.WantReadError):
        return -select.POLLIN
    if isinstance(error, SSL.WantWriteError):
        return -select.POLLOUT
    if isinstance(error, SSL.ZeroReturnError):
        return 0
    if isinstance(error, SSL.SysCallError):
        number, text = error.args
        if number in (-1, 0):
            return 0
        raise OSError(number, text) from error
    reason = _reason(error)
    if reason == "unexpected eof while reading":
        return 0
    raise TLSError(reason) from error


def _reason(error: SSL.Error) -> str:
    """OpenSSL's own words: the first of its reasons."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return next((text for _, _, text in queue if text), "unknown TLS error")
