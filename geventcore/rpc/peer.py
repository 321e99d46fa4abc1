"""The other end of a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geventcore.tls.identity import PeerIdentity


@dataclass(frozen=True)
class Peer:
    """One end of a connection.

    Attributes:
        address: ``(ip, port)``; IPv6 may have two more items.
        identity: the identity in a verified client certificate, or None.
    """

    address: tuple[Any, ...]
    identity: PeerIdentity | None = None

    @property
    def ip(self) -> str:
        """The address as text."""
        return str(self.address[0])

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.address[1]}" if ":" in self.ip else f"{self.ip}:{self.address[1]}"
