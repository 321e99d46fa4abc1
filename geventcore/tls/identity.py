"""The identity of a TLS peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PeerIdentity:
    """The identity in a verified client certificate.

    Attributes:
        common_name: last common name of the certificate's subject, with its spelling, or None.
        fingerprint: SHA-256 of the certificate in hexadecimal.
    """

    common_name: str | None
    fingerprint: str
