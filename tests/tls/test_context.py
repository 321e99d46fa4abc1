"""What `build_server_context` accepts and refuses, and the policy of the contexts it builds."""

from __future__ import annotations

import base64
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from OpenSSL import SSL

from geventcore.errors import TLSError
from geventcore.tls.authority import Authority
from geventcore.tls.context import ServerContext, TLSFiles, build_server_context
from geventcore.tls.tickets import TicketKeys
from tests.tls.peers import Site, serve, soon, stream_to


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def refused(files: TLSFiles, **options: str) -> str:
    with pytest.raises(TLSError) as caught:
        build_server_context(files, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything, so tests of permissions run as nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def exchange(context: ServerContext, client: ssl.SSLContext) -> None:
    with stream_to(context, client) as (stream, answer):
        assert serve(stream) == b"request"
        assert answer.result() == b"answer"


# -- files that cannot be used


@pytest.mark.parametrize("field", ["certificate", "key", "ca", "crl"])
def test_missing_file_is_named_with_its_setting(site: Site, field: str) -> None:
    path = site.directory / "absent.pem"
    text = refused(replace(site.files(), **{field: path}))
    assert text == f"[communication] {field}: {path} does not exist"


@pytest.mark.parametrize("field", ["certificate", "key", "ca", "crl"])
def test_unreadable_file_is_named_with_the_reason(field: str) -> None:
    with TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        site = Site(Path(name))
        crl = site.write("crl.pem", site.authority.crl())
        files = site.files(crl=crl)
        path = getattr(files, field)
        for other in Path(name).iterdir():
            other.chmod(0o644)
        path.chmod(0)
        with unprivileged():
            text = refused(files)
            assert text == f"[communication] {field}: {path} cannot be read by uid {os.geteuid()}: Permission denied"


@pytest.mark.parametrize("field", ["certificate", "key", "ca"])
def test_directory_is_refused(site: Site, field: str) -> None:
    text = refused(replace(site.files(), **{field: site.directory}))
    assert text == f"[communication] {field}: {site.directory} is not a regular file"


@pytest.mark.parametrize("field", ["certificate", "key", "ca", "crl"])
@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "the file is empty"),
        (b"\x30\x82\x01\x0a\x02\x82", "DER"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "'PUBLIC KEY'"),
        (b"just some text\n", "PEM format"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "PEM format"),
    ],
)
def test_other_content_is_refused_with_a_hint(site: Site, field: str, content: bytes, hint: str) -> None:
    path = site.write("other.pem", content)
    text = refused(replace(site.files(), **{field: path}))
    assert text.startswith(f"[communication] {field}: {path} holds no ")
    assert hint in text


def test_damaged_certificate_is_refused(site: Site) -> None:
    damaged = site.authority.certificate_pem.replace(b"M", b"N", 3)
    path = site.write("chain.pem", site.certificate.read_bytes() + damaged)
    assert "holds a damaged certificate number 2" in refused(replace(site.files(), certificate=path))
    path = site.write("ca2.pem", damaged)
    assert refused(replace(site.files(), ca=path)) == f"[communication] ca: {path} holds a damaged certificate"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("mask", [0x21, 0x80])
