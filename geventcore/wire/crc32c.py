"""CRC-32C, the checksum of Castagnoli (RFC 3720, section 12.1), which the standard library does not have."""

from __future__ import annotations

#: The polynomial 0x1EDC6F41 with its bits reversed.
_POLYNOMIAL = 0x82F63B78


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_remainder, range(256)))


def crc32c(data: bytes) -> int:
    """Return the checksum of a few KB of data, as an unsigned number of 32 bits."""
    state = 0xFFFFFFFF
    for byte in data:
        state = state >> 8 ^ _TABLE[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF
