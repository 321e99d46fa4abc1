"""Facts about certificates for administrators, and the renewal of those that the site's own authority has issued."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timezone
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from geventcore.errors import TLSError
from geventcore.tls.authority import CERTIFICATE_DAYS, Authority
from geventcore.tls.pem import read_certificates, read_private_key

#: Seconds of a day.
_DAY_SECONDS = 86400


@dataclass(frozen=True)
class CertificateFacts:
    """The facts about a certificate that matter to an administrator.

    Attributes:
        name: its role: ``server``, ``second`` or ``ca``.
        path: the file.
        subject, issuer: as RFC 4514 writes them.
        names: DNS names and addresses.
        not_before, not_after: the time of its validity, in ISO 8601.
        days_left: days until it expires; negative if it has.
        key: the kind of its key.
        sha256: its fingerprint, in hexadecimal digits.
        problem: why the server cannot use it; empty if it can.
    """

    name: str
    path: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: str
    not_after: str
    days_left: float
    key: str
    sha256: str
    problem: str


def facts(name: str, path: Path, key_path: Path | None = None) -> list[CertificateFacts]:
    """Return the facts of a certificate, or of all authorities of a file (without `key_path`).

    Raises:
        TLSError: the file of the certificate cannot be used.
    """
    certificates = read_certificates(name, path)
    if key_path is None:
        return [_facts(name, path, certificate, "") for certificate in certificates]
    problem = ""
    try:
        if read_private_key("key", key_path).public_key() != certificates[0].public_key():
            problem = f"the key {key_path} does not belong to it"
    except TLSError as err:
        problem = str(err)
    return [_facts(name, path, certificates[0], problem)]


def _facts(name: str, path: Path, certificate: x509.Certificate, problem: str) -> CertificateFacts:
    end = certificate.not_valid_after_utc
    key = certificate.public_key()
    return CertificateFacts(
        name=name,
        path=str(path),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=tuple(map(str, (*_dns_names(certificate), *_addresses(certificate)))),
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=end.isoformat(),
        days_left=round((end - datetime.now(timezone.utc)).total_seconds() / _DAY_SECONDS, 2),
        key="RSA" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__.removesuffix("PublicKey").lstrip("_"),
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        problem=problem,
    )


def renew(certificate_path: Path, key_path: Path, ca_path: Path, ca_key_path: Path, days: int | None = None) -> Path:
    """Issue a certificate with the same names and a new key, and put both in the place of the old ones.

    The old files are kept beside them, with ``.old`` at the end. Returns the path of the old certificate.

    Raises:
        TLSError: a file cannot be used or written, or the authority has not issued the old certificate. Then both
            files are as they were.
    """
    old = read_certificates("certificate", certificate_path)
    authority = Authority.load(ca_path, ca_key_path)
    common_names = old[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    usages = _usages(old[0])
    issued = authority.issue(
        str(common_names[0].value) if common_names else "",
        dns_names=_dns_names(old[0]),
        ip_addresses=_addresses(old[0]),
        client=ExtendedKeyUsageOID.CLIENT_AUTH in usages,
        server=ExtendedKeyUsageOID.SERVER_AUTH in usages,
        days=days or CERTIFICATE_DAYS,
        key_type="rsa" if isinstance(old[0].public_key(), rsa.RSAPublicKey) else "ecdsa",
    )
    kept = certificate_path.with_name(certificate_path.name + ".old")
    if certificate_path == key_path:
        _replace(certificate_path, issued.certificate_pem + issued.key_pem)
    else:
        # A server that reloads between the two finds a pair that does not match, and keeps what it has.
        _replace(key_path, issued.key_pem)
        _replace(certificate_path, issued.certificate_pem)
    return kept


def _usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return [ExtendedKeyUsageOID.SERVER_AUTH]


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _dns_names(certificate: x509.Certificate) -> list[str]:
    names = _alternative_names(certificate)
    return [] if names is None else list(names.get_values_for_type(x509.DNSName))


def _addresses(certificate: x509.Certificate) -> list[IPv4Address | IPv6Address]:
    names = _alternative_names(certificate)
    found = [] if names is None else names.get_values_for_type(x509.IPAddress)
    return [address for address in found if isinstance(address, IPv4Address | IPv6Address)]


def _replace(path: Path, data: bytes) -> None:
    """Put a new file in the place of one, with the same owner and mode; the old one gets ``.old`` at its end."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        status = path.stat()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                if (os.geteuid(), os.getegid()) != (status.st_uid, status.st_gid):
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                os.fchmod(descriptor, status.st_mode & 0o7777)
                file.flush()
                os.fsync(descriptor)
            kept = path.with_name(path.name + ".old")
            kept.unlink(missing_ok=True)
            os.link(path, kept)
            os.replace(fresh, path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    except OSError as err:
        raise TLSError(f"cannot write {path}: {err.strerror}") from err
