"""Headers of the PROXY protocol, however they are cut into pieces, and what is refused."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.errors import RequestError
from geventcore.wire.crc32c import crc32c
from geventcore.wire.proxy_protocol import HEADER_BYTES, LINE_BYTES, SIGNATURE, ProxyHeader, ProxyHeaderParser

PORTS = st.integers(0, 65535)
ENDPOINTS = st.tuples(st.ip_addresses(v=4), PORTS) | st.tuples(st.ip_addresses(v=6), PORTS)
CHUNKS = st.lists(st.integers(1, 40), min_size=1)
#: Additional data of any kind but a checksum, which is tested by itself.
TLVS = st.lists(st.tuples(st.integers(0, 255).filter(lambda kind: kind != 3), st.binary(max_size=60))).map(
    lambda pairs: b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in pairs)
)


def binary(command: int, family: int, addresses: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses)) + addresses


def addresses(source: IPv4Address | IPv6Address, port: int) -> bytes:
    return source.packed + bytes(len(source.packed)) + struct.pack("!HH", port, 6789)


def read(data: bytes, chunks: list[int] | None = None) -> tuple[ProxyHeader | None, bytes]:
    """The header and what follows it, given in pieces of these sizes, over and over."""
    parser = ProxyHeaderParser()
    sizes = chunks or [len(data)]
    number = 0
    while data and parser.header is None:
        piece = data[: sizes[number % len(sizes)]]
        number += 1
        data = data[parser.receive_data(piece) :]
    return parser.header, data


def refusal(data: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        ProxyHeaderParser().receive_data(data)
    text = str(caught.value)
    assert "\n" not in text
    return text


def expected(source: IPv4Address | IPv6Address, port: int) -> ProxyHeader:
    mapped = source.ipv4_mapped if isinstance(source, IPv6Address) else None
    return ProxyHeader((str(mapped or source), port))


@given(ENDPOINTS, TLVS, st.binary(max_size=50), CHUNKS)
def test_version_2(
    source: tuple[IPv4Address | IPv6Address, int], extras: bytes, following: bytes, chunks: list[int]
) -> None:
    family = 0x11 if source[0].version == 4 else 0x21
    header = binary(0x21, family, addresses(*source) + extras)
    assert read(header + following, chunks) == (expected(*source), following)


@given(ENDPOINTS, st.binary(max_size=50), CHUNKS)
def test_version_1(source: tuple[IPv4Address | IPv6Address, int], following: bytes, chunks: list[int]) -> None:
    kind = f"TCP{source[0].version}"
    line = f"PROXY {kind} {source[0]} {source[0]} {source[1]} 6789\r\n".encode()
    assert read(line + following, chunks) == (expected(*source), following)


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=20))
def test_a_balancer_on_its_own_account(ignored: bytes, following: bytes) -> None:
    assert read(binary(0x20, 0x11, ignored) + following) == (ProxyHeader(None), following)
    assert read(binary(0x21, 0x00, ignored) + following) == (ProxyHeader(None), following)
    assert read(binary(0x21, 0x31, ignored) + following) == (ProxyHeader(None), following)
    assert read(b"PROXY UNKNOWN\r\n" + following) == (ProxyHeader(None), following)
    assert read(b"PROXY UNKNOWN ::1 ::1 1 2\r\n" + following) == (ProxyHeader(None), following)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda rest: SIGNATURE + rest))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    parser = ProxyHeaderParser()
    try:
        taken = parser.receive_data(data)
    except RequestError:
        return
    assert taken == len(data) if parser.header is None else taken <= len(data)


@given(st.text("PROXYTCP46UNKOW 0123456789.:abcdef\r\n%", max_size=120))
def test_any_line_is_a_header_or_refused(rest: str) -> None:
    try:
        header, _ = read(f"PROXY {rest}\r\n".encode())
    except RequestError:
        return
    assert header is not None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", "there is no PROXY header"),
        (b"PROXX", "there is no PROXY header"),
        (b"\r\n\r\n\0\r\nQUIX\n", "there is no PROXY header"),
        (b"PROXY " + b"x" * LINE_BYTES, "more than 107 bytes"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "malformed"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "malformed"),
        (b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "malformed"),
        (b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "malformed"),
        (b"PROXY \r\n", "malformed"),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", "malformed address"),
        (b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP4 host 192.0.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP4 \xff 192.0.2.2 1 2\r\n", "malformed address"),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "zone"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "malformed port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "malformed port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "malformed port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 +2\r\n", "malformed port"),
        (binary(0x11, 0x11, bytes(12)), "version 1"),
        (binary(0x2F, 0x11, bytes(12)), "unknown command: 15"),
        (binary(0x21, 0x12, bytes(12)), "not for a TCP connection"),
        (binary(0x21, 0x41, bytes(12)), "unknown kind"),
        (binary(0x21, 0x13, bytes(12)), "unknown kind"),
        (binary(0x21, 0x11, bytes(11)), "too short"),
        (binary(0x21, 0x21, bytes(35)), "too short"),
        (binary(0x21, 0x11, bytes(HEADER_BYTES)), "4096 are accepted"),
    ],
)
def test_refused(data: bytes, reason: str) -> None:
    assert reason in refusal(data)


def test_an_end_before_and_in_the_header() -> None:
    parser = ProxyHeaderParser()
    assert parser.receive_data(b"") == 0
    parser.receive_data(SIGNATURE)
    with pytest.raises(RequestError, match="ends in the PROXY header"):
        parser.receive_data(b"")


def test_the_checksum_is_that_of_castagnoli() -> None:
    # The test values of RFC 3720, appendix B.4.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def with_checksum(source: tuple[IPv4Address | IPv6Address, int], before: bytes, after: bytes) -> bytes:
    family = 0x11 if source[0].version == 4 else 0x21
    header = binary(0x21, family, addresses(*source) + before + b"\x03\x00\x04" + bytes(4) + after)
    place = len(header) - len(after) - 4
    return header[:place] + struct.pack("!I", crc32c(header)) + header[place + 4 :]


@given(ENDPOINTS, TLVS, TLVS, st.data())
def test_a_checksum_must_be_right(
    source: tuple[IPv4Address | IPv6Address, int], before: bytes, after: bytes, data: st.DataObject
) -> None:
    header = with_checksum(source, before, after)
    assert read(header) == (expected(*source), b"")
    # A damaged address or port would let somebody else in.
    place = data.draw(st.integers(16, 15 + len(addresses(*source))))
    damaged = bytearray(header)
    damaged[place] ^= data.draw(st.integers(1, 255))
    assert refusal(bytes(damaged)) == "the checksum of the PROXY header is wrong"


def test_additional_data_that_is_cut_off_or_odd() -> None:
    start = addresses(IPv4Address("10.0.0.9"), 12345)
    for extras in (b"\x04", b"\x04\x00", b"\x04\x00\x01", b"\x03\x00\x04abc", b"\x04\x00\x00\x20\xff\xff"):
        assert "cut off" in refusal(binary(0x21, 0x11, start + extras))
    assert "has 3 bytes instead of 4" in refusal(binary(0x21, 0x11, start + b"\x03\x00\x03abc"))
