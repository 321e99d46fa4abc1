"""Who is let in by certificate, who is turned away, and what the log then says."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type

from geventcore.errors import TLSError
from geventcore.tls.authority import Authority, IssuedCertificate
from geventcore.tls.context import ServerContext
from geventcore.tls.identity import PeerIdentity
from tests.tls.peers import Site, serve, soon, stream_to


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def identity(site: Site, issued: IssuedCertificate) -> PeerIdentity | None:
    with stream_to(site.context(), site.client(issued)) as (stream, answer):
        serve(stream)
        assert answer.result() == b"answer"
        return stream.peer_identity


def with_names(site: Site, *attributes: x509.NameAttribute) -> IssuedCertificate:
    """A client certificate with a subject of any shape, which `Authority.issue` would not make."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.load_pem_x509_certificate(site.authority.certificate_pem)
    signer = serialization.load_pem_private_key(site.authority.key_pem, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(signer, hashes.SHA256())
    )
    return IssuedCertificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def common_name(text: str, kind: _ASN1Type | None = None) -> x509.NameAttribute:
    return x509.NameAttribute(x509.NameOID.COMMON_NAME, text, kind, _validate=False)


def test_identity_is_name_and_fingerprint(site: Site) -> None:
    issued = site.authority.issue("Web1.example.org", client=True, server=False)
    fingerprint = x509.load_pem_x509_certificate(issued.certificate_pem).fingerprint(hashes.SHA256()).hex()
    assert identity(site, issued) == PeerIdentity("Web1.example.org", fingerprint)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["first", "second"], "second"),
        (["größe.example.org"], "größe.example.org"),
        (["web1\0.evil.org"], None),
        (["web1", "bad\nname"], None),
        ([], None),
    ],
)
def test_last_common_name_counts_if_it_is_text(site: Site, names: list[str], expected: str | None) -> None:
    subject = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Site"), *map(common_name, names)]
    found = identity(site, with_names(site, *subject))
    assert found is not None
    assert found.common_name == expected


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        pytest.param(0x03, b"\x00XXX", id="bit string"),
        pytest.param(0x14, b"\xff\xfe\xfd\xfc", id="Teletex, not UTF-8"),
        pytest.param(0x30, b"\x02\x02XX", id="structure"),
    ],
)
def test_common_name_that_is_no_text_at_all(site: Site, kind: int, start: bytes) -> None:
    """OpenSSL lets such names pass, so whoever has a certificate signed can show one."""
    issued = with_names(site, common_name("XXXX.example.org"))
    certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
    body = certificate.tbs_certificate_bytes.replace(b"\x0c\x10XXXX", bytes([kind, 16]) + start)
    assert body != certificate.tbs_certificate_bytes
    key = serialization.load_pem_private_key(site.authority.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    content = body + ecdsa_with_sha256 + b"\x03" + bytes([len(signature) + 1]) + b"\0" + signature
    pem = ssl.DER_cert_to_PEM_cert(b"\x30\x82" + len(content).to_bytes(2, "big") + content)
    found = identity(site, IssuedCertificate(pem.encode("ascii"), issued.key_pem))
    assert found is not None
    assert found.common_name is None


def refusal(context: ServerContext, client: ssl.SSLContext) -> str:
    """The server's reason. The client must get the alert that explains it, not a reset."""
    with stream_to(context, client) as (stream, answer):
        with pytest.raises(TLSError) as caught:
            stream.handshake(soon())
        assert stream.peer_identity is None
        stream.shutdown(soon())
        stream.close()
        complaint = answer.exception()
        assert isinstance(complaint, ssl.SSLError)
        assert "alert" in str(complaint)
        return str(caught.value)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_foreign_certificate_is_refused(site: Site, version: ssl.TLSVersion) -> None:
    client = site.client(Authority.create("Other CA").issue("web1", client=True))
    client.maximum_version = version
    assert refusal(site.context(), client) == (
        "client certificate refused: unable to get local issuer certificate (CN=web1)"
    )


def test_self_signed_certificate_is_refused(site: Site) -> None:
    own = Authority.create("web1")
    issued = IssuedCertificate(own.certificate_pem, own.key_pem)
    assert refusal(site.context(), site.client(issued)).startswith(
        "client certificate refused: self-signed certificate"
    )


@pytest.mark.parametrize(("begin", "reason"), [(-10, "certificate has expired"), (10, "certificate is not yet valid")])
def test_certificate_out_of_date_is_refused(site: Site, begin: int, reason: str) -> None:
    start = datetime.now(timezone.utc) + timedelta(days=begin)
    client = site.client(site.authority.issue("web1", client=True, not_before=start, days=5))
    text = refusal(site.context(), client)
    assert text.startswith(f"client certificate refused: {reason}")
    assert text.endswith("(CN=web1)")


def test_certificate_for_servers_only_is_refused(site: Site) -> None:
    client = site.client(site.authority.issue("web1", client=False))
    assert refusal(site.context(), client).startswith("client certificate refused: unsuitable certificate purpose")


def test_revoked_certificate_is_refused_and_others_are_not(site: Site) -> None:
    good, bad = (site.authority.issue(name, client=True, server=False) for name in ("web1", "web2"))
    site.authority.revoke(bad.certificate_pem)
    context = site.context(crl=site.write("crl.pem", site.authority.crl()))
    assert refusal(context, site.client(bad)) == "client certificate refused: certificate revoked (CN=web2)"
    with stream_to(context, site.client(good)) as (stream, answer):
        serve(stream)
        assert answer.result() == b"answer"
        assert stream.peer_identity is not None


@pytest.mark.parametrize(
    ("authority", "days", "reason"),
    [("own", 0, "CRL has expired"), ("other", 30, "unable to get certificate CRL")],
)
def test_no_current_list_of_revocations_refuses_certificates_and_says_why(
    site: Site, authority: str, days: int, reason: str
) -> None:
    issuer = site.authority if authority == "own" else Authority.create("Other CA")
    context = site.context(crl=site.write("crl.pem", issuer.crl(days)))
    client = site.client(site.authority.issue("web1", client=True))
    assert refusal(context, client) == f"client certificate refused: {reason} (CN=web1)"
    with stream_to(context, site.client()) as (stream, answer):
        serve(stream)
        assert answer.result() == b"answer"


def test_reason_stays_one_short_line_whatever_the_certificate_says(site: Site) -> None:
    other = Authority.create("Other CA")
    site_with_other = Site(site.directory, other)
    subject = [common_name("x" * 60)] * 20 + [common_name("web1\nroot logged in\x1b[2J")]
    hostile = with_names(site_with_other, *subject)
    site.ca.write_bytes(site.authority.certificate_pem)
    reason = refusal(Site(site.directory, site.authority).context(), site.client(hostile))
    assert "(CN=web1?root logged in" in reason
    assert reason.isprintable()
    assert len(reason) < 300


def test_refused_client_leaves_no_trace_on_the_next_one(site: Site) -> None:
    context = site.context()
    bad = site.client(Authority.create("Other CA").issue("web1", client=True))
    good = site.client(site.authority.issue("web2", client=True))
    for _ in range(3):
        refusal(context, bad)
        with stream_to(context, good) as (stream, _):
            serve(stream)
            assert stream.peer_identity is not None
            assert stream.peer_identity.common_name == "web2"


def test_client_that_does_not_trust_the_server_is_told_apart(site: Site) -> None:
    elsewhere = Site(site.directory, Authority.create("Other CA"))
    client = elsewhere.client()
    context = Site(site.directory, site.authority).context()
    with stream_to(context, client) as (stream, answer):
        with pytest.raises(TLSError, match="does not trust the server's certificate: it does not know the CA"):
            stream.handshake(soon())
        assert isinstance(answer.exception(), ssl.SSLCertVerificationError)
