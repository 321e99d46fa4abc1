"""What the authority issues, and how it keeps its key."""

from __future__ import annotations

import errno
import resource
import stat
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto

from geventcore.errors import TLSError
from geventcore.tls.authority import Authority, IssuedCertificate, KeyType, write_private

STRICT = crypto.X509StoreFlags.X509_STRICT


def load(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def verify(root: Authority, leaf: bytes, middle: list[bytes] | None = None, crl: bytes | None = None) -> None:
    """Verify as strictly as OpenSSL can. Raises `crypto.X509StoreContextError`."""
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(load(root.certificate_pem)))
    flags = STRICT
    if crl is not None:
        store.add_crl(x509.load_pem_x509_crl(crl))
        flags |= crypto.X509StoreFlags.CRL_CHECK
    store.set_flags(flags)
    chain = [crypto.X509.from_cryptography(load(pem)) for pem in middle or []]
    crypto.X509StoreContext(store, crypto.X509.from_cryptography(load(leaf)), chain).verify_certificate()


@pytest.mark.parametrize("key_type", ["ecdsa", "rsa"])
def test_certificates_pass_the_strict_checks(key_type: KeyType) -> None:
    root = Authority.create("Root", key_type=key_type)
    middle = root.issue_authority("Middle", key_type=key_type)
    verify(root, root.certificate_pem)
    verify(root, root.issue("web1", client=True, key_type=key_type).certificate_pem)
    verify(root, middle.issue("web1", key_type=key_type).certificate_pem, [middle.certificate_pem])


def test_intermediate_authority_cannot_issue_authorities() -> None:
    root = Authority.create("Root")
    middle = root.issue_authority("Middle")
    below = middle.issue_authority("Below")
    with pytest.raises(crypto.X509StoreContextError, match="path length constraint exceeded"):
        verify(root, below.issue("web1").certificate_pem, [middle.certificate_pem, below.certificate_pem])


