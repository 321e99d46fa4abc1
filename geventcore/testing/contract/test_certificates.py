"""Two certificates side by side, and what a reload does with them and with TLS sessions."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from geventcore.testing.live_site import LiveSite, wait_until
from geventcore.testing.wire_client import Connection
from geventcore.tls.authority import KeyType

KINDS: dict[KeyType, type] = {"ecdsa": ec.EllipticCurvePublicKey, "rsa": rsa.RSAPublicKey}


def write_pair(site: LiveSite, name: str, kind: KeyType) -> str:
    issued = site.authority.issue("localhost", dns_names=["localhost"], key_type=kind)
    return str(site.write_certificate(name, issued).certificate)


def connect(site: LiveSite, kind: KeyType, session: ssl.SSLSession | None = None) -> Connection:
    """A connection of a client that knows only one kind of key."""
    client = site.client("plain")
    context = client.context()
    # With TLS 1.2 the ciphers name the kind of key.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"ECDHE-{kind.upper()}-AES128-GCM-SHA256")
    return Connection(context.wrap_socket(client.connect_plain(), server_hostname="localhost", session=session))


def certificate(site: LiveSite, kind: KeyType) -> x509.Certificate:
    """The certificate that the server shows such a client."""
    with connect(site, kind) as connection:
        assert connection.call(site.client("plain"), "ping") == []
        assert isinstance(connection.sock, ssl.SSLSocket)
        der = connection.sock.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


@pytest.mark.parametrize("first", ["ecdsa", "rsa"])
def test_each_client_gets_the_certificate_that_it_can_use_also_after_a_reload(
    new_site: Callable[..., LiveSite], first: KeyType, core: str
) -> None:
    if first == "rsa" and core != "gevent":
        pytest.skip("which one is the first is the same for every core")
    second: KeyType = "rsa" if first == "ecdsa" else "ecdsa"
    site = new_site()
    write_pair(site, "server", first)
    site.options["communication"] = {
        "second_certificate": write_pair(site, "second", second),
        "second_key": str(site.tls / "second.key"),
    }
    with site.start() as server:
        before = {kind: certificate(site, kind) for kind in KINDS}
        for kind, key in KINDS.items():
            assert isinstance(before[kind].public_key(), key)
        write_pair(site, "server", first)
        write_pair(site, "second", second)
        server.signal(signal.SIGHUP)
        for kind, key in KINDS.items():
            wait_until(lambda kind=kind: certificate(site, kind) != before[kind], "the renewed certificate")  # type: ignore[misc]
            assert isinstance(certificate(site, kind).public_key(), key)
        assert "not reloaded" not in server.log_text()


def test_a_reload_that_fails_keeps_both(new_site: Callable[..., LiveSite], core: str) -> None:
    if core not in ("gevent", "gevent-workers"):
        pytest.skip("what is kept is the same for every core")
    site = new_site()
    site.options["communication"] = {
        "second_certificate": write_pair(site, "second", "rsa"),
        "second_key": str(site.tls / "second.key"),
    }
    with site.start() as server:
        before = {kind: certificate(site, kind) for kind in KINDS}
        site.write_certificate("server", site.issue_server_certificate())
        (site.tls / "second.key").write_text("nothing")
        server.signal(signal.SIGHUP)
        server.wait_for_log("[communication] second_key")
        assert {kind: certificate(site, kind) for kind in KINDS} == before


def test_sessions_are_resumed_by_every_process_and_after_a_reload(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    with site.start() as server:
        caller = site.client("plain")
        context = caller.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2

        def call(session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
            sock = context.wrap_socket(caller.connect_plain(), server_hostname="localhost", session=session)
            with Connection(sock) as connection:
                assert connection.call(caller, "ping") == []
                return bool(sock.session_reused), sock.session

        reused, session = call(None)
        assert not reused
        # So many that each worker has one.
        assert all(call(session)[0] for _ in range(10))
        first = certificate(site, "ecdsa")
        site.write_certificate("server", site.issue_server_certificate())
        server.signal(signal.SIGHUP)
        wait_until(lambda: certificate(site, "ecdsa") != first, "the renewed certificate")
        assert all(call(session)[0] for _ in range(10))
