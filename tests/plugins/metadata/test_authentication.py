"""Who is let in, and which client an address belongs to."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.errors import MetadataConsistencyError
from geventcore.options.server import CA, PASSWORD
from geventcore.plugins.metadata import Metadata
from geventcore.plugins.metadata.authentication import AUTHENTICATION
from geventcore.plugins.metadata.expiring import ExpiringMap
from geventcore.tls.identity import PeerIdentity
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

CLIENTS = """<Clients>
  <Client name="plain" profile="p" address="192.0.2.1" password="own" uuid="u-1"/>
  <Client name="sec" profile="p" address="192.0.2.2" secure="true" password="own2"/>
  <Client name="certonly" profile="p" auth="cert" floating="true"/>
  <Client name="boot" profile="p" auth="bootstrap"/>
  <Client name="secnopw" profile="p" secure="true"/>
  <Client name="m1" profile="p" address="192.0.2.9"/>
  <Client name="m2" profile="p" address="192.0.2.9"/>
  <Client name="MiXeD" profile="p" address="192.0.2.7" secure="true" password="mixed" auth="bootstrap"/>
  <Client name="six" profile="p" address="2001:DB8:0::6"/>
  <Client name="aliased" profile="p"><Alias name="Nick.example" address="192.0.2.11"/></Client>
  <Client name="colon" profile="p" password="a:b:ü"/>
</Clients>"""

NAMES = {"198.51.100.1": "elsewhere.example", "198.51.100.2": "NICK.example", "198.51.100.3": "Plain"}


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reverse DNS that knows `NAMES`; the addresses that were looked up."""
    asked: list[str] = []

    def gethostbyaddr(address: str) -> tuple[str, list[str], list[str]]:
        asked.append(address)
        if address not in NAMES:
            raise socket.herror(1, "Unknown host")
        return NAMES[address], [], [address]

    monkeypatch.setattr(socket, "gethostbyaddr", gethostbyaddr)
    return asked


@pytest.fixture
def server(tmp_path: Path, lookups: list[str]) -> Iterator[SmallServer]:
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": CLIENTS})
    with small_server(tmp_path, ["Metadata"], {PASSWORD: "pw", CA: Path("/ca.pem")}) as server:
        yield server


@pytest.fixture
def metadata(server: SmallServer) -> Metadata:
    plugin = server.plugin("Metadata")
    assert isinstance(plugin, Metadata)
    return plugin


def cert(name: str | None) -> PeerIdentity:
    return PeerIdentity(name, "00")


@pytest.mark.parametrize(
    ("name", "user", "password", "ip", "accepted", "session"),
    [
        (None, "root", "pw", "192.0.2.1", True, None),
        (None, "root", "own", "192.0.2.1", True, None),
        (None, "root", "other", "192.0.2.1", False, None),
        (None, "root", "pw", "192.0.2.2", False, None),
        (None, "root", "own2", "192.0.2.2", True, None),
        (None, "u-1", "pw", "198.51.100.1", True, "plain"),
        (None, "plain", "pw", "198.51.100.1", True, "plain"),
        (None, "anything", "pw", "198.51.100.1", True, "anything"),
        ("plain", "root", "", "192.0.2.1", False, None),
        ("plain", "root", "pw", "192.0.2.1", True, "plain"),
        ("plain", "root", "pw", "192.0.2.2", False, None),
        ("plain", "root", "pw", "198.51.100.3", True, "plain"),
        (None, "certonly", "pw", "192.0.2.50", False, None),
        ("certonly", "root", "", "192.0.2.50", True, "certonly"),
        (None, "boot", "pw", "192.0.2.50", True, "boot"),
        ("boot", "root", "", "192.0.2.50", False, None),
        (None, "secnopw", "pw", "192.0.2.50", False, None),
        (None, "secnopw", "", "192.0.2.50", False, None),
        (None, "root", "pw", "192.0.2.9", False, None),
        ("m1", "root", "pw", "192.0.2.9", True, "m1"),
        ("m1", "user", "pw", "192.0.2.9", True, "m1"),
        ("plain", "root", "pw", "192.0.2.9", False, None),
        # names in any case
        ("MiXeD", "root", "", "192.0.2.7", True, "mixed"),
        ("mixed", "root", "", "192.0.2.7", True, "mixed"),
        (None, "mixed", "pw", "192.0.2.50", False, None),
        (None, "MIXED", "pw", "192.0.2.50", False, None),
        (None, "mixed", "mixed", "192.0.2.50", True, "mixed"),
        (None, "CERTONLY", "pw", "192.0.2.50", False, None),
        # addresses in any spelling
        (None, "root", "pw", "::ffff:192.0.2.1", True, None),
        (None, "root", "pw", "2001:db8::6", True, None),
        (None, "root", "pw", "192.0.2.11", True, None),
        # passwords
        (None, "colon", "a:b:ü", "192.0.2.50", True, "colon"),
        (None, "plain", "", "192.0.2.50", False, None),
        (None, "plain", "\ud800", "192.0.2.50", False, None),
        # certificates and addresses that say nothing
        (None, "root", "pw", "", False, None),
        (None, "root", "pw", "not an address", False, None),
        ("", "root", "pw", "192.0.2.1", False, None),
    ],
)
def test_who_is_let_in(
    metadata: Metadata, name: str | None, user: str, password: str, ip: str, accepted: bool, session: str | None
) -> None:
    address = (ip, 4000)
    identity = cert(name) if name is not None else None
    assert metadata.authenticate(identity, user, password, address) is accepted
    assert metadata.session_client(address) == session


def test_a_certificate_without_a_common_name_is_nobody(metadata: Metadata) -> None:
    assert not metadata.authenticate(cert(None), "root", "pw", ("192.0.2.1", 1))


def test_certificates_do_not_count_without_a_ca(tmp_path: Path, lookups: list[str]) -> None:
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": CLIENTS})
    with small_server(tmp_path, ["Metadata"], {PASSWORD: "pw"}) as server:
        source = server.core.metadata_source()
        assert not source.authenticate(cert("certonly"), "certonly", "pw", ("192.0.2.50", 1))


def test_the_default_type_comes_from_the_settings(tmp_path: Path, lookups: list[str]) -> None:
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": CLIENTS})
    with small_server(tmp_path, ["Metadata"], {PASSWORD: "pw", CA: Path("/ca"), AUTHENTICATION: "cert"}) as server:
        source = server.core.metadata_source()
        assert not source.authenticate(None, "plain", "own", ("192.0.2.1", 1))
        assert source.authenticate(cert("plain"), "root", "", ("192.0.2.1", 1))
        assert source.authenticate(None, "boot", "pw", ("192.0.2.50", 1))


def test_without_a_global_password_only_own_ones_count(tmp_path: Path, lookups: list[str]) -> None:
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": CLIENTS})
    with small_server(tmp_path, ["Metadata"]) as server:
        source = server.core.metadata_source()
        assert source.authenticate(None, "plain", "own", ("192.0.2.50", 1))
        assert not source.authenticate(None, "plain", "", ("192.0.2.50", 1))
        assert not source.authenticate(None, "stranger", "", ("192.0.2.50", 1))


def test_a_refusal_is_logged_with_its_reason_and_without_the_password(
    metadata: Metadata, caplog: pytest.LogCaptureFixture
) -> None:
    assert not metadata.authenticate(None, "plain", "hunter2", ("192.0.2.50", 1))
    assert not metadata.authenticate(None, "plain\nroot", "hunter2", ("192.0.2.50", 1))
    wrong, invalid = caplog.records
    assert wrong.getMessage() == "access denied for 'plain' from 192.0.2.50: wrong password"
    assert "'plain\\nroot' is not a host name" in invalid.getMessage()
    for record in (wrong, invalid):
        assert record.levelno == logging.WARNING
        assert "\n" not in record.getMessage()
    assert "hunter2" not in caplog.text


def test_nobody_is_let_in_before_the_list_was_read(tmp_path: Path, lookups: list[str]) -> None:
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": "<Clients"})
    with small_server(tmp_path, ["Metadata"], {PASSWORD: "pw"}) as server:
        assert not server.core.metadata_source().authenticate(None, "plain", "pw", ("192.0.2.1", 1))


