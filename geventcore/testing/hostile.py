"""Hostile and broken clients: each case sends something, and checks the answer."""

from __future__ import annotations

import contextlib
import socket
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from geventcore.testing.wire_client import Client, Connection, Reply

#: The server's settings for these cases: short deadlines, a limit on bodies that is soon reached, and pools of threads
#: that any herd fills. A larger one grows when the machine is busy, and keeps its threads.
OPTIONS = {
    "tornado": {"threads": "8"},
    "twisted": {"threads": "8"},
    "server": {
        "handshake_timeout": "3",
        "idle_timeout": "3",
        "request_timeout": "5",
        "drain_timeout": "5",
        "max_body": "1m",
    },
}
MAX_BODY = 1024 * 1024
#: Of 350 KB each: far more than the largest buffer that Linux gives a connection (4 MB).
UNREAD_ANSWERS = 60


@dataclass
class Visitor:
    """Somebody hostile, and what there is to know about the visit.

    Attributes:
        client: the account that it has, or wants to have; its address is nobody else's, so the log tells who it was.
    """

    client: Client

    @contextlib.contextmanager
    def plain(self) -> Iterator[socket.socket]:
        """A TCP connection."""
        with self.client.connect_plain() as sock:
            yield sock

    @contextlib.contextmanager
    def tls(self, receive_buffer: int | None = None) -> Iterator[Connection]:
        """A connection after its handshake."""
        with self.client.connect(receive_buffer) as connection:
            yield connection

    def ask(self, request: bytes) -> Reply:
        """The answer to what is sent on a connection of its own, after which the server closes or goes on."""
        with self.tls() as connection:
            connection.send(request)
            return connection.read_reply()


@dataclass(frozen=True)
class HostileCase:
    """One kind of visit.

    Attributes:
        name: what it is.
        act: does it; an AssertionError if the answer is wrong.
        lines: how many lines of level WARNING and above it leaves in the log.
    """

    name: str
    act: Callable[[Visitor], None]
    lines: int = 1


CASES: dict[str, HostileCase] = {}


def case(lines: int = 1) -> Callable[[Callable[[Visitor], None]], Callable[[Visitor], None]]:
    """Add a function to the cases."""

    def add(act: Callable[[Visitor], None]) -> Callable[[Visitor], None]:
        name = act.__name__.replace("_", " ")
        CASES[name] = HostileCase(name, act, lines)
        return act

    return add


def expect(status: int, request: Callable[[Client], bytes], lines: int = 1, name: str = "") -> None:
    """Add a case: a request that has to be answered by a status."""

    def act(visitor: Visitor) -> None:
        reply = visitor.ask(request(visitor.client))
        assert reply.status == status
        if status == 500:
            assert reply.body == b""
            assert reply.headers["Content-Length"] == "0"
        else:
            assert reply.headers.get_content_type() == "text/html"

    CASES[name] = HostileCase(name, act, lines)


def expect_fault(code: int, method: str, *arguments: object, name: str) -> None:
    """Add a case: a call that has to be answered by a fault."""

    def act(visitor: Visitor) -> None:
        reply = visitor.ask(visitor.client.request(method, *arguments))
        assert reply.status == 200
        try:
            value = reply.value
        except xmlrpc.client.Fault as fault:
            found = fault.faultCode, fault.faultString
        else:
            raise AssertionError(f"it was answered: {value!r}")
        assert found[0] == code, found
        assert "Traceback" not in found[1]
        assert found[1].startswith("Critical failure: ") is (code == -32500)

    CASES[name] = HostileCase(name, act)


def read_to_end(sock: socket.socket) -> bytes:
    """Read until the server closes, in whatever way."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65536):
            received += data
    return bytes(received)
