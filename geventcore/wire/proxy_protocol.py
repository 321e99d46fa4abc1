"""The header by which a TCP balancer tells who has connected to it: the PROXY protocol, versions 1 and 2, without I/O.

The header comes before everything else, once. What follows belongs to somebody else, who may want to read it from the
socket, so `ProxyHeaderParser.receive_data` says how many bytes of what it saw were the header's.

Strict, because what the header says decides who may call: an address that has to be guessed is refused.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from geventcore.errors import RequestError

#: Version 2 begins with what no line of text does.
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
#: The longest line of version 1, its end included.
LINE_BYTES = 107
#: The longest header of version 2 that is taken. Addresses need 232 bytes, and balancers may add what they know of TLS,
#: a certificate's name for example.
HEADER_BYTES = 4096

_LINE_START = b"PROXY "
_FIXED = struct.Struct("!BBH")
_FIXED_BYTES = len(SIGNATURE) + _FIXED.size
_LOCAL, _PROXY = 0x20, 0x21
_STREAM = 1
_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")


@dataclass(frozen=True)
class ProxyHeader:
    """What a header says.

    Attributes:
        source: address and port of whoever has connected to the balancer; None if the balancer has connected on its own
            account, as for a health check, or does not tell.
    """

    source: tuple[str, int] | None


class ProxyHeaderParser:
    """Reads the header of one connection.

    Attributes:
        header: what it says, once it is complete.
    """

    __slots__ = ("_received", "header")

    def __init__(self) -> None:
        self._received = b""
        self.header: ProxyHeader | None = None

    def receive_data(self, data: bytes) -> int:
        """Take what has arrived; how many bytes of it belong to the header. All others follow the header.

        ``b""`` says that the balancer has closed, which it may do before the header, but not in it. `RequestError` if
        this is no header, or one that cannot be accepted; the connection is of no more use then.
        """
        if not data:
            if self._received:
                raise RequestError("the connection ends in the PROXY header")
            return 0
        before = len(self._received)
        self._received += data
        end = self._find_end(self._received)
        if end is None:
            return len(data)
        raw, self._received = self._received[:end], b""
        self.header = _parse_binary(raw) if raw.startswith(SIGNATURE) else _parse_line(raw)
        return end - before

    @staticmethod
    def _find_end(seen: bytes) -> int | None:
        """Where the header ends; None if that has not arrived."""
        if seen.startswith(_LINE_START):
            end = seen.find(b"\r\n", 0, LINE_BYTES)
            if end < 0 and len(seen) >= LINE_BYTES:
                raise RequestError(f"the PROXY line has more than {LINE_BYTES} bytes")
            return end + 2 if end >= 0 else None
        if not SIGNATURE.startswith(seen[: len(SIGNATURE)]) and not _LINE_START.startswith(seen):
            raise RequestError(f"there is no PROXY header: {seen[:16]!r}")
        if len(seen) < _FIXED_BYTES:
            return None
        end = _FIXED_BYTES + _FIXED.unpack_from(seen, len(SIGNATURE))[2]
        if end > HEADER_BYTES:
            raise RequestError(f"the PROXY header has {end} bytes; {HEADER_BYTES} are accepted")
        return end if len(seen) >= end else None


def _parse_line(raw: bytes) -> ProxyHeader:
    words = raw[:-2].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(None)
    kinds: dict[bytes, type[IPv4Address | IPv6Address]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
    kind = kinds.get(words[1])
    if kind is None or len(words) != 6:
        raise RequestError(f"the PROXY line is malformed: {raw!r}")
    try:
        source, _ = (kind(word.decode("ascii")) for word in words[2:4])
    except ValueError:
        raise RequestError(f"the PROXY line has a malformed address: {raw!r}") from None
    if not all(_PORT.fullmatch(port) and int(port) < 65536 for port in words[4:]):
        raise RequestError(f"the PROXY line has a malformed port: {raw!r}")
    return ProxyHeader(_endpoint(source, int(words[4])))


def _parse_binary(raw: bytes) -> ProxyHeader:
    command, family, _ = _FIXED.unpack_from(raw, len(SIGNATURE))
    if command >> 4 != 2:
        raise RequestError(f"the PROXY header has version {command >> 4}; 1 and 2 are accepted")
    if command == _LOCAL:
        return ProxyHeader(None)
    if command != _PROXY:
        raise RequestError(f"the PROXY header has an unknown command: {command & 15}")
    addresses = raw[_FIXED_BYTES:]
    kind, transport = family >> 4, family & 15
    if kind > 3 or transport > 2:
        raise RequestError(f"the PROXY header is about an unknown kind of connection: {family:#04x}")
    if kind not in (1, 2):
        # UNSPEC, or a local socket of the balancer's machine: an address of neither says anything here.
        return ProxyHeader(None)
    if transport != _STREAM:
        raise RequestError(f"the PROXY header is not about a TCP connection: {family:#04x}")
    layout = struct.Struct("!4s4sHH" if kind == 1 else "!16s16sHH")
    if len(addresses) < layout.size:
        raise RequestError(f"the PROXY header is too short: {len(addresses)} bytes of addresses")
    source, _, port, _ = layout.unpack_from(addresses)
    return ProxyHeader(_endpoint(ip_address(source), port))


def _endpoint(address: IPv4Address | IPv6Address, port: int) -> tuple[str, int]:
    """As the system tells it of a connection of its own: an IPv4 address is never dressed up as IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise RequestError(f"the PROXY line has an address with a zone: {address}")
    return str(mapped or address), port