def test_a_reload_forgets_what_is_no_longer_in_the_file(server: SmallServer, metadata: Metadata) -> None:
    path = server.repository / "Metadata/clients.xml"
    path.write_text('<Clients><Client name="plain" profile="p" address="192.0.2.1"/><Client name="boot"/></Clients>')
    server.changed(metadata.clients_file, path)
    assert not metadata.authenticate(None, "plain", "own", ("192.0.2.1", 1))
    assert not metadata.authenticate(cert("boot"), "root", "", ("192.0.2.50", 1))
    assert metadata.authenticate(None, "u-1", "pw", ("192.0.2.50", 2))
    assert metadata.session_client(("192.0.2.50", 2)) == "u-1"


# -- which client an address belongs to


def test_a_session_comes_before_the_list_and_the_list_before_dns(metadata: Metadata, lookups: list[str]) -> None:
    assert metadata.resolve_client(("192.0.2.1", 4000)) == "plain"
    assert metadata.authenticate(None, "sec", "own2", ("192.0.2.1", 4000))
    assert metadata.resolve_client(("192.0.2.1", 4000)) == "sec"
    assert metadata.resolve_client(("192.0.2.1", 4001)) == "plain"
    assert not lookups


def test_sessions_give_canonical_names(metadata: Metadata) -> None:
    assert metadata.authenticate(None, "Nick.Example", "pw", ("192.0.2.50", 1))
    assert metadata.session_client(("192.0.2.50", 1)) == "aliased"
    assert metadata.resolve_client(("192.0.2.50", 1)) == "aliased"


def test_dns_names_and_aliases_are_compared_in_lower_case(metadata: Metadata) -> None:
    assert metadata.resolve_client(("198.51.100.1", 1)) == "elsewhere.example"
    assert metadata.resolve_client(("198.51.100.2", 1)) == "aliased"
    assert metadata.resolve_client(("198.51.100.3", 1)) == "plain"


def test_an_answer_of_dns_is_kept_for_a_while_and_a_failure_is_not(metadata: Metadata, lookups: list[str]) -> None:
    for port in range(3):
        assert metadata.resolve_client(("198.51.100.1", port)) == "elsewhere.example"
        with pytest.raises(MetadataConsistencyError, match="has no name in DNS"):
            metadata.resolve_client(("198.51.100.99", port))
    assert lookups == ["198.51.100.1", *["198.51.100.99"] * 3]


def test_an_address_of_several_clients_is_refused_with_their_names(metadata: Metadata) -> None:
    with pytest.raises(MetadataConsistencyError, match="m1, m2"):
        metadata.resolve_client(("192.0.2.9", 1))


def test_ipv6_addresses_have_four_parts(metadata: Metadata) -> None:
    address = ("2001:db8::50", 4000, 0, 0)
    assert metadata.authenticate(None, "plain", "pw", address)
    assert metadata.resolve_client(address) == "plain"


def test_clearing_sessions_forgets_them(metadata: Metadata) -> None:
    assert metadata.authenticate(None, "boot", "pw", ("192.0.2.1", 1))
    metadata.clear_sessions()
    assert metadata.resolve_client(("192.0.2.1", 1)) == "plain"


# -- the map that holds sessions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_items_expire_and_are_dropped() -> None:
    clock = Clock()
    kept: ExpiringMap[str, str] = ExpiringMap(90.0, 10, clock)
    kept.put("a", "1")
    clock.now += 89.9
    kept.put("b", "2")
    assert kept.get("a") == "1"
    clock.now += 0.1
    assert kept.get("a") is None
    kept.drop_outdated()
    assert len(kept) == 1
    kept.put("b", "3")
    clock.now += 80
    assert kept.get("b") == "3"


def test_the_oldest_go_when_there_are_too_many() -> None:
    kept: ExpiringMap[int, int] = ExpiringMap(90.0, 100, Clock())
    for number in range(1000):
        kept.put(number, number)
    assert len(kept) == 100
    assert kept.get(899) is None
    assert kept.get(900) == 900
