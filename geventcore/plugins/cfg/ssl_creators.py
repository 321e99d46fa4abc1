"""TLS keys and certificates: ``sslkey.xml`` creates a key, ``sslcert.xml`` creates and signs a certificate.

``<KeyInfo><Key type="rsa" bits="2048"/></KeyInfo>``: `type` may be ``dsa``. Keys are in the PEM format that every TLS
library reads.

``<CertInfo><subjectAltName>www.example.com</subjectAltName><Cert key="/etc/ssl/key.pem" ca="default" days="365"
append_chain="true" C= L= ST= O= OU= emailAddress=/></CertInfo>``: `key` is the entry of the key, which is created if it
is missing; `ca` names a section ``[sslca_<ca>]``. The certificate is for the host name of the first client that needs
it, for the client's aliases, and for the given names. The authority's configuration must have ``copy_extensions =
copy``, or aliases and names are missing in the certificate. A ``sslcert.xml`` also verifies certificates before they
are delivered: the certificate must belong to the key, and if the section has a ``chaincert``, the certificate must be
valid and issued by that authority.
"""

from __future__ import annotations

import base64
import logging
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.certificate_authority import CertificateAuthority
from geventcore.plugins.cfg.creators import XMLCreator, base_file
from geventcore.plugins.cfg.handlers import CfgVerifier
from geventcore.plugins.cfg.options import SSLCA_CATEGORY, SSLCA_PASSPHRASE

log = logging.getLogger(__name__)

