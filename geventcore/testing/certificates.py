"""The files of a certificate authority, as peers want them: a CA, and server and client certificates signed by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geventcore.tls.authority import Authority, write_private


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class CertificateFiles:
    """Makes an authority in `directory` (created if missing); `ca` is the file of its certificate."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._authority = Authority.create("Test CA")
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(self._authority.certificate_pem)

    def server(self, common_name: str = "localhost") -> Certificate:
        """A new server certificate, valid for `common_name`, localhost and the loopback addresses."""
        return self._issue(common_name, for_client=False)

    def client(self, common_name: str) -> Certificate:
        """A new client certificate with that common name."""
        return self._issue(common_name, for_client=True)

    def _issue(self, common_name: str, for_client: bool) -> Certificate:
        issued = self._authority.issue(
            common_name,
            dns_names=() if for_client else (common_name, "localhost"),
            ip_addresses=() if for_client else ("127.0.0.1", "::1"),
            client=for_client,
            server=not for_client,
        )
        base = f"{'client' if for_client else 'server'}-{common_name}"
        made = Certificate(self._directory / f"{base}.crt", self._directory / f"{base}.key")
        made.certificate.write_bytes(issued.certificate_pem)
        write_private(made.key, issued.key_pem)
        return made
