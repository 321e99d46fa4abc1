"""Headers of the PROXY protocol, which a balancer sends before the first byte of a client."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from geventcore.testing.wire_client import Client, Connection
from geventcore.wire.proxy_protocol import SIGNATURE

#: The balancer connects on its own account.
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


def version_2(source: str) -> bytes:
    """A header for a connection from that address, with a TLV at its end."""
    family, kind = (socket.AF_INET6, b"\x21\x21") if ":" in source else (socket.AF_INET, b"\x21\x11")
    packed = socket.inet_pton(family, source)
    body = packed + packed + b"\x30\x39\x1a\x85" + b"\x04\x00\x03pad"
    return SIGNATURE + kind + len(body).to_bytes(2, "big") + body


def version_1(source: str) -> bytes:
    """The same as a line."""
    kind = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {kind} {source} {source} 12345 6789\r\n".encode()


@contextlib.contextmanager
def through(client: Client, *header: bytes) -> Iterator[Connection]:
    """A TLS connection whose first bytes are a header, sent in these pieces."""
    with client.connect_plain() as sock:
        for piece in header:
            sock.sendall(piece)
            if len(header) > 1:
                # So that the pieces are not read as one.
                time.sleep(0.01)
        with client.context().wrap_socket(sock, server_hostname="localhost") as tls:
            yield Connection(tls)
