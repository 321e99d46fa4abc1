"""TLS without a socket, for cores whose event loop does the I/O.

Pass received data to `MemoryTLS.receive_data`, and send the result of `MemoryTLS.data_to_send`. Use `MemoryTLS.read`
and `MemoryTLS.write` for clear text. No method blocks.
"""

from __future__ import annotations

from OpenSSL import SSL

from geventcore.errors import TLSError
from geventcore.tls.context import ServerContext
from geventcore.tls.identity import PeerIdentity
from geventcore.tls.library import clear_errors
from geventcore.tls.reasons import explain
from geventcore.tls.stream import RECORD_SIZE, identify


class MemoryTLS:
    """The server side of one TLS connection.

    After every call, send the result of `data_to_send`. Methods raise `TLSError` with a short reason if the peer
    violates TLS or is refused. Then send the remaining data, which tells the peer the reason, and close the connection.
    """

    def __init__(self, context: ServerContext) -> None:
        self._connection = context.connection(None)
        self._ended = False
        self.is_open = False
        self.peer_identity: PeerIdentity | None = None

    @property
    def has_begun(self) -> bool:
        """True if the peer has started TLS."""
        return self._connection.client_random() is not None

    @property
    def protocol(self) -> str:
        """The version of TLS, such as ``TLSv1.3``."""
        return str(self._connection.get_protocol_version_name())

    def receive_data(self, data: bytes) -> None:
        """Add received data; ``b""`` if the peer has ended the connection."""
        if data:
            self._connection.bio_write(data)
        else:
            self._ended = True

    def data_to_send(self) -> bytes:
        """Return the data to send, which may be empty."""
        pieces = []
        while True:
            try:
                pieces.append(self._connection.bio_read(4 * RECORD_SIZE))
            except SSL.WantReadError:
                return b"".join(pieces)

    def handshake(self) -> bool:
        """Continue the handshake and return whether it is complete.

        Raises:
            ConnectionError: the peer has closed the connection.
        """
        clear_errors()
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            if self._ended:
                raise ConnectionAbortedError("the client has closed the connection") from None
            return False
        except SSL.Error as error:
            raise TLSError(explain(error, self._connection)) from error
        self.is_open = True
        self.peer_identity = identify(self._connection)
        return True

    def read(self) -> bytes | None:
        """Return clear text, at most one record; None if it has not arrived yet, ``b""`` at the end."""
        clear_errors()
        try:
            data: bytes = self._connection.recv(RECORD_SIZE)
        except SSL.WantReadError:
            return b"" if self._ended else None
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return b""
        except SSL.Error as error:
            raise TLSError(explain(error, self._connection)) from error
        return data

    def write(self, data: bytes) -> None:
        """Encrypt data for sending."""
        clear_errors()
        try:
            for start in range(0, len(data), RECORD_SIZE):
                self._connection.sendall(data[start : start + RECORD_SIZE])
        except SSL.Error as error:
            raise TLSError(explain(error, self._connection)) from error

    def shutdown(self) -> None:
        """Say goodbye."""
        clear_errors()
        try:
            self._connection.shutdown()
        except SSL.Error:
            # Before the end of a handshake there is no stream to end.
            return