@pytest.mark.parametrize("field", ["certificate", "ca", "crl"])
def test_no_byte_of_a_file_can_raise_anything_but_our_error(site: Site, field: str, mask: int) -> None:
    """Flip each byte of what the file says, one after the other."""
    files = site.files(crl=site.write("crl.pem", site.authority.crl()))
    path: Path = getattr(files, field)
    kind = "X509 CRL" if field == "crl" else "CERTIFICATE"
    der = base64.b64decode(b"".join(path.read_bytes().splitlines()[1:-1]))
    for position in range(len(der)):
        damaged = der[:position] + bytes([der[position] ^ mask]) + der[position + 1 :]
        text = base64.encodebytes(damaged).decode("ascii")
        path.write_text(f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n")
        with suppress(TLSError):
            build_server_context(files)


def test_damaged_key_is_refused(site: Site) -> None:
    lines = site.key.read_bytes().splitlines(keepends=True)
    site.key.write_bytes(b"".join([lines[0], *lines[2:]]))
    assert refused(site.files()).startswith(f"[communication] key: {site.key} holds a damaged private key")


def test_key_that_tls_cannot_use_is_refused(site: Site) -> None:
    site.key.write_bytes(
        dsa.generate_private_key(1024).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    assert "of a kind that TLS cannot use" in refused(site.files())


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_key_with_passphrase_is_refused_without_asking_for_it(site: Site, form: serialization.PrivateFormat) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    site.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"secret"))
    )
    program = (
        "import sys; from pathlib import Path; from geventcore.tls.context import TLSFiles, build_server_context\n"
        "try: build_server_context(TLSFiles(Path(sys.argv[1]), Path(sys.argv[2]), None))\n"
        "except Exception as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(site.certificate), str(site.key)]
    # On a terminal of its own, where OpenSSL would ask.
    finished = subprocess.run(
        [sys.executable, "-c", f"import pty; pty.spawn({command!r})"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    expected = f"[communication] key: {site.key} is protected by a passphrase; the server needs a key without one"
    assert finished.stdout.split() == expected.split()


def test_foreign_key_is_refused(site: Site) -> None:
    _, site.key = site.write_pair("other", site.authority.issue("localhost"))
    assert refused(site.files()) == f"[communication] key: {site.key} does not belong to the certificate in " + str(
        site.certificate
    )


def test_key_of_another_kind_is_refused(site: Site) -> None:
    _, site.key = site.write_pair("other", site.authority.issue("localhost", key_type="rsa"))
    assert "does not belong to the certificate" in refused(site.files())


def test_chain_in_the_wrong_order_is_refused(site: Site) -> None:
    site.certificate.write_bytes(site.ca.read_bytes() + site.certificate.read_bytes())
    text = refused(site.files())
    assert text.startswith(f"[communication] certificate: {site.certificate} must begin with the server's own")
    assert text.endswith("it is number 2 in the file")


def test_key_too_weak_for_openssl_is_refused_with_its_reason(site: Site) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Another CA")]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    site.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    site.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    assert refused(site.files()) == (
        f"[communication] certificate: {site.certificate} is refused by OpenSSL: ee key too small"
    )


def test_crl_without_ca_is_refused(site: Site) -> None:
    crl = site.write("crl.pem", site.authority.crl())
    assert "requires [communication] ca" in refused(site.files(ca=False, crl=crl))


def test_unknown_protocol_is_refused(site: Site) -> None:
    text = refused(site.files(), protocol="xmlrpc/sslv3")
    assert text == "[communication] protocol: 'xmlrpc/sslv3' is unknown; accepted: xmlrpc/ssl, xmlrpc/tlsv1"


# -- warnings


def test_tlsv1_is_warned_of_only_when_written_down(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    build_server_context(site.files())
    build_server_context(site.files(), protocol="xmlrpc/ssl", protocol_is_explicit=True)
    assert not caplog.records
    build_server_context(site.files(), protocol="xmlrpc/tlsv1", protocol_is_explicit=True)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "TLS 1.2 or newer" in caplog.text


@pytest.mark.parametrize(
    ("begin", "days", "text"), [(timedelta(days=-10), 9, "expired on"), (timedelta(days=10), 5, "is not valid before")]
)
def test_dates_of_certificates_are_warned_of(
    site: Site, caplog: pytest.LogCaptureFixture, begin: timedelta, days: int, text: str
) -> None:
    start = datetime.now(timezone.utc) + begin
    site.certificate, site.key = site.write_pair("old", site.authority.issue("old.net", not_before=start, days=days))
    context = site.context()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"[communication] certificate: {site.certificate}: the certificate of CN=old.net {text}" in caplog.text
    assert context.expires == (start + timedelta(days=days)).replace(microsecond=0)


def test_list_of_revocations_that_was_not_renewed_is_warned_of(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.context(crl=site.write("crl.pem", site.authority.crl(days=0)))
    assert "client certificates are refused until it is renewed" in caplog.text


# -- files that can be used


def test_files_are_not_needed_any_more_after_the_start(site: Site) -> None:
    context = site.context()
    client = site.client()
    for path in (site.certificate, site.key, site.ca):
        path.unlink()
    exchange(context, client)


def test_key_and_certificate_in_one_file_with_text_around(site: Site) -> None:
    key = serialization.load_pem_private_key(site.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    traditional = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    # What 'openssl ecparam -genkey' writes in front of a key.
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    both = site.write("both.pem", b"Subject: localhost\n" + parameters + traditional + site.certificate.read_bytes())
    exchange(build_server_context(TLSFiles(both, both, None)), site.client())


def test_chain_with_intermediate_authority_satisfies_a_client_that_knows_only_the_root(site: Site) -> None:
    middle = site.authority.issue_authority("Middle CA")
    issued = middle.issue("localhost")
    certificate = site.write("chain.pem", issued.certificate_pem + middle.certificate_pem)
    key = site.write("chain.key", issued.key_pem)
    exchange(build_server_context(TLSFiles(certificate, key, None)), site.client())


def test_chain_is_completed_from_the_ca_file(site: Site) -> None:
    middle = site.authority.issue_authority("Middle CA")
    site.certificate, site.key = site.write_pair("leaf", middle.issue("localhost"))
    client = site.client()
    site.ca = site.write("all.pem", Authority.create("Other CA").certificate_pem + middle.certificate_pem)
    exchange(site.context(), client)


def test_each_kind_of_key_comes_with_its_own_chain(site: Site) -> None:
    root = Authority.create("RSA root", key_type="rsa")
    middle = root.issue_authority("RSA middle", key_type="rsa")
    issued = middle.issue("rsa.example.org", key_type="rsa")
    certificate = site.write("rsa.pem", issued.certificate_pem + middle.certificate_pem)
    key = site.write("rsa.key", issued.key_pem)
    context = build_server_context(replace(site.files(), second_certificate=certificate, second_key=key))
    for cipher, names in (
        (b"ECDHE-ECDSA-AES128-GCM-SHA256", ["CN=localhost"]),
        (b"ECDHE-RSA-AES128-GCM-SHA256", ["CN=rsa.example.org", "CN=RSA middle"]),
    ):
        client = memory_client(SSL.TLS1_2_VERSION, cipher)
        in_memory(context.connection(None), client, "do_handshake")
        chain = client.get_peer_cert_chain(as_cryptography=True)
        assert chain is not None
        assert [certificate.subject.rfc4514_string() for certificate in chain] == names


def test_self_signed_server_certificate_may_be_its_own_ca(site: Site) -> None:
    """What old set-up tools left behind: one certificate for everything, no extensions."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    site.ca = site.certificate = site.write("self.pem", pem)
    site.key = site.write(
        "self.key",
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cadata=pem.decode("ascii"))
    exchange(site.context(), client)


def test_authority_may_be_an_intermediate_one_without_its_root(site: Site) -> None:
    middle = site.authority.issue_authority("Middle CA")
    client = site.client(middle.issue("web1", client=True, server=False))
    site.ca = site.write("middle.pem", middle.certificate_pem)
    with stream_to(site.context(), client) as (stream, _):
        serve(stream)
        assert stream.peer_identity is not None
        assert stream.peer_identity.common_name == "web1"


# -- policy


def outcome(context: ServerContext, client: ssl.SSLContext) -> tuple[str, str]:
    """Protocol and cipher, or the server's and the client's complaint."""
    with stream_to(context, client) as (stream, answer):
        try:
            stream.handshake(soon())
        except TLSError as error:
            stream.shutdown(soon())
            stream.close()
            return str(error), str(answer.exception())
        agreed = str(stream.protocol), str(stream.cipher)
        stream.receive(100, soon())
        stream.close()
        return agreed


@pytest.mark.parametrize(
    ("version", "cipher"),
    [
        (ssl.TLSVersion.TLSv1_3, "TLS_AES_128_GCM_SHA256"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ],
)
def test_current_versions_are_spoken_with_the_ciphers_that_cost_least(
    site: Site, version: ssl.TLSVersion, cipher: str
) -> None:
    client = site.client()
    client.minimum_version = client.maximum_version = version
    assert outcome(site.context(), client) == (version.name.replace("_", "."), cipher)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_before_1_2_is_refused_on_both_protocol_names(site: Site) -> None:
    client = site.client()
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    for protocol in ("xmlrpc/ssl", "xmlrpc/tlsv1"):
        context = build_server_context(site.files(), protocol=protocol)
        reason, complaint = outcome(context, client)
        assert reason == "the client offers only TLS versions older than 1.2"
        assert "alert protocol version" in complaint


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "aNULL:@SECLEVEL=0"])
def test_ciphers_without_forward_secrecy_authentication_or_integrity_are_refused(tmp_path: Path, cipher: str) -> None:
    site = Site(tmp_path, Authority.create("RSA CA", key_type="rsa"))
    site.certificate, site.key = site.write_pair("rsa", site.authority.issue("localhost", key_type="rsa"))
    client = site.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(cipher)
    assert outcome(site.context(), client)[0] == "the client and the server have no cipher in common"


def in_memory(server: SSL.Connection, client: SSL.Connection, step: str) -> None:
    """Carry bytes between two ends until the client's step has an outcome and the lines are empty."""
    unfinished = True
    while True:
        if unfinished:
            try:
                getattr(client, step)()
                unfinished = False
            except SSL.WantReadError:
                pass
        moved = False
        for source, target in ((client, server), (server, client)):
            try:
                target.bio_write(source.bio_read(65536))
                moved = True
            except SSL.WantReadError:
                pass
            for end in (server, client):
                with suppress(SSL.WantReadError):
                    end.recv(1)
        if not moved:
            return


def memory_client(version: int, ciphers: bytes = b"DEFAULT") -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(ciphers)
    context.set_max_proto_version(version)
    client = SSL.Connection(context)
    client.set_connect_state()
    return client


def test_idle_connections_keep_no_buffers(site: Site) -> None:
    assert site.context()._context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_names_of_authorities_are_sent_so_that_a_client_can_choose_its_certificate(site: Site, version: int) -> None:
    second = Authority.create("Second CA")
    site.ca.write_bytes(site.ca.read_bytes() + second.certificate_pem)
    client = memory_client(version)
    in_memory(site.context().connection(None), client, "do_handshake")
    names = client.get_client_ca_list(as_cryptography=True)
    assert [name.rfc4514_string() for name in names] == ["CN=Site CA", "CN=Second CA"]


def test_renegotiation_is_refused(site: Site) -> None:
    server, client = site.context().connection(None), memory_client(SSL.TLS1_2_VERSION)
    in_memory(server, client, "do_handshake")
    assert client.get_peer_certificate() is not None
    client.renegotiate()
    with pytest.raises(SSL.Error, match="no renegotiation"):
        in_memory(server, client, "do_handshake")


# -- client certificates on the side of the context


def test_without_ca_no_certificate_is_asked_for_and_none_is_known(site: Site) -> None:
    context = site.context(ca=False)
    assert not context.asks_for_certificate
    with stream_to(context, site.client(site.authority.issue("web1", client=True))) as (stream, _):
        serve(stream)
        assert stream.peer_identity is None
    client = memory_client(SSL.TLS1_3_VERSION)
    in_memory(context.connection(None), client, "do_handshake")
    assert client.get_client_ca_list(as_cryptography=True) == []


def test_with_ca_a_client_without_certificate_is_served(site: Site) -> None:
    context = site.context()
    assert context.asks_for_certificate
    with stream_to(context, site.client()) as (stream, answer):
        serve(stream)
        assert stream.peer_identity is None
        assert answer.result() == b"answer"


# -- sessions


def resumed(
    first: ServerContext, second: ServerContext, client: ssl.SSLContext, between: Callable[[], None] = lambda: None
) -> tuple[bool, str | None]:
    """Connect twice with the same session. Was it resumed, and who was the client then?"""
    sessions: list[ssl.SSLSession | None] = []

    def remember(sock: ssl.SSLSocket) -> bool:
        sock.sendall(b"request")
        sock.recv(100)
        sessions.append(sock.session)
        return bool(sock.session_reused)

    with stream_to(first, client, remember) as (stream, reused):
        serve(stream)
        assert not reused.result()
    between()
    with stream_to(second, client, remember, session=sessions[0]) as (stream, reused):
        serve(stream)
        identity = stream.peer_identity
        return reused.result(), identity.common_name if identity else None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_with_the_identity_but_never_across_a_reload(site: Site, version: ssl.TLSVersion) -> None:
    client = site.client(site.authority.issue("web1", client=True))
    client.maximum_version = version
    context = site.context()
    assert resumed(context, context, client) == (True, "web1")
    assert resumed(context, site.context(), client) == (False, "web1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_can_be_switched_off(site: Site, version: ssl.TLSVersion) -> None:
    client = site.client()
    client.maximum_version = version
    context = site.context(session_tickets=False)
    assert resumed(context, context, client) == (False, None)


def test_certificate_that_expires_before_its_session_identifies_nobody(site: Site) -> None:
    end = datetime.now(timezone.utc) + timedelta(seconds=2)
    client = site.client(site.authority.issue("web1", client=True, not_before=end - timedelta(days=1), days=1))
    context = site.context()

    def wait_for_the_end() -> None:
        while datetime.now(timezone.utc) <= end:
            sleep(0.05)

    assert resumed(context, context, client, between=wait_for_the_end) == (True, None)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_outlive_new_certificates(site: Site, version: ssl.TLSVersion) -> None:
    client = site.client(site.authority.issue("web1", client=True))
    client.maximum_version = version
    context = site.context()
    site.certificate, site.key = site.write_pair("renewed", site.authority.issue("localhost", key_type="rsa"))
    renewed = build_server_context(site.files(), predecessor=context)
    assert resumed(context, renewed, client) == (True, "web1")
    assert resumed(renewed, build_server_context(site.files(), predecessor=renewed), client) == (True, "web1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_end_when_clients_are_believed_for_other_reasons(site: Site, version: ssl.TLSVersion) -> None:
    client = site.client(site.authority.issue("web1", client=True))
    client.maximum_version = version
    context = site.context()
    crl = site.write("crl.pem", site.authority.crl())
    with_crl = build_server_context(site.files(crl=crl), predecessor=context)
    assert resumed(context, with_crl, client) == (False, "web1")
    renewed_crl = site.write("renewed.pem", site.authority.crl())
    with_renewed = build_server_context(site.files(crl=renewed_crl), predecessor=with_crl)
    assert resumed(with_crl, with_renewed, client) == (False, "web1")
    without_ca = build_server_context(site.files(ca=False), predecessor=context)
    assert resumed(context, without_ca, client) == (False, None)


def test_a_revoked_client_cannot_go_on_with_an_old_session(site: Site) -> None:
    issued = site.authority.issue("web1", client=True)
    client = site.client(issued)
    context = site.context(crl=site.write("crl.pem", site.authority.crl()))
    site.authority.revoke(issued.certificate_pem)
    files = site.files(crl=site.write("renewed.pem", site.authority.crl()))
    with pytest.raises(TLSError, match="revoked"):
        resumed(context, build_server_context(files, predecessor=context), client)


def test_ticket_keys_change_with_time_and_never_run_out() -> None:
    keys = TicketKeys(lambda: SSL.Context(SSL.TLS_SERVER_METHOD), seconds=0.01, count=3)
    seen = [keys.current()]
    while len(seen) < 6:
        sleep(0.001)
        if keys.current() is not seen[-1]:
            seen.append(keys.current())
    assert len({id(context) for context in seen}) == len(seen)


# -- two certificates


def test_both_chains_are_completed_from_the_ca_file(site: Site) -> None:
    middles = {kind: site.authority.issue_authority(f"{kind} middle", key_type=kind) for kind in ("ecdsa", "rsa")}
    pairs = {kind: site.write_pair(kind, middle.issue(kind, key_type=kind)) for kind, middle in middles.items()}
    ca = site.write("all.pem", b"".join(middle.certificate_pem for middle in middles.values()))
    context = build_server_context(TLSFiles(*pairs["rsa"], ca, None, *pairs["ecdsa"]))
    for kind in ("ecdsa", "rsa"):
        client = memory_client(SSL.TLS1_2_VERSION, f"ECDHE-{kind.upper()}-AES128-GCM-SHA256".encode())
        in_memory(context.connection(None), client, "do_handshake")
        chain = client.get_peer_cert_chain(as_cryptography=True)
        assert chain is not None
        assert [certificate.subject.rfc4514_string() for certificate in chain] == [f"CN={kind}", f"CN={kind} middle"]


def test_second_certificate_has_another_kind_of_key(site: Site) -> None:
    certificate, key = site.write_pair("second", site.authority.issue("localhost"))
    text = refused(replace(site.files(), second_certificate=certificate, second_key=key))
    assert text == (
        f"[communication] second_key: {key} is of the same kind as [communication] key; "
        "the second certificate must have another kind of key"
    )


def test_second_certificate_and_key_go_together(site: Site) -> None:
    certificate, key = site.write_pair("second", site.authority.issue("localhost", key_type="rsa"))
    text = refused(replace(site.files(), second_certificate=certificate))
    assert text == f"[communication] second_certificate: {certificate} needs a [communication] second_key"
    text = refused(replace(site.files(), second_key=key))
    assert text == f"[communication] second_key: {key} needs a [communication] second_certificate"
    text = refused(replace(site.files(), second_certificate=site.certificate, second_key=key))
    assert text == f"[communication] second_key: {key} does not belong to the certificate in {site.certificate}"
    missing = site.directory / "absent.pem"
    text = refused(replace(site.files(), second_certificate=missing, second_key=key))
    assert text == f"[communication] second_certificate: {missing} does not exist"