DEFAULT_BITS = 2048
DEFAULT_DAYS = 365
_RSA_BITS = range(1024, 16385)
_DSA_BITS = (1024, 2048, 3072, 4096)
#: The parts of the subject, in openssl's order: the client's name, and attributes of ``Cert`` in upper or lower case.
_SUBJECT = (
    ("C", NameOID.COUNTRY_NAME),
    ("ST", NameOID.STATE_OR_PROVINCE_NAME),
    ("L", NameOID.LOCALITY_NAME),
    ("O", NameOID.ORGANIZATION_NAME),
    ("OU", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("CN", NameOID.COMMON_NAME),
    ("emailAddress", NameOID.EMAIL_ADDRESS),
)

PrivateKey = (
    rsa.RSAPrivateKey
    | dsa.DSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)


def generate_key(key_type: str, bits: int) -> bytes:
    """Generate a private key in PEM, within seconds. `PluginExecutionError` if type or length is invalid."""
    key: rsa.RSAPrivateKey | dsa.DSAPrivateKey
    if key_type == "rsa" and bits in _RSA_BITS:
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    elif key_type == "dsa" and bits in _DSA_BITS:
        key = dsa.generate_private_key(bits)
    else:
        raise PluginExecutionError(
            f"cannot generate a TLS key of type {key_type!r} with {bits} bits; expected type rsa or dsa"
        )
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


class SSLCAKeyCreator(XMLCreator):
    """``sslkey.xml``."""

    basenames = ("sslkey.xml",)
    category_option = SSLCA_CATEGORY
    passphrase_option = SSLCA_PASSPHRASE
    is_secret = True

    def create(self, instructions: etree._Element, specificity: Specificity, metadata: ClientMetadata) -> bytes:
        self.check_passphrase()
        parameters = instructions.find("Key")
        if parameters is None:
            parameters = etree.Element("Key")
        bits = self.number(parameters, "bits", DEFAULT_BITS)
        try:
            key = self.context.offload(generate_key, parameters.get("type", "rsa"), bits)
        except PluginExecutionError as err:
            raise PluginExecutionError(f"{self.path}: {err}") from err
        return self.store(base_file(self.path.parent, specificity), key)


class SSLCACertCreator(XMLCreator, CfgVerifier):
    """``sslcert.xml``."""

    basenames = ("sslcert.xml",)
    category_option = SSLCA_CATEGORY
    passphrase_option = SSLCA_PASSPHRASE

    def _instructions(self, instructions: etree._Element) -> etree._Element:
        """Return the element ``Cert``; `PluginExecutionError` if it is missing or incomplete."""
        found = instructions.find("Cert")
        if found is None or not found.get("key"):
            raise PluginExecutionError(f"{self.path}: a Cert element with a key is missing")
        if found.get("format", "pem").lower() != "pem":
            raise PluginExecutionError(f"{self.path}: unsupported certificate format; expected pem")
        return found

    def _authority(self, certificate: etree._Element) -> CertificateAuthority:
        return CertificateAuthority.of(self.context.settings, certificate.get("ca", "default"))

    def _key(self, certificate: etree._Element, metadata: ClientMetadata) -> PrivateKey:
        """Return the private key as the client gets it; create it if it does not exist."""
        entry = etree.Element("Path", name=certificate.get("key", ""))
        self.context.bind_entry(entry, metadata)
        text = entry.text or ""
        data = base64.b64decode(text) if entry.get("encoding") == "base64" else text.encode(self.context.encoding)
        try:
            key = load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm) as err:
            raise PluginExecutionError(
                f"{self.path}: {certificate.get('key')} is not a private key without a passphrase"
            ) from err
        if not isinstance(key, PrivateKey):
            raise PluginExecutionError(
                f"{self.path}: the type of the key {certificate.get('key')} is not supported in certificates"
            )
        return key

    def prepare_for(self, instructions: etree._Element, metadata: ClientMetadata) -> None:
        self._key(self._instructions(instructions), metadata)

    def create(self, instructions: etree._Element, specificity: Specificity, metadata: ClientMetadata) -> bytes:
        certificate = self._instructions(instructions)
        authority = self._authority(certificate)
        if self.context.read_only:
            # Signing would add the certificate to the index of the authority.
            raise PluginExecutionError(
                f"{self.path}: {metadata.hostname} has no certificate yet; the server creates it when the client asks"
            )
        # Check before signing what could fail afterwards: an unused certificate would stay in the authority's index.
        chain = b"" if certificate.get("append_chain") is None else authority.chain()
        days = self.number(certificate, "days", DEFAULT_DAYS)
        names = [element.text.strip() for element in instructions.iterfind("subjectAltName") if element.text]
        alternative_names = sorted({*filter(None, names), *metadata.aliases, metadata.hostname})
        try:
            request = _request(self._key(certificate, metadata), certificate, metadata.hostname, alternative_names)
            signed = authority.sign(request, days)
        except (PluginExecutionError, ValueError) as err:
            raise PluginExecutionError(f"{self.path}: {err}") from err
        self._report_missing(signed, alternative_names, authority)
        return self.store(base_file(self.path.parent, specificity), signed + chain)

    def _report_missing(self, signed: bytes, names: list[str], authority: CertificateAuthority) -> None:
        try:
            extension = x509.load_pem_x509_certificate(signed).extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            )
            inside = {str(name.value) for name in extension.value}
        except (x509.ExtensionNotFound, ValueError):
            inside = set()
        missing = [name for name in names if name not in inside]
        if missing:
            log.warning(
                "%s: the certificate lacks the names %s; set copy_extensions = copy in %s",
                *(self.path, ", ".join(missing), authority.config),
            )

    def verify(self, entry: etree._Element, metadata: ClientMetadata, data: bytes) -> None:
        certificate = self._instructions(self._file.xml_match(metadata))
        try:
            certificates = x509.load_pem_x509_certificates(data)
        except ValueError as err:
            raise PluginExecutionError(f"{self.path}: the content is not a certificate in PEM format") from err
        if certificates[0].public_key() != self._key(certificate, metadata).public_key():
            raise PluginExecutionError(f"{self.path}: the certificate does not belong to key {certificate.get('key')}")
        authority = self._authority(certificate)
        if authority.chaincert is not None:
            try:
                authority.check(certificates)
            except PluginExecutionError as err:
                raise PluginExecutionError(f"{self.path}: {err}") from err


def _request(key: PrivateKey, certificate: etree._Element, hostname: str, names: list[str]) -> bytes:
    """Create a signing request in PEM; `ValueError` for names that are not allowed in a certificate."""
    given = {**{str(name).lower(): str(value) for name, value in certificate.items()}, "cn": hostname}
    subject = []
    for name, oid in _SUBJECT:
        value = given.get(name.lower())
        if value:
            try:
                subject.append(x509.NameAttribute(oid, value))
            except ValueError as err:
                raise ValueError(f"{name}={value!r} is not allowed in a certificate's subject: {err}") from err
    builder = x509.CertificateSigningRequestBuilder(x509.Name(subject)).add_extension(
        x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
    )
    edwards = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return builder.sign(key, None if edwards else hashes.SHA256()).public_bytes(Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
