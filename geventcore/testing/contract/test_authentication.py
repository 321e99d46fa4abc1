"""Authentication over the wire: each kind of proof, right and wrong."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest

from geventcore.testing.certificates import Certificate
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveServer, LiveSite, wait_until
from geventcore.testing.wire_client import Client, HTTPStatusError
from geventcore.tls.authority import Authority

STATISTICS = '<upload-statistics><Statistics version="2.0" state="clean"/></upload-statistics>'


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site().start() as running:
        yield running


def identity_of(client: Client) -> str | None:
    """The client that the server takes the caller for; None if it is one that nobody knows."""
    found = re.findall(r'name="/client/([^"]*)"', client.call("GetConfig"))
    assert len(found) <= 1
    return found[0] if found else None


def assert_refused(client: Client) -> None:
    """A 401 with a page to read, without an invitation to type a password."""
    with pytest.raises(HTTPStatusError) as caught:
        client.call("GetConfig")
    reply = caught.value.reply
    assert reply.status == 401
    assert reply.headers.get_content_type() == "text/html"
    assert b"<html>" in reply.body
    assert "WWW-Authenticate" not in reply.headers


@pytest.mark.parametrize(
    ("user", "password", "source", "client"),
    [
        pytest.param("plain", GLOBAL_PASSWORD, "127.0.0.1", "plain", id="host name, global password"),
        pytest.param("plain", "own of plain", "127.0.0.1", "plain", id="host name, own password"),
        pytest.param("u-plain", GLOBAL_PASSWORD, "127.0.0.1", "plain", id="uuid, global password"),
        pytest.param("u-plain", "own of plain", "127.0.0.2", "plain", id="uuid, own password"),
        pytest.param("root", GLOBAL_PASSWORD, "127.0.0.11", "plain", id="address, global password"),
        pytest.param("root", "own of plain", "127.0.0.11", "plain", id="address, own password"),
        pytest.param("colons", "a:b::c", "127.0.0.1", "colons", id="password with colons"),
        pytest.param("secure", "own of secure", "127.0.0.1", "secure", id="secure, own password"),
        pytest.param("root", "own of secure", "127.0.0.12", "secure", id="secure, address, own password"),
        pytest.param("both", "own of both", "127.0.0.1", "both", id="cert+password without certificate"),
        pytest.param("bootstrapped", GLOBAL_PASSWORD, "127.0.0.1", "bootstrapped", id="bootstrap with password"),
        pytest.param("twin-a", GLOBAL_PASSWORD, "127.0.0.16", "twin-a", id="host name, ambiguous address"),
        pytest.param("stranger", GLOBAL_PASSWORD, "127.0.0.1", None, id="unknown host name, global password"),
    ],
)
def test_passwords_that_fit(server: LiveServer, user: str, password: str, source: str, client: str | None) -> None:
    assert identity_of(server.site.client(user, password, source=source)) == client


@pytest.mark.parametrize(
    ("user", "password", "source"),
    [
        pytest.param("plain", "wrong", "127.0.0.1", id="wrong password"),
        pytest.param("plain", "", "127.0.0.1", id="empty password"),
        pytest.param("plain", "own of both", "127.0.0.1", id="another client's password"),
        pytest.param("plain", GLOBAL_PASSWORD + " ", "127.0.0.1", id="password with something more"),
        pytest.param("u-plain", "wrong", "127.0.0.1", id="uuid, wrong password"),
        pytest.param("root", "wrong", "127.0.0.11", id="address, wrong password"),
        pytest.param("secure", GLOBAL_PASSWORD, "127.0.0.1", id="secure, global password"),
        pytest.param("secure-without", GLOBAL_PASSWORD, "127.0.0.1", id="secure without own password"),
        pytest.param("by-certificate", GLOBAL_PASSWORD, "127.0.0.1", id="certificate wanted, none shown"),
        pytest.param("root", GLOBAL_PASSWORD, "127.0.0.16", id="address of two clients"),
        pytest.param("root", GLOBAL_PASSWORD, "127.0.0.99", id="address of nobody"),
        pytest.param("", "", "127.0.0.1", id="nothing"),
    ],
)
def test_passwords_that_do_not_fit(server: LiveServer, user: str, password: str, source: str) -> None:
    client = server.site.client(user, password, source=source)
    assert_refused(client)


def test_a_refusal_is_logged_with_the_peer_and_without_the_password(server: LiveServer) -> None:
    client = server.site.client("plain", "not-the-password")
    with client.connect() as connection:
        connection.send(client.request("GetConfig"))
        assert connection.read_reply().status == 401
        name = connection.name
    wait_until(lambda: [line for line in server.log() if name in line.message], "the refusal in the log")
    reason = f"access denied for 'plain' from {name.rpartition(':')[0]}: wrong password"
    wait_until(lambda: [line for line in server.grave() if line.message == reason], "the reason, as a warning")
    assert "not-the-password" not in server.log_text()


def test_an_unknown_address_is_logged_with_its_reason(server: LiveServer) -> None:
    """At the default level: a new client's most common failure must not look like a wrong password."""
    client = server.site.client("root", GLOBAL_PASSWORD, source="127.0.0.98")
    assert_refused(client)
    start = "access denied for 'root' from 127.0.0.98: the address 127.0.0.98 is not in the client list"
    wait_until(lambda: [line for line in server.grave() if line.message.startswith(start)], "the reason, as a warning")


