"""Who may say, by the PROXY protocol, on whose behalf it connects: the balancers in front of a server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from geventcore.options.types import ValueType
from geventcore.wire.proxy_protocol import HEADER_BYTES, SIGNATURE, ProxyHeaderParser

#: How long a balancer may take for the header, in seconds. It sends it with its first packet; the protocol asks for
#: three seconds, the time in which a lost packet is sent again.
HEADER_SECONDS = 3.0
#: What is known of whoever connects through a local socket: an address that nobody has, and nobody is let in for.
LOCAL_ADDRESS = ("0.0.0.0", 0)

UNIX = "unix"

#: How long the head of a TLS record is, which OpenSSL takes before it sees that it is none.
_RECORD_HEAD_BYTES = 5
#: What headers begin with, version 2 and 1.
_BEGINNINGS = (SIGNATURE, b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN")
#: How many bytes `is_header` has to see.
BEGINNING_BYTES = max(map(len, _BEGINNINGS))


@dataclass(frozen=True)
class Proxies:
    """The addresses of balancers.

    Attributes:
        networks: where they call from.
        unix: whether whoever connects through a local socket is one.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    def include(self, address: Any) -> bool:
        """Whether a connection comes from a balancer; `address` is what the system tells of it."""
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
        # ip_network says what is wrong, host bits that are set for example.
        return Proxies(tuple(ip_network(word) for word in words if word.lower() != UNIX), UNIX in map(str.lower, words))

    def format(self, value: Any) -> str:
        return ", ".join([*map(str, value.networks), *([UNIX] if value.unix else [])])


def endpoint(address: Any) -> tuple[Any, ...]:
    """The address of a connection for all who have to know it, whatever kind of socket it came through."""
    return address if isinstance(address, tuple) else LOCAL_ADDRESS


def is_header(seen: bytes) -> bool:
    """Whether somebody who was expected to speak TLS begins with a PROXY header.

    `seen` are the first bytes, or what OpenSSL has left of them.
    """
    return seen.startswith((*_BEGINNINGS, *(beginning[_RECORD_HEAD_BYTES:] for beginning in _BEGINNINGS)))


def read_header(
    sock: socket.socket, wait_readable: Callable[[], None], parser: ProxyHeaderParser
) -> tuple[str, int] | None:
    """Take the header off a non-blocking socket, and not a byte of what follows.

    Returns who has connected, if the header tells. Raises `RequestError` for what is no header, `TimeoutError` if
    `wait_readable` does, and `ConnectionError` if the connection ends before the header.
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
