"""Cfg: TLS keys and certificates, signed by an authority of the site and verified before clients get them."""

from __future__ import annotations

import logging
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from geventcore import crypt
from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.tls.authority import Authority
from tests.support.cfg_site import bind, client
from tests.support.concurrent_calls import at_once
from tests.support.encrypted_site import PASSPHRASES, encrypted_site
from tests.support.openssl_ca import OpensslCA, make_openssl_ca
from tests.support.plugin_context import SmallServer

KEY, CERT = "/etc/ssl/host.key", "/etc/ssl/host.crt"
HOST = "web.example.com"


@pytest.fixture
def authority(tmp_path: Path) -> OpensslCA:
    return make_openssl_ca(tmp_path / "ca")


def section(authority: OpensslCA, *more: str, name: str = "default") -> str:
    return "\n".join([f"[sslca_{name}]", f"config = {authority.config}", *more, ""])


def site(
    tmp_path: Path,
    options: str,
    cert: str = f'<CertInfo><Cert key="{KEY}"/></CertInfo>',
    key: str = "<KeyInfo/>",
    **files: Any,
) -> Any:
    inside = {f"Cfg{KEY}/sslkey.xml": key, f"Cfg{CERT}/sslcert.xml": cert}
    return encrypted_site(tmp_path, {**inside, **{f"Cfg{name}": text for name, text in files.items()}}, options=options)


def content(server: SmallServer, name: str, host: str = HOST) -> bytes:
    return (bind(server, name, client(host)).text or "").encode()


def certificate(server: SmallServer, host: str = HOST) -> x509.Certificate:
    return x509.load_pem_x509_certificate(content(server, CERT, host))


def files(server: SmallServer, name: str) -> list[str]:
    return sorted(file for file in os.listdir(f"{server.repository}/Cfg{name}") if not file.endswith(".xml"))


def names(found: x509.Certificate) -> list[str]:
    extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return sorted(str(name.value) for name in extension.value)


# -- keys


@pytest.mark.parametrize(
    ("instructions", "kind", "bits"),
    [
        ("<KeyInfo/>", rsa.RSAPrivateKey, 2048),
        ('<KeyInfo><Key bits="3072"/></KeyInfo>', rsa.RSAPrivateKey, 3072),
        ('<KeyInfo><Key type="dsa" bits="1024"/></KeyInfo>', dsa.DSAPrivateKey, 1024),
    ],
)
def test_a_key_is_made(tmp_path: Path, instructions: str, kind: type, bits: int) -> None:
    with site(tmp_path, "", key=instructions) as server:
        data = content(server, KEY)
        key = load_pem_private_key(data, None)
        assert isinstance(key, kind)
        assert key.key_size == bits  # type: ignore[attr-defined]
        assert subprocess.run(["openssl", "pkey", "-noout"], input=data, check=True).returncode == 0
        assert files(server, KEY) == [f"host.key.H_{HOST}"]
        assert content(server, KEY) == data


def test_keys_are_encrypted_if_a_passphrase_is_configured(tmp_path: Path) -> None:
    with site(tmp_path, "[sslca]\npassphrase = alpha\n") as server:
        data = content(server, KEY)
        stored = Path(f"{server.repository}/Cfg{KEY}/host.key.H_{HOST}.crypt").read_bytes()
        assert crypt.decrypt(stored, PASSPHRASES["alpha"]) == data


@pytest.mark.parametrize("key", ['<KeyInfo><Key type="x"/></KeyInfo>', '<KeyInfo><Key bits="12"/></KeyInfo>'])
def test_a_key_that_cannot_be_made(tmp_path: Path, key: str) -> None:
    with site(tmp_path, "", key=key) as server:
        for name in (KEY, CERT):
            with pytest.raises(PluginExecutionError, match=r"sslkey\.xml: cannot generate a TLS key of type"):
                content(server, name)
        assert files(server, KEY) == files(server, CERT) == []


# -- certificates


