"""Handshakes that fail, one after the other, at every step: those beside them do not notice."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from geventcore.testing.hostile import read_to_end
from geventcore.testing.hostile_tls import old_hello
from geventcore.testing.live_site import LiveServer, LiveSite
from geventcore.testing.neighbours import Neighbours, assert_unharmed
from geventcore.testing.wire_client import Client

NEIGHBOURS = 10
HAMMERS = 4
BLOWS = 50
#: What is sent instead of a hello.
NONSENSE = (
    b"",
    b"\x16",
    b"GET / HTTP/1.1\r\n\r\n",
    bytes(range(256)),
    b"\x16\x03\x01\x40\x00" + bytes(100),
    old_hello(b"\x03\x00"),
    old_hello(b"\x03\x01"),
    old_hello(b"\x03\x03", b"\x00\x2f\x00\xff"),
)


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site().start() as running:
        yield running


def end(sock: socket.socket, with_reset: bool) -> None:
    if with_reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def send_nonsense(client: Client, data: bytes) -> None:
    with client.connect_plain() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        read_to_end(sock)


def break_off(client: Client, version: ssl.TLSVersion, step: int, damage: bool, with_reset: bool) -> None:
    """Go on until the client has sent `step` halves of what it says, then damage the next half or end without it."""
    context = client.context()
    context.minimum_version = context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with client.connect_plain() as sock, contextlib.suppress(ConnectionError):
        for _ in range(2):
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            flight = outgoing.read()
            for half in (flight[: len(flight) // 2], flight[len(flight) // 2 :]):
                if step == 0:
                    if damage:
                        sock.sendall(bytes(byte ^ 0x55 for byte in half))
                    end(sock, with_reset)
                    return
                sock.sendall(half)
                step -= 1
            incoming.write(sock.recv(65536))
        end(sock, with_reset)


def hammer(client: Client) -> None:
    versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    breaks = itertools.product(versions, range(5), (False, True), (False, True))
    blows: list[Callable[[], None]] = [
        *(lambda data=data: send_nonsense(client, data) for data in NONSENSE),
        *(lambda how=how: break_off(client, *how) for how in breaks),
    ]
    for blow in itertools.islice(itertools.cycle(blows), BLOWS):
        blow()


def test_failing_handshakes_harm_nobody(server: LiveServer) -> None:
    site = server.site
    with Neighbours(site, NEIGHBOURS) as neighbours, ThreadPoolExecutor(HAMMERS) as executor:
        hammers = [executor.submit(hammer, site.client(source=f"127.0.4.{number + 1}")) for number in range(HAMMERS)]
        for done in hammers:
            done.result()
    assert_unharmed(neighbours.runs)
    assert not [line for line in server.grave() if not line.message.startswith("127.0.4.")]
    assert "Traceback" not in server.log_text()
