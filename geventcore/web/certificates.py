"""The days that certificates have left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509


@dataclass(frozen=True)
class CertificateFile:
    """A certificate in a file: its role, such as ``server``, and the path."""

    role: str
    path: Path


@dataclass(frozen=True)
class CertificateView:
    """A certificate: its subject, and the days left; `error` says why they are not known."""

    role: str
    path: str
    subject: str = ""
    days: int = 0
    error: str = ""


def look_at(file: CertificateFile) -> CertificateView:
    """Return the state of the first certificate in a file."""
    try:
        certificate = x509.load_pem_x509_certificate(file.path.read_bytes())
    except OSError as err:
        return CertificateView(file.role, str(file.path), error=err.strerror or str(err))
    except ValueError:
        return CertificateView(file.role, str(file.path), error="no certificate in PEM format")
    left = certificate.not_valid_after_utc - datetime.now(timezone.utc)
    return CertificateView(file.role, str(file.path), certificate.subject.rfc4514_string(), left.days)
