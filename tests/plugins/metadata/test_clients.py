"""The client list: what a file says of each client, and how clients are found."""

from __future__ import annotations

import logging

import pytest
from lxml import etree

from geventcore.plugins.ip_addresses import normal_address
from geventcore.plugins.metadata.clients import Client, ClientTable


def nothing() -> None:
    """Nobody waits here."""


def table_of(xml: str) -> ClientTable:
    return ClientTable.of_root(etree.fromstring(xml), "clients.xml", nothing)


def test_every_attribute_is_understood() -> None:
    table = table_of(
        "<Clients><Client name='Web1.Example.NET' profile='web' address='192.0.2.10' secure='True' password='s3cret'"
        " auth='cert' uuid='7F3a' floating='TRUE' version='1.4.0pre2' pingable='Y' colour='red'>"
        "<Alias name='WWW.example.net' address='192.0.2.11'/><Alias name='ftp'/></Client></Clients>"
    )
    assert table.clients == {
        "web1.example.net": Client(
            name="web1.example.net",
            profiles=("web",),
            aliases=("WWW.example.net", "ftp"),
            addresses=("192.0.2.10", "192.0.2.11"),
            uuid="7F3a",
            password="s3cret",
            auth="cert",
            version="1.4.0pre2",
            secure=True,
            floating=True,
        )
    }
    assert table.canonical("www.EXAMPLE.net") == "web1.example.net"
    assert table.canonical("WEB1.example.net") == "web1.example.net"
    assert table.owners == {"192.0.2.10": ("web1.example.net",), "192.0.2.11": ("web1.example.net",)}
    assert table.uuids == {"7F3a": "web1.example.net"}


def test_what_is_empty_says_nothing() -> None:
    table = table_of(
        "<Clients><Client name='a' profile='' password='' auth='' uuid='' address='' version=''/></Clients>"
    )
    assert table.clients == {"a": Client("a")}
    assert not table.owners
    assert not table.uuids


def test_the_old_word_for_floating() -> None:
    assert table_of("<Clients><Client name='a' location='floating'/></Clients>").clients["a"].floating
    assert not table_of("<Clients><Client name='a' location='fixed'/></Clients>").clients["a"].floating


def test_clients_count_at_any_depth_in_document_order() -> None:
    table = table_of("<Clients><Client name='b'/><Clients><Clients><Client name='a'/></Clients></Clients></Clients>")
    assert list(table.clients) == ["b", "a"]


def test_a_client_without_a_name_is_reported_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    assert list(table_of("<Clients>\n<Client profile='p'/>\n<Client name='a'/></Clients>").clients) == ["a"]
    assert "line 2: ignoring a Client without a name" in caplog.text


def test_an_unknown_authentication_type_is_reported_and_means_the_default(caplog: pytest.LogCaptureFixture) -> None:
    assert table_of("<Clients><Client name='a' auth='none'/></Clients>").clients["a"].auth is None
    assert "auth='none'" in caplog.text


def test_a_client_that_is_listed_twice_is_both(caplog: pytest.LogCaptureFixture) -> None:
    table = table_of(
        "<Clients><Client name='A' profile='p' address='192.0.2.1' password='one' secure='true'/>"
        "<Client name='a' profile='q' address='192.0.2.2' password='two'/></Clients>"
    )
    client = table.clients["a"]
    assert client.profiles == ("p", "q")
    assert client.addresses == ("192.0.2.1", "192.0.2.2")
    assert client.password == "two"
    assert client.secure
    assert table.owners["192.0.2.1"] == ("a",)
    assert "listed twice" in caplog.text


def test_one_address_of_two_clients_belongs_to_both() -> None:
    table = table_of(
        "<Clients><Client name='a' address='192.0.2.1'/>"
        "<Client name='b'><Alias name='x' address='192.0.2.1'/></Client></Clients>"
    )
    assert table.owners["192.0.2.1"] == ("a", "b")


def test_names_that_two_clients_claim_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    table = table_of(
        "<Clients><Client name='a' uuid='u'><Alias name='x'/></Client>"
        "<Client name='b' uuid='u'><Alias name='X'/><Alias name='a'/></Client></Clients>"
    )
    assert table.canonical("x") == "b"
    assert table.canonical("a") == "b"
    assert table.uuids["u"] == "b"
    for text in ("same alias 'x'", "same uuid 'u'", "a is both a client and an alias"):
        assert text in caplog.text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("not an address", "not an address"),
        ("", ""),
        ("192.0.2.300", "192.0.2.300"),
    ],
)
def test_addresses_have_one_spelling(text: str, normal: str) -> None:
    assert normal_address(text) == normal


def test_a_changed_table_finds_clients_by_what_they_are_now() -> None:
    table = table_of("<Clients><Client name='a' uuid='u'/><Client name='b' address='192.0.2.1'/></Clients>")
    changed = table.with_changes([("b", None), ("c", Client("c", uuid="v")), ("a", Client("a", version="1.0.0"))])
    assert list(changed.clients) == ["a", "c"]
    assert changed.uuids == {"v": "c"}
    assert not changed.owners
    assert list(table.clients) == ["a", "b"]
    assert table.uuids == {"u": "a"}


def test_a_change_that_moves_nothing_keeps_the_indexes() -> None:
    table = table_of("<Clients><Client name='a' uuid='u' address='192.0.2.1'><Alias name='x'/></Client></Clients>")
    old = table.clients["a"]
    changed = table.with_changes([("a", Client("a", ("q",), old.aliases, old.addresses, old.uuid, version="2.0.0"))])
    assert changed.clients["a"].version == "2.0.0"
    assert changed.owners is table.owners


def test_a_good_list_is_read_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    table_of("<Clients><Client name='a' profile='p' auth='bootstrap'/><!-- note --></Clients>")
    assert not caplog.records
