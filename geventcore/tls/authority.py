"""A small certificate authority for new sites, demonstrations and tests.

Its certificates pass the strict checks of current OpenSSL versions: they always have basic constraints, key
identifiers, key usage and extended key usage. They contain nothing that the OpenSSL of old clients does not know.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from time import time_ns
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from geventcore.errors import TLSError
from geventcore.tls.pem import PrivateKey, read_certificates, read_crls, read_private_key, refusal

KeyType = Literal["ecdsa", "rsa"]

#: Validity of an authority in days: ten years, since it is replaced on every client by hand.
AUTHORITY_DAYS = 3650
#: Validity of a certificate in days: the most that common clients accept for servers.
CERTIFICATE_DAYS = 825
#: Validity of a revocation list in days: a month, long enough to notice that its renewal has failed.
CRL_DAYS = 30
#: Certificates are valid from this long ago, so that a machine with a slow clock accepts them at once.
_BACKDATE = timedelta(hours=1)

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:\*\.)?(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}")


@dataclass(frozen=True)
class IssuedCertificate:
    """A certificate with its key, both in PEM format. The key has no passphrase."""

    certificate_pem: bytes
    key_pem: bytes


class Authority:
    """A certificate authority: its certificate, key and revocations."""

    def __init__(
        self, certificate: x509.Certificate, key: PrivateKey, revoked: Iterable[x509.RevokedCertificate] = ()
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._revoked = {entry.serial_number: entry for entry in revoked}

    @classmethod
    def create(cls, common_name: str, key_type: KeyType = "ecdsa", days: int = AUTHORITY_DAYS) -> Authority:
        """Create a self-signed authority, valid from now for `days`.

        Raises:
            TLSError: the common name is invalid.
        """
        key = _new_key(key_type)
        subject = _subject(common_name)
        builder = _builder(subject, key, days, None).issuer_name(subject)
        return cls(_as_authority(builder, path_length=None).sign(key, _digest(key)), key)

    @classmethod
    def load(cls, certificate_path: Path, key_path: Path, crl_path: Path | None = None) -> Authority:
        """Load an authority from files, with the revocations of the list at `crl_path`.

        Raises:
            TLSError: a file is unusable, or key and certificate do not match.
        """
        certificate = read_certificates("CA certificate", certificate_path)[0]
        key = read_private_key("CA key", key_path)
        if key.public_key() != certificate.public_key():
            raise refusal("CA key", key_path, f"does not belong to the certificate {certificate_path}")
        crls = read_crls("CRL", crl_path) if crl_path else []
        return cls(certificate, key, (entry for crl in crls for entry in crl))

    @property
    def certificate_pem(self) -> bytes:
        """The authority's own certificate, which servers and clients must trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The authority's private key, without passphrase."""
        return _key_pem(self._key)

    def issue_authority(self, common_name: str, key_type: KeyType = "ecdsa", days: int = AUTHORITY_DAYS) -> Authority:
        """Issue an intermediate authority, which cannot issue further authorities.

        Raises:
            TLSError: the common name is invalid.
        """
        key = _new_key(key_type)
        builder = _builder(_subject(common_name), key, days, None)
        return Authority(self._sign(_as_authority(builder, path_length=0)), key)

    def issue(
        self,
        common_name: str,
        *,
        dns_names: Sequence[str] = (),
        ip_addresses: Sequence[str | IPv4Address | IPv6Address] = (),
        client: bool = False,
        server: bool = True,
        days: int = CERTIFICATE_DAYS,
        not_before: datetime | None = None,
        key_type: KeyType = "ecdsa",
    ) -> IssuedCertificate:
        """Issue a certificate with a new key for a server, a client or both, valid for `days` from `not_before` (now).

        A server certificate without names and addresses is valid for its common name, if that is a name or an address.

        Raises:
            TLSError: a name or address is invalid.
        """
        usages = []
        if server:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        if client:
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        if not usages:
            raise ValueError("a certificate is for a server, a client or both")
        key = _new_key(key_type)
        names = _alternative_names(dns_names, ip_addresses)
        if server and not names:
            names = _names_from(common_name)
        builder = (
            _builder(_subject(common_name), key, days, not_before)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_messages=True, encrypts_keys=key_type == "rsa"), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = self._sign(builder)
        return IssuedCertificate(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    def revoke(self, certificate_pem: bytes) -> None:
        """Add a certificate to the revocation list.

        Raises:
            TLSError: this authority has not issued the certificate.
        """
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
        except ValueError as error:
            raise TLSError("cannot revoke: this is no certificate in PEM format") from error
        if not has_issued(self._certificate, certificate):
            raise TLSError("cannot revoke: this authority has not issued the certificate")
        self._revoked[certificate.serial_number] = (
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(datetime.now(timezone.utc))
            .build()
        )

    def crl(self, days: int = CRL_DAYS) -> bytes:
        """Return the certificate revocation list in PEM format, valid for `days`."""
        start = datetime.now(timezone.utc) - _BACKDATE
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(start)
            .next_update(start + timedelta(days=days))
            .add_extension(self._key_identifier(), critical=False)
            # The number must grow from list to list. The clock needs no file with the last number.
            .add_extension(x509.CRLNumber(time_ns()), critical=False)
        )
        for entry in self._revoked.values():
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, _digest(self._key)).public_bytes(serialization.Encoding.PEM)

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return (
            builder.issuer_name(self._certificate.subject)
            .add_extension(self._key_identifier(), critical=False)
            .sign(self._key, _digest(self._key))
        )

    def _key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """Return the key identifier from the certificate; other programs may compute it differently."""
        try:
            own = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def has_issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Return whether an authority has issued a certificate, by name and signature."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def write_private(path: Path, data: bytes) -> None:
    """Write a new file durably, readable only by its owner (mode 0600).

    Raises:
        TLSError: the file exists and stays as it is, or it cannot be written and nothing is left behind.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise TLSError(f"{path} exists already and is not overwritten") from error
    except OSError as error:
        raise TLSError(f"cannot write {path}: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise TLSError(f"cannot write {path}: {error.strerror}") from error


def _new_key(key_type: KeyType) -> PrivateKey:
    if key_type == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    raise ValueError(f"unknown kind of key: {key_type!r}")


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    """Return the digest for signatures; None for Edwards curves, which define their own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()


def _subject(common_name: str) -> x509.Name:
    if not common_name or not common_name.isprintable():
        raise TLSError(f"invalid common name {common_name!r}: expected printable characters")
    if len(common_name) > 64:
        raise TLSError(f"invalid common name {common_name!r}: longer than 64 characters")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, key: PrivateKey, days: int, not_before: datetime | None) -> x509.CertificateBuilder:
    start = not_before or datetime.now(timezone.utc) - _BACKDATE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _as_authority(builder: x509.CertificateBuilder, path_length: int | None) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _key_usage(signs_certificates=True), critical=True
    )


def _key_usage(
    *, signs_messages: bool = False, encrypts_keys: bool = False, signs_certificates: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs_messages,
        content_commitment=False,
        key_encipherment=encrypts_keys,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(
    dns_names: Sequence[str], ip_addresses: Sequence[str | IPv4Address | IPv6Address]
) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for name in dns_names:
        if not _HOST_NAME.fullmatch(name):
            raise TLSError(f"invalid host name for a certificate: {name!r}")
        names.append(x509.DNSName(name))
    for address in ip_addresses:
        try:
            names.append(x509.IPAddress(ip_address(address)))
        except ValueError as error:
            raise TLSError(f"{address!r} is not an IP address") from error
    return names


def _names_from(common_name: str) -> list[x509.GeneralName]:
    try:
        return [x509.IPAddress(ip_address(common_name))]
    except ValueError:
        return [x509.DNSName(common_name)] if _HOST_NAME.fullmatch(common_name) else []