@pytest.mark.parametrize(
    ("common_name", "user", "password", "source", "client"),
    [
        pytest.param("by-certificate", "root", "", "127.0.0.1", "by-certificate", id="floating"),
        pytest.param("by-certificate", "plain", "wrong", "127.0.0.77", "by-certificate", id="user does not count"),
        pytest.param("at-home", "root", "", "127.0.0.14", "at-home", id="from its address"),
        pytest.param("both", "root", "own of both", "127.0.0.15", "both", id="cert+password with password"),
    ],
)
def test_certificates_that_fit(
    server: LiveServer, common_name: str, user: str, password: str, source: str, client: str
) -> None:
    certificate = server.site.client_certificate(common_name)
    assert identity_of(server.site.client(user, password, source=source, certificate=certificate)) == client


@pytest.mark.parametrize(
    ("common_name", "user", "password", "source"),
    [
        pytest.param("at-home", "root", "", "127.0.0.15", id="from another client's address"),
        pytest.param("at-home", "root", "", "127.0.0.99", id="from nobody's address"),
        pytest.param("both", "root", "", "127.0.0.15", id="cert+password without password"),
        pytest.param("both", "root", "wrong", "127.0.0.15", id="cert+password with wrong password"),
        pytest.param("both", "both", "own of both", "127.0.0.14", id="cert+password from elsewhere"),
        pytest.param("plain", "plain", "", "127.0.0.11", id="a certificate alone is not enough for the default"),
    ],
)
def test_certificates_that_do_not_fit(
    server: LiveServer, common_name: str, user: str, password: str, source: str
) -> None:
    certificate = server.site.client_certificate(common_name)
    assert_refused(server.site.client(user, password, source=source, certificate=certificate))


def test_bootstrap_becomes_certificate_with_the_first_report(server: LiveServer) -> None:
    with_password = server.site.client("bootstrapped")
    with_certificate = server.site.client(
        "bootstrapped", "", certificate=server.site.client_certificate("bootstrapped")
    )
    assert identity_of(with_password) == "bootstrapped"
    assert identity_of(with_certificate) == "bootstrapped"
    assert with_password.call("RecvStats", STATISTICS) is True
    assert (
        'auth="cert"'
        in re.search(  # type: ignore[union-attr]
            '<Client name="bootstrapped".*', (server.site.repository / "Metadata/clients.xml").read_text()
        ).group()
    )
    assert_refused(with_password)
    assert identity_of(with_certificate) == "bootstrapped"


def expired(site: LiveSite) -> Certificate:
    issued = site.authority.issue(
        "by-certificate",
        client=True,
        server=False,
        not_before=datetime.now(timezone.utc) - timedelta(days=30),
        days=29,
    )
    return site.write_certificate("expired", issued)


def foreign(site: LiveSite) -> Certificate:
    return site.write_certificate("foreign", Authority.create("Foreign").issue("by-certificate", client=True))


def for_servers(site: LiveSite) -> Certificate:
    return site.write_certificate("for-servers", site.authority.issue("by-certificate", client=False, server=True))


@pytest.mark.parametrize("make_certificate", [expired, foreign, for_servers])
def test_certificates_that_end_the_handshake(
    server: LiveServer, make_certificate: Callable[[LiveSite], Certificate]
) -> None:
    client = server.site.client("by-certificate", "", certificate=make_certificate(server.site))
    sock = client.connect_plain()
    name = f"{client.source}:{sock.getsockname()[1]}"

    def ask() -> bytes:
        # With TLS 1.3 a client learns only when it reads that its certificate was refused.
        with client.context().wrap_socket(sock, server_hostname="localhost") as wrapped:
            wrapped.sendall(client.request("GetConfig"))
            return wrapped.recv(1)

    with sock, pytest.raises((ssl.SSLError, ConnectionError)):
        ask()
    wait_until(lambda: [line for line in server.grave() if name in line.message], "the refusal in the log")
    (line,) = [line for line in server.grave() if name in line.message]
    assert "client certificate refused" in line.message


def test_without_an_authority_certificates_say_nothing(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={"communication": {"ca": ""}})
    with site.start() as server:
        certificate = site.client_certificate("by-certificate")
        assert_refused(site.client("root", "", certificate=certificate))
        assert_refused(site.client("by-certificate", certificate=certificate))
        assert identity_of(site.client("plain", certificate=certificate)) == "plain"
        assert "certificate refused" not in server.log_text()