def test_leaf_cannot_issue_anything() -> None:
    root = Authority.create("Root")
    leaf = root.issue("leaf")
    key = serialization.load_pem_private_key(leaf.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    forged = Authority(load(leaf.certificate_pem), key).issue("forged")
    with pytest.raises(crypto.X509StoreContextError, match="invalid CA certificate"):
        verify(root, forged.certificate_pem, [leaf.certificate_pem])


@pytest.mark.parametrize(
    ("server", "client", "usages"),
    [
        (True, False, {ExtendedKeyUsageOID.SERVER_AUTH}),
        (False, True, {ExtendedKeyUsageOID.CLIENT_AUTH}),
        (True, True, {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}),
    ],
)
def test_usage_is_what_was_asked_for(server: bool, client: bool, usages: set[x509.ObjectIdentifier]) -> None:
    issued = Authority.create("Root").issue("web1", server=server, client=client)
    extension = load(issued.certificate_pem).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert set(extension.value) == usages


def test_certificate_without_use_is_refused() -> None:
    with pytest.raises(ValueError, match="for a server, a client or both"):
        Authority.create("Root").issue("web1", server=False)


def alternative_names(issued: IssuedCertificate) -> tuple[list[str], list[object]]:
    names = load(issued.certificate_pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName), names.get_values_for_type(x509.IPAddress)


def test_names_and_addresses() -> None:
    root = Authority.create("Root")
    issued = root.issue(
        "web1", dns_names=["web1.example.org", "*.a-b.net"], ip_addresses=["::1", ip_address("10.1.2.3")]
    )
    assert alternative_names(issued) == (
        ["web1.example.org", "*.a-b.net"],
        [IPv6Address("::1"), ip_address("10.1.2.3")],
    )
    assert alternative_names(root.issue("web2.example.org")) == (["web2.example.org"], [])
    assert alternative_names(root.issue("10.0.0.1")) == ([], [ip_address("10.0.0.1")])
    for issued in (root.issue("The Server"), root.issue("web1", client=True, server=False)):
        with pytest.raises(x509.ExtensionNotFound):
            alternative_names(issued)


@pytest.mark.parametrize("name", ["", "two words", "größe.org", "a" * 64 + ".org", "a..b", "x\n", "http://x"])
def test_names_that_are_no_host_names_are_refused(name: str) -> None:
    with pytest.raises(TLSError, match="invalid host name"):
        Authority.create("Root").issue("web1", dns_names=[name])


def test_addresses_that_are_none_are_refused() -> None:
    with pytest.raises(TLSError, match=r"'10\.0\.0\.300' is not an IP address"):
        Authority.create("Root").issue("web1", ip_addresses=["10.0.0.300"])


@pytest.mark.parametrize(
    ("name", "problem"), [("", "printable characters"), ("a\0b", "printable characters"), ("x" * 65, "longer than 64")]
)
def test_common_names_that_do_not_fit_are_refused(name: str, problem: str) -> None:
    root = Authority.create("Root")
    for make in (root.issue, Authority.create, root.issue_authority):
        with pytest.raises(TLSError, match=problem):
            make(name)


def test_validity() -> None:
    start = datetime(2060, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    root = Authority.create("Root")
    certificate = load(root.issue("web1", not_before=start, days=10).certificate_pem)
    assert certificate.not_valid_before_utc == start
    assert certificate.not_valid_after_utc == start + timedelta(days=10)
    certificate = load(root.issue("web1", days=10).certificate_pem)
    assert certificate.not_valid_before_utc < datetime.now(timezone.utc)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=10)


def test_kinds_of_keys() -> None:
    root = Authority.create("Root")
    assert isinstance(load(root.issue("a").certificate_pem).public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(load(root.issue("a", key_type="rsa").certificate_pem).public_key(), rsa.RSAPublicKey)
    with pytest.raises(ValueError, match="dsa"):
        root.issue("a", key_type="dsa")  # type: ignore[arg-type]


def saved(authority: Authority, directory: Path) -> tuple[Path, Path]:
    certificate, key = directory / "ca.pem", directory / "ca.key"
    certificate.write_bytes(authority.certificate_pem)
    key.write_bytes(authority.key_pem)
    return certificate, key


def test_loaded_authority_goes_on(tmp_path: Path) -> None:
    root = Authority.create("Root")
    verify(root, Authority.load(*saved(root, tmp_path)).issue("web1").certificate_pem)


def test_authority_made_elsewhere_can_be_used(tmp_path: Path) -> None:
    """With an Edwards key, another way to compute key identifiers, and an issuer of more than a common name."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name.from_rfc4514_string("CN=Old CA,O=Site,C=DE")
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(b"12345678"), critical=False)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .sign(key, None)
    )
    root = Authority(certificate, key)
    issued = root.issue("web1")
    verify(root, issued.certificate_pem, crl=root.crl())
    root = Authority.load(*saved(root, tmp_path))
    root.revoke(issued.certificate_pem)
    with pytest.raises(crypto.X509StoreContextError, match="certificate revoked"):
        verify(root, issued.certificate_pem, crl=root.crl())


def test_key_of_another_authority_is_refused(tmp_path: Path) -> None:
    certificate, key = saved(Authority.create("Root"), tmp_path)
    key.write_bytes(Authority.create("Other").key_pem)
    with pytest.raises(TLSError, match=rf"CA key: {key} does not belong to the certificate {certificate}"):
        Authority.load(certificate, key)


def test_revocations_add_up_over_reloads(tmp_path: Path) -> None:
    root = Authority.create("Root")
    first, second, third = (root.issue(name).certificate_pem for name in ("web1", "web2", "web3"))
    root.revoke(first)
    crl = tmp_path / "crl.pem"
    crl.write_bytes(root.crl())
    root = Authority.load(*saved(root, tmp_path), crl)
    root.revoke(second)
    root.revoke(second)
    verify(root, third, crl=root.crl())
    for revoked in (first, second):
        with pytest.raises(crypto.X509StoreContextError, match="certificate revoked"):
            verify(root, revoked, crl=root.crl())


def test_number_of_the_list_grows() -> None:
    root = Authority.create("Root")

    def number() -> int:
        crl = x509.load_pem_x509_crl(root.crl())
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    assert number() < number()


@pytest.mark.parametrize(
    "make",
    [lambda: b"nonsense", lambda: Authority.create("Root").issue("web1").certificate_pem],
    ids=["junk", "foreign"],
)
def test_only_own_certificates_can_be_revoked(make: Callable[[], bytes]) -> None:
    with pytest.raises(TLSError, match="cannot revoke"):
        Authority.create("Root").revoke(make())


def test_private_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    write_private(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(TLSError, match=f"{path} exists already and is not overwritten"):
        write_private(path, b"other")
    assert path.read_bytes() == b"secret"
    link = tmp_path / "link.pem"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TLSError, match="exists already"):
        write_private(link, b"other")
    with pytest.raises(TLSError, match=r"cannot write .*: No such file or directory"):
        write_private(tmp_path / "absent" / "key.pem", b"secret")


def test_private_file_that_cannot_be_completed_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(TLSError) as caught:
            write_private(path, b"longer than ten bytes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EFBIG
    assert not path.exists()


def test_key_and_certificate_belong_together() -> None:
    issued = Authority.create("Root").issue("web1")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(load(issued.certificate_pem))
    key = serialization.load_pem_private_key(issued.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    context.use_privatekey(key)
    context.check_privatekey()