def test_a_certificate_is_signed_by_the_sites_authority(tmp_path: Path, authority: OpensslCA) -> None:
    cert = (
        "<CertInfo><subjectAltName>www.example.com</subjectAltName><subjectAltName>192.0.2.1</subjectAltName>"
        f'<Cert key="{KEY}" days="100" C="DE" ST="Hessen" l="Ort" O="Örg" OU="Unit" emailaddress="a@example.com"/>'
        "</CertInfo>"
    )
    with site(tmp_path, section(authority, f"chaincert = {authority.certificate}", "root_ca = true"), cert) as server:
        metadata = ClientMetadata(HOST, aliases={"alias.example.com"})
        found = x509.load_pem_x509_certificate((bind(server, CERT, metadata).text or "").encode())
        assert names(found) == ["192.0.2.1", "alias.example.com", HOST, "www.example.com"]
        subject = {attribute.oid: attribute.value for attribute in found.subject}
        assert subject[NameOID.COMMON_NAME] == HOST
        assert [subject[oid] for oid in (NameOID.COUNTRY_NAME, NameOID.LOCALITY_NAME, NameOID.ORGANIZATION_NAME)] == [
            *("DE", "Ort", "Örg")
        ]
        assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 100
        assert found.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        key = load_pem_private_key(content(server, KEY), None).public_key()
        assert key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == found.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        path = f"{server.repository}/Cfg{CERT}/host.crt.H_{HOST}"
        subprocess.run(["openssl", "verify", "-CAfile", str(authority.certificate), path], check=True)
        assert authority.issued[0].name == "1000.pem"
        assert HOST in (authority.directory / "index.txt").read_text()


def test_a_certificate_is_made_once(tmp_path: Path, authority: OpensslCA) -> None:
    with site(tmp_path, section(authority)) as server:
        results = at_once([lambda: content(server, CERT)] * 6)
        assert not [result for result in results if isinstance(result, Exception)]
        assert set(results) == {content(server, CERT)}
        assert len(authority.issued) == 1
        assert files(server, CERT) == [f"host.crt.H_{HOST}"]


def test_many_certificates_at_once_get_numbers_of_their_own(tmp_path: Path, authority: OpensslCA) -> None:
    with site(tmp_path, section(authority), key='<KeyInfo><Key bits="1024"/></KeyInfo>') as server:
        results = at_once([lambda n=n: certificate(server, f"h{n}") for n in range(6)])
        assert sorted(found.serial_number for found in results) == list(range(0x1000, 0x1006))
        assert len((authority.directory / "index.txt").read_text().splitlines()) == 6


def test_the_chain_is_appended(tmp_path: Path, authority: OpensslCA) -> None:
    cert = f'<CertInfo><Cert key="{KEY}" ca="mine" append_chain="yes"/></CertInfo>'
    options = section(authority, f"chaincert = {authority.certificate}", name="mine")
    with site(tmp_path, options, cert) as server:
        found = x509.load_pem_x509_certificates(content(server, CERT))
        assert len(found) == 2
        assert found[1] == x509.load_pem_x509_certificate(authority.certificate.read_bytes())


def test_an_authority_whose_key_has_a_passphrase(tmp_path: Path) -> None:
    authority = make_openssl_ca(tmp_path / "ca", passphrase="the CA's word")
    with site(tmp_path, section(authority, "passphrase = the CA's word")) as server:
        assert certificate(server).subject.rfc4514_string() == f"CN={HOST}"
    (tmp_path / f"repository/Cfg{CERT}/host.crt.H_{HOST}").unlink()
    for wrong in ("passphrase = wrong", ""):
        with site(tmp_path, section(authority, wrong)) as server:
            with pytest.raises(PluginExecutionError, match=r"sslcert\.xml: openssl ended with status") as caught:
                certificate(server)
            assert "\n" not in str(caught.value)
            assert files(server, CERT) == []
    assert len(authority.issued) == 1


def test_names_that_the_authority_leaves_out_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = make_openssl_ca(tmp_path / "ca", copy_extensions="none")
    with site(tmp_path, section(authority)) as server, caplog.at_level(logging.WARNING):
        certificate(server)
    assert f"lacks the names {HOST}; set copy_extensions = copy in {authority.config}" in caplog.text


@pytest.mark.parametrize(
    ("cert", "options", "reason"),
    [
        ("<CertInfo/>", "", "a Cert element with a key is missing"),
        (f'<CertInfo><Cert key="{KEY}" format="der"/></CertInfo>', "", "unsupported certificate format"),
        (f'<CertInfo><Cert key="{KEY}"/></CertInfo>', "", r"\[sslca_default\] has no option config"),
        (f'<CertInfo><Cert key="{KEY}" ca="x"/></CertInfo>', "[sslca_x]\nconfig = /none\n", "/none: No such file"),
        (f'<CertInfo><Cert key="{KEY}" append_chain="1"/></CertInfo>', "", "has no option chaincert"),
        (
            f'<CertInfo><Cert key="{KEY}" C="Germany"/></CertInfo>',
            "[sslca_default]\nconfig = /x\n",
            r"sslcert\.xml: C='Germany' is not allowed",
        ),
        ('<CertInfo><Cert key="/nothing"/></CertInfo>', "", "no matching generator for Path:/nothing"),
        (f'<CertInfo><Cert key="{KEY}" days="many"/></CertInfo>', "", "days='many' of Cert is not a whole number"),
    ],
)
def test_a_certificate_that_cannot_be_made(tmp_path: Path, cert: str, options: str, reason: str) -> None:
    with site(tmp_path, options, cert) as server:
        with pytest.raises(PluginExecutionError, match=reason) as caught:
            content(server, CERT)
        assert "\n" not in str(caught.value)
        assert files(server, CERT) == []


