"""TLS without a socket, for cores whose event loop moves the bytes.

What arrives goes in by `MemoryTLS.receive_data`, what must be sent is fetched by `MemoryTLS.data_to_send`. The clear
text is on the other side: `MemoryTLS.read` and `MemoryTLS.write`. Nothing here waits.
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
    """The server's end of one TLS connection.

    Every method may leave something to send. `TLSError` says, in a few words, that the peer breaks the rules or is
    refused; after that the connection is of no more use, except that the peer should get what is left to send.
    """

    def __init__(self, context: ServerContext) -> None:
        self._connection = context.connection(None)
        self._ended = False
        self.is_open = False
        self.peer_identity: PeerIdentity | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the peer has begun to speak TLS."""
        return self._connection.client_random() is not None

    @property
    def protocol(self) -> str:
        """The version of TLS, like ``TLSv1.3``."""
        return str(self._connection.get_protocol_version_name())

    def receive_data(self, data: bytes) -> None:
        """Take what has arrived; ``b""`` if the peer has ended the connection."""
        if data:
            self._connection.bio_write(data)
        else:
            self._ended = True

    def data_to_send(self) -> bytes:
        """What must be sent now; may be empty."""
        pieces = []
        while True:
            try:
                pieces.append(self._connection.bio_read(4 * RECORD_SIZE))
            except SSL.WantReadError:
                return b"".join(pieces)

    def handshake(self) -> bool:
        """Go on with the handshake; true if it is complete. `ConnectionError` if the peer has gone away."""
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
        """What the peer has sent, at most one record; None if that is not here yet, ``b""`` at the end."""
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
        """Encrypt what is to be sent."""
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
            # Before the end of a handshake there is nothing to say goodbye to.
            return
