"""The PROXY protocol, versions 1 and 2: the header in which a TCP balancer passes the client's address. No I/O.

The header comes once, before all other data. Another reader may read the following data from the socket, so
`ProxyHeaderParser.receive_data` returns the number of bytes that belong to the header.

The parser is strict, because access depends on the address: an ambiguous header is refused, and so is one whose
additional data (TLVs) are cut off or whose checksum (PP2_TYPE_CRC32C) is wrong.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from geventcore.errors import RequestError
from geventcore.wire.crc32c import crc32c

#: The signature of version 2, which no line of text begins with.
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
#: The longest line of version 1, including its end.
LINE_BYTES = 107
#: The longest accepted header of version 2. Addresses need 232 bytes, and balancers may add data about TLS, such as the
#: name in a certificate.
HEADER_BYTES = 4096

_LINE_START = b"PROXY "
_FIXED = struct.Struct("!BBH")
_FIXED_BYTES = len(SIGNATURE) + _FIXED.size
_LOCAL, _PROXY = 0x20, 0x21
_STREAM = 1
_TLV = struct.Struct("!BH")
_CHECKSUM_TYPE = 3
_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")


@dataclass(frozen=True)
class ProxyHeader:
    """A parsed header.

    Attributes:
        source: address and port of the balancer's client; None if the balancer connects for itself, as for a health
            check, or does not pass an address.
    """

    source: tuple[str, int] | None


class ProxyHeaderParser:
    """Parses the header of one connection.

    Attributes:
        header: the header, when it is complete.
    """

    __slots__ = ("_received", "header")

    def __init__(self) -> None:
        self._received = b""
        self.header: ProxyHeader | None = None

    def receive_data(self, data: bytes) -> int:
        """Add received data and return the number of bytes that belong to the header.

        ``b""`` means that the balancer has closed the connection, which it may do before the header, but not in it.

        Raises:
            RequestError: the data is not an acceptable header. Close the connection then.
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
        """Return the end of the header; None if it has not arrived."""
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
        raise RequestError(f"the PROXY header has an unknown kind of connection: {family:#04x}")
    if kind not in (1, 2):
        # The addresses of UNSPEC and of local sockets on the balancer's machine are of no use.
        return ProxyHeader(None)
    if transport != _STREAM:
        raise RequestError(f"the PROXY header is not for a TCP connection: {family:#04x}")
    layout = struct.Struct("!4s4sHH" if kind == 1 else "!16s16sHH")
    if len(addresses) < layout.size:
        raise RequestError(f"the PROXY header is too short: {len(addresses)} bytes of addresses")
    _check_additional_data(raw, _FIXED_BYTES + layout.size)
    source, _, port, _ = layout.unpack_from(addresses)
    return ProxyHeader(_endpoint(ip_address(source), port))


def _check_additional_data(raw: bytes, start: int) -> None:
    """Check the TLVs after the addresses: each is complete, and a checksum is that of the header with zeros for it."""
    while start < len(raw):
        if start + _TLV.size > len(raw):
            raise RequestError("the additional data of the PROXY header is cut off")
        kind, length = _TLV.unpack_from(raw, start)
        start += _TLV.size
        end = start + length
        if end > len(raw):
            raise RequestError("the additional data of the PROXY header is cut off")
        if kind == _CHECKSUM_TYPE:
            if length != 4:
                raise RequestError(f"the checksum of the PROXY header has {length} bytes instead of 4")
            if crc32c(raw[:start] + bytes(4) + raw[end:]) != int.from_bytes(raw[start:end], "big"):
                raise RequestError("the checksum of the PROXY header is wrong")
        start = end


def _endpoint(address: IPv4Address | IPv6Address, port: int) -> tuple[str, int]:
    """Normalise an address: IPv4-mapped IPv6 becomes IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise RequestError(f"the PROXY line has an address with a zone: {address}")
    return str(mapped or address), port
