"""The check of the ``Host`` header on the TCP ports of pages and the admin listener.

Without it, a page that a browser on this network shows could read the listener: its author has the page's own name
point to the listener's address (DNS rebinding). The browser sends this name in ``Host``, which the page cannot change.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::[0-9]{0,5})?")


def canonical(name: str) -> str:
    """Return a host name or address as it is compared: addresses in their short form, names in lower case."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name.lower().removesuffix(".")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_expected(header: str | None, own_address: str, names: Collection[str]) -> bool:
    """Return true if the ``Host`` of a request names this machine.

    `own_address` received the request. `names` are canonical. A request of HTTP/1.0 may have no ``Host``; no browser
    sends such requests.
    """
    if header is None:
        return True
    match = _HOST.fullmatch(header.strip())
    host = canonical(match[1] or match[2]) if match else ""
    own = canonical(own_address)
    return host in names or host == own or (host == "localhost" and ipaddress.ip_address(own).is_loopback)
