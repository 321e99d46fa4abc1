"""A client of blocking sockets and the standard library, for looking at every byte of a conversation.

`Client.call` makes one XML-RPC call as a real client does. `Client.connect` gives a `Connection`, on which a test sends
what it likes.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path
from typing import Any

from geventcore.testing.certificates import Certificate

PATIENCE_SECONDS = 60.0

#: What `Client.call` raises if it gets no answer to read.
CONNECTION_ERRORS = (OSError, EOFError)


class HTTPStatusError(Exception):
    """An answer whose status is not 200."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP status {reply.status}")
        self.reply = reply


@dataclass(frozen=True)
class Reply:
    """One HTTP response."""

    version: str
    status: int
    headers: Message
    body: bytes

    @property
    def value(self) -> Any:
        """The result of the method; `xmlrpc.client.Fault` for a fault, `HTTPStatusError` for another status."""
        if self.status != 200:
            raise HTTPStatusError(self)
        (value,), _ = xmlrpc.client.loads(self.body, use_builtin_types=True)
        return value


class Connection:
    """One TLS connection, or one without TLS for those who do not want it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """This end's address and port, as the server's log has it."""
        name = self.sock.getsockname()
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(data)

    def read_reply(self, *, head_only: bool = False) -> Reply:
        """The next response; `EOFError` if the server has closed."""
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"the server has closed the connection after {line!r}")
        version, status, _ = line.decode("latin-1").split(" ", 2)
        headers = http.client.parse_headers(self._reader)
        length = 0 if head_only else int(headers.get("Content-Length", "0"))
        body = self._reader.read(length)
        if len(body) < length:
            raise EOFError(f"{len(body)} of {length} bytes of the body")
        return Reply(version, int(status), headers, body)

    def read_to_end(self) -> bytes:
        """Read until the server closes the connection, with or without close_notify."""
        with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
            return self._reader.read()
        return b""

    def call(self, client: Client, method: str, *arguments: Any) -> Any:
        """A call on this connection, as that client."""
        self.send(client.request(method, *arguments))
        return self.read_reply().value

    def close(self) -> None:
        """Close without close_notify, as real clients do."""
        with contextlib.suppress(OSError):
            self._reader.close()
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()


@dataclass(frozen=True)
class Client:
    """Somebody who calls.

    Attributes:
        port: the server's.
        ca: checks the server's certificate.
        user, password: for basic authentication; a password of None sends no header.
        source: the address to call from.
        certificate: the client's own.
        host: where the server is.
    """

    port: int
    ca: Path
    user: str = ""
    password: str | None = field(default=None, repr=False)
    source: str = "127.0.0.1"
    certificate: Certificate | None = None
    host: str = "127.0.0.1"

    def with_changes(self, **changes: Any) -> Client:
        """The same but for some attributes."""
        return replace(self, **changes)

    @property
    def authorization(self) -> str:
        """The value of the header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")

    def context(self) -> ssl.SSLContext:
        """The client's TLS settings."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if self.certificate is not None:
            context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        return context

    def connect_plain(self, receive_buffer: int | None = None) -> socket.socket:
        """A TCP connection."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(PATIENCE_SECONDS)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if family == socket.AF_INET:
                sock.bind((self.source, 0))
            sock.connect((self.host, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def connect(self, receive_buffer: int | None = None) -> Connection:
        """A connection after its TLS handshake, as far as this end sees it."""
        sock = self.connect_plain(receive_buffer)
        try:
            return Connection(self.context().wrap_socket(sock, server_hostname="localhost"))
        except OSError:
            sock.close()
            raise

    def request(
        self,
        method: str,
        *arguments: Any,
        version: str = "1.1",
        path: str = "/RPC2",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """A whole request; `headers` are added, or replace the usual ones; a value of "" takes one away."""
        if body is None:
            body = xmlrpc.client.dumps(arguments, method, allow_none=True).encode()
        fields = {"Host": f"localhost:{self.port}", "Content-Type": "text/xml", "Content-Length": str(len(body))}
        if self.password is not None:
            fields["Authorization"] = self.authorization
        fields.update(headers or {})
        lines = [f"POST {path} HTTP/{version}", *(f"{name}: {value}" for name, value in fields.items() if value)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    def exchange(self, request: bytes) -> Reply:
        """The answer to a request on a connection of its own."""
        with self.connect() as connection:
            connection.send(request)
            return connection.read_reply()

    def call(self, method: str, *arguments: Any) -> Any:
        """The result of a call; `xmlrpc.client.Fault`, `HTTPStatusError` or an error of the connection."""
        return self.exchange(self.request(method, *arguments)).value
