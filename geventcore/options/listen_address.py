"""Addresses to listen on: UNIX sockets, and ports of IP addresses."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ListenAddress:
    """An address to listen on: a UNIX socket at `path`, or else a TCP port of an IP address."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    @property
    def is_local(self) -> bool:
        """True if only this machine can reach it."""
        return self.path is not None or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> ListenAddress:
    """Return the address that a text names; `ValueError` if it is not an address."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/") or "\0" in path:
            raise ValueError(f"{text}: the path of a UNIX socket begins with /")
        if len(path.encode()) > 107:
            raise ValueError(f"{text}: the path of a UNIX socket has at most 107 bytes")
        return ListenAddress(path=Path(path))
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]]+)):([0-9]{1,5})", text)
    if match is None:
        raise ValueError
    host = "127.0.0.1" if match[2] == "localhost" else match[1] or match[2]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{text}: {host} is not an IP address") from None
    if int(match[3]) > 65535:
        raise ValueError(f"{text}: a port is a number up to 65535")
    return ListenAddress(host=host, port=int(match[3]))
