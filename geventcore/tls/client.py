"""The client side of TLS on non-blocking sockets, for many simulated clients in one process.

No operation blocks. If it must wait, it returns the socket event to wait for as a number, which is cheaper for an event
loop than an exception. As in Bcfg2's clients, sessions are not resumed, and each handshake checks the server's
certificate against the CA, if there is one, but not its name.
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

#: Modes whose names pyOpenSSL lacks: partial writes, repeated writes from another buffer, no buffers for idle
#: connections.
_PARTIAL_WRITE, _MOVING_WRITE_BUFFER, _RELEASE_BUFFERS = 0x1, 0x2, 0x10


class ClientContext:
    """The common settings of all connections of a client.

    Args:
        ca: the CA certificates for checking the server's certificate in every handshake; None for no check.
        certificate, key: the client's certificate and key in PEM format, or None.

    Raises:
        TLSError: a file is unusable.
    """

    def __init__(self, ca: Path | None, certificate: Path | None = None, key: Path | None = None) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if ca is not None:
            try:
                context.load_verify_locations(str(ca))
            except SSL.Error as error:
                raise TLSError(f"{ca}: no usable CA certificates: {_reason(error)}") from error
            context.set_verify(SSL.VERIFY_PEER)
        if certificate is not None:
            try:
                context.use_certificate_chain_file(str(certificate))
                context.use_privatekey_file(str(key or certificate))
                context.check_privatekey()
            except SSL.Error as error:
                raise TLSError(f"{certificate}: no usable certificate with its key: {_reason(error)}") from error
        context.set_mode(_PARTIAL_WRITE | _MOVING_WRITE_BUFFER | _RELEASE_BUFFERS)
        # Current OpenSSL would offer a post-quantum key exchange, which deployed clients do not and which costs more.
        context.set_tmp_ecdh(ec.SECP256R1())
        self._context = context

    def connect(self, sock: socket.socket) -> ClientConnection:
        """Make a connection on the caller's non-blocking socket, without starting the handshake."""
        connection = SSL.Connection(self._context, sock)
        connection.set_connect_state()
        return ClientConnection(connection)


class ClientConnection:
    """One connection.

    An operation that must wait returns the event as a negative number: ``-select.POLLIN`` or ``-select.POLLOUT``, which
    are epoll's numbers, too. All operations raise `OSError` after a network failure, and `TLSError` if the server's TLS
    is not acceptable.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection

    def handshake(self) -> int:
        """Continue the handshake; return 0 when it is complete."""
        clear_errors()
        try:
            self._connection.do_handshake()
        except SSL.Error as error:
            if _outcome(error) == 0:
                raise ConnectionResetError("closed in the TLS handshake") from None
            return _outcome(error)
        return 0

    def send(self, data: memoryview) -> int:
        """Send at most one record and return the number of sent bytes."""
        clear_errors()
        try:
            return self._connection.send(data)
        except SSL.Error as error:
            if _outcome(error) == 0:
                raise BrokenPipeError("closed while sending") from None
            return _outcome(error)

    def receive_into(self, buffer: memoryview) -> int:
        """Receive at most one record into the buffer and return its size; 0 if the server has closed in any way."""
        clear_errors()
        try:
            return self._connection.recv_into(buffer, min(RECORD_SIZE, len(buffer)))
        except SSL.Error as error:
            return _outcome(error)


def _outcome(error: SSL.Error) -> int:
    """Translate an error to a negative event number, to 0 for the end of the stream, or to one of our errors."""
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
    """Return the first of OpenSSL's reasons."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return next((text for _, _, text in queue if text), "unknown TLS error")
