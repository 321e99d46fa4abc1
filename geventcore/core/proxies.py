"""The balancers in front of a server, which name the client of a connection by the PROXY protocol."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from geventcore.options.types import ValueType
from geventcore.wire.proxy_protocol import HEADER_BYTES, SIGNATURE, ProxyHeaderParser

#: How long a balancer may take for the header, in seconds. It comes with the first packet; the protocol asks for three
#: seconds, the time in which a lost packet is sent again.
HEADER_SECONDS = 3.0
#: The address of a connection through a local socket: no host has it, and no client is granted access by it.
LOCAL_ADDRESS = ("0.0.0.0", 0)

UNIX = "unix"

#: The length of the head of a TLS record. OpenSSL reads as much before it sees that the data is no TLS.
_RECORD_HEAD_BYTES = 5
#: The beginnings of headers, of version 2 and 1.
_BEGINNINGS = (SIGNATURE, b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN")
#: The number of bytes that `is_header` needs.
BEGINNING_BYTES = max(map(len, _BEGINNINGS))


@dataclass(frozen=True)
class Proxies:
    """The addresses of balancers.

    Attributes:
        networks: the networks that they connect from.
        unix: whether connections through local sockets are a balancer's.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    def include(self, address: Any) -> bool:
        """Return true if a connection comes from a balancer; `address` is as the system gives it."""
        if not isinstance(address, tuple):
            return self.unix
        return bool(self.networks) and _is_within(str(address[0]), self.networks)


@lru_cache(maxsize=1024)
def _is_within(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    found = ip_address(address.partition("%")[0])
    return any(found in network for network in networks)


class ProxiesType(ValueType[Proxies]):
    """Networks, and ``unix``."""

    accepts = "addresses or networks with commas between them, such as 10.0.0.5, 2001:db8::/64, unix"
    metavar = "LIST"

    def parse(self, text: str) -> Proxies:
        words = [word for word in (part.strip() for part in text.split(",")) if word]
        # ip_network raises with the reason, such as host bits that are set.
        return Proxies(tuple(ip_network(word) for word in words if word.lower() != UNIX), UNIX in map(str.lower, words))

    def format(self, value: Any) -> str:
        return ", ".join([*map(str, value.networks), *([UNIX] if value.unix else [])])


def endpoint(address: Any) -> tuple[Any, ...]:
    """Return the address of a connection as ``(ip, port, …)``, for every kind of socket."""
    return address if isinstance(address, tuple) else LOCAL_ADDRESS


def is_header(seen: bytes) -> bool:
    """Return true if a client that was expected to send TLS has sent a PROXY header.

    `seen` are the first bytes, or those that OpenSSL has left of them.
    """
    return seen.startswith((*_BEGINNINGS, *(beginning[_RECORD_HEAD_BYTES:] for beginning in _BEGINNINGS)))


def read_header(
    sock: socket.socket, wait_readable: Callable[[], None], parser: ProxyHeaderParser
) -> tuple[str, int] | None:
    """Read the header from a non-blocking socket, and nothing of the data after it.

    Returns the client's address, or None if the header names none. Raises `RequestError` if there is no header,
    `TimeoutError` if `wait_readable` does, and `ConnectionError` if the connection ends before the header.
    """
    while parser.header is None:
        try:
            seen = sock.recv(HEADER_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            try:
                wait_readable()
            except TimeoutError:
                raise TimeoutError("timed out waiting for the PROXY header") from None
            continue
        taken = parser.receive_data(seen)
        if not seen:
            raise ConnectionAbortedError("the balancer has closed the connection")
        sock.recv(taken)
    return parser.header.source
