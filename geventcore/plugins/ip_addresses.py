"""Normal forms of IP addresses, so that plugins can compare different spellings."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from geventcore.plugin.interfaces import Address

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOOPBACK = frozenset({ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")})


@lru_cache(maxsize=4096)
def parse_address(text: str) -> IPAddress | None:
    """Parse an address, without its scope and with IPv4 inside IPv6 as IPv4; None if the text is not an address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def normal_address(text: str) -> str:
    """Return the normal form of an address; return a text that is not an address unchanged."""
    address = parse_address(text.strip())
    return text if address is None else str(address)


def is_loopback(address: Address) -> bool:
    """Return true if a call comes from ``127.0.0.1`` or ``::1``."""
    return parse_address(str(address[0])) in _LOOPBACK
