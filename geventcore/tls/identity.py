"""Who is at the other end of a TLS connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PeerIdentity:
    """What a verified client certificate says.

    Attributes:
        common_name: the last common name of the certificate's subject, spelled as there, or None.
        fingerprint: SHA-256 of the certificate in hexadecimal.
    """

    common_name: str | None
    fingerprint: str