# -- verification


def issued_elsewhere(tmp_path: Path, **more: Any) -> tuple[str, str, Path]:
    """Key and certificate of another authority, and that authority's certificate."""
    other = Authority.create("Another CA")
    path = tmp_path / "other.crt"
    path.write_bytes(other.certificate_pem)
    issued = other.issue(HOST, **more)
    return issued.key_pem.decode(), issued.certificate_pem.decode(), path


def stored(key: str, cert: str) -> dict[str, str]:
    return {f"{KEY}/host.key": key, f"{CERT}/host.crt": cert}


def test_a_certificate_that_was_put_there_is_verified(tmp_path: Path, authority: OpensslCA) -> None:
    key, cert, chain = issued_elsewhere(tmp_path)
    with site(tmp_path, section(authority, f"chaincert = {chain}"), **stored(key, cert)) as server:
        assert content(server, CERT).decode() == cert


def test_a_certificate_of_another_key_is_refused(tmp_path: Path, authority: OpensslCA) -> None:
    _, cert, _ = issued_elsewhere(tmp_path)
    key, _, _ = issued_elsewhere(tmp_path)
    with (
        site(tmp_path, section(authority), **stored(key, cert)) as server,
        pytest.raises(PluginExecutionError, match=r"does not belong to key /etc/ssl/host\.key"),
    ):
        content(server, CERT)
    with site(tmp_path, section(authority) + "[cfg]\nvalidation = no\n", **stored(key, cert)) as server:
        assert content(server, CERT).decode() == cert


@pytest.mark.parametrize("root", ["no", "yes"])
def test_a_certificate_of_another_authority_is_refused(tmp_path: Path, authority: OpensslCA, root: str) -> None:
    key, cert, _ = issued_elsewhere(tmp_path)
    options = section(authority, f"chaincert = {authority.certificate}", f"root_ca = {root}")
    with (
        site(tmp_path, options, **stored(key, cert)) as server,
        pytest.raises(PluginExecutionError, match=r"was not issued by an authority in .*ca\.crt"),
    ):
        content(server, CERT)


def test_an_expired_certificate_is_refused(tmp_path: Path, authority: OpensslCA) -> None:
    key, cert, chain = issued_elsewhere(tmp_path, not_before=datetime.now(timezone.utc) - timedelta(days=9), days=2)
    with (
        site(tmp_path, section(authority, f"chaincert = {chain}"), **stored(key, cert)) as server,
        pytest.raises(PluginExecutionError, match=f"CN={HOST} expired on 20"),
    ):
        content(server, CERT)


@pytest.mark.parametrize(
    ("trusted", "appended", "root", "accepted"),
    [
        (("intermediate", "root"), (), "yes", True),
        (("intermediate",), (), "no", True),
        (("intermediate",), (), "yes", False),
        (("root",), ("intermediate",), "yes", True),
        (("root",), (), "yes", False),
    ],
)
def test_chains(
    tmp_path: Path, authority: OpensslCA, trusted: tuple[str], appended: tuple[str], root: str, accepted: bool
) -> None:
    top = Authority.create("The root")
    between = top.issue_authority("In between")
    pem = {"root": top.certificate_pem, "intermediate": between.certificate_pem}
    issued = between.issue(HOST)
    chain = tmp_path / "chain.crt"
    chain.write_bytes(b"".join(pem[name] for name in trusted))
    cert = (issued.certificate_pem + b"".join(pem[name] for name in appended)).decode()
    options = section(authority, f"chaincert = {chain}", f"root_ca = {root}")
    with site(tmp_path, options, **stored(issued.key_pem.decode(), cert)) as server:
        if accepted:
            assert content(server, CERT).decode() == cert
        else:
            with pytest.raises(PluginExecutionError, match="was not issued"):
                content(server, CERT)


@pytest.mark.parametrize("cert", ["", "no certificate"])
def test_what_is_no_certificate_is_refused(tmp_path: Path, authority: OpensslCA, cert: str) -> None:
    key, _, _ = issued_elsewhere(tmp_path)
    with (
        site(tmp_path, section(authority), **stored(key, cert)) as server,
        pytest.raises(PluginExecutionError, match="is not a certificate in PEM format"),
    ):
        content(server, CERT)
