"""What the plugins keep in the database, and what they do with a database that is not what they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import select

from geventcore.errors import (
    DatabaseUnavailable,
    MetadataConsistencyError,
    MetadataRuntimeError,
    MetadataUnavailable,
    PluginExecutionError,
    PluginInitError,
    StorageError,
)
from geventcore.filemonitor import FileAction
from geventcore.options.server import CACHE_MODE, PASSWORD
from geventcore.plugins.metadata import Metadata
from geventcore.plugins.metadata.plugin import USE_DATABASE as CLIENTS_IN_DATABASE
from geventcore.plugins.probes.plugin import USE_DATABASE as PROBES_IN_DATABASE
from geventcore.plugins.probes.plugin import Probes
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.plugins.probes.store import ClientProbes
from geventcore.storage import options
from geventcore.storage.clients import StoredClient, add_client, all_clients, update_client
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.probes import ProbeUpload, StoredProbes, get_probes, replace_probes
from geventcore.storage.schema import PROBE_UPLOAD
from tests.storage.test_database import writes_behind_a_gate
from tests.storage.test_migration import set_version
from tests.support.concurrent_calls import at_once
from tests.support.plugin_context import SmallServer, small_server, write_files

GROUPS = """<Groups>
  <Group name="guest" profile="true" public="true" default="true"/>
  <Group name="web" profile="true" public="true"/>
  <Group name="private" profile="true"/>
  <Group name="listed" profile="true"/>
</Groups>"""
CLIENTS = """<Clients>
  <Client name="listed" profile="listed" secure="true" password="own" address="192.0.2.1">
    <Alias name="www"/>
  </Client>
</Clients>"""

NOW = datetime(2024, 2, 29, 12, 0, tzinfo=timezone.utc)

Servers = Callable[..., SmallServer]


def database_options(config: DatabaseConfig) -> dict[Any, Any]:
    return {
        options.ENGINE: config.engine,
        options.NAME: config.name,
        options.USER: config.user,
        options.HOST: config.host,
        options.SCHEMA: config.schema,
        options.TIMEOUT: config.timeout,
    }


@pytest.fixture
def server(config: DatabaseConfig, tmp_path: Path) -> Iterator[Servers]:
    """Starts servers with the same database, each with a repository of its own: as many machines."""
    with ExitStack() as stack:

        def start(files: Mapping[str, str] | None = None, **changes: Any) -> SmallServer:
            number = len(list(tmp_path.glob("repository*")))
            repository = tmp_path / f"repository{number}"
            write_files(repository, files or {"Metadata/groups.xml": GROUPS, "Metadata/clients.xml": CLIENTS})
            values = {CLIENTS_IN_DATABASE: True, PROBES_IN_DATABASE: True, PASSWORD: "pw", **database_options(config)}
            values.update({CACHE_MODE: changes["cache"]} if "cache" in changes else {})
            return stack.enter_context(small_server(repository, ["Metadata", "Probes"], values))

        yield start


def clients(server: SmallServer) -> Metadata:
    plugin = server.plugin("Metadata")
    assert isinstance(plugin, Metadata)
    return plugin


def probes(server: SmallServer) -> Probes:
    plugin = server.plugin("Probes")
    assert isinstance(plugin, Probes)
    return plugin


def upload(server: SmallServer, client: str, **results: str) -> None:
    data = []
    for name, text in results.items():
        element = etree.Element("probe-data", name=name, source="Probes")
        element.text = text
        data.append(element)
    probes(server).receive_data(server.core.build_metadata(client), data)


# -- probes


def test_an_upload_replaces_the_one_before(database: Any) -> None:
    def store(groups: list[str], **data: str) -> StoredProbes:
        database.write(lambda connection: replace_probes(connection, [ProbeUpload("h", groups, data, NOW)]))
        found: StoredProbes = database.read(lambda connection: get_probes(connection, "h"))
        return found

    assert database.read(lambda connection: get_probes(connection, "h")) == ((), {})
    assert store(["z", "a"], a="1", b="2") == (("z", "a"), {"a": "1", "b": "2"})
    assert store(["a"], b="é\n" * 100_000, c="") == (("a",), {"b": "é\n" * 100_000, "c": ""})
    assert store(["a"], A="x", a="y") == (("a",), {"A": "x", "a": "y"})
    assert store([]) == ((), {})
    rows = database.read(lambda connection: connection.execute(select(PROBE_UPLOAD)).all())
    assert [tuple(row) for row in rows] == [("h", NOW)]


def test_uploads_of_many_clients_at_once_are_those_of_each(database: Any) -> None:
    def store(*uploads: ProbeUpload) -> list[StoredProbes]:
        database.write(lambda connection: replace_probes(connection, uploads))
        return [
            database.read(lambda connection, name=name: get_probes(connection, name))  # type: ignore[misc]
            for name in ("a", "b", "c")
        ]

    first = store(ProbeUpload("b", ["x", "y"], {"p": "b1", "q": "b2"}, NOW), ProbeUpload("a", ["x"], {"p": "a1"}, NOW))
    assert first == [(("x",), {"p": "a1"}), (("x", "y"), {"p": "b1", "q": "b2"}), ((), {})]
    second = store(
        ProbeUpload("c", [], {"r": "c1"}, NOW),
        ProbeUpload("a", [], {"p": "a1", "q": "a2"}, NOW),
        ProbeUpload("b", ["y"], {"q": "b3"}, NOW),
        ProbeUpload("c", ["z"], {"s": "later"}, NOW),
    )
    assert second == [((), {"p": "a1", "q": "a2"}), (("y",), {"q": "b3"}), (("z",), {"s": "later"})]


def test_a_name_that_a_column_has_no_room_for_is_refused_and_not_cut_off(database: Any) -> None:
    long = "p" * 300
    results = writes_behind_a_gate(
        database,
        [
            partial(database.write_item, replace_probes, ProbeUpload(name, [], {probe: "x"}, NOW))
            for name, probe in (("a", "p"), ("b", long), ("c", "p"))
        ],
    )
    known = [database.read(lambda connection, name=name: get_probes(connection, name)).data for name in "abc"]  # type: ignore[misc]
    # SQLite has room for everything.
    assert isinstance(results[1], NoneType if database.config.is_file else StorageError)
    assert known == [{"p": "x"}, {long: "x"} if database.config.is_file else {}, {"p": "x"}]


@pytest.mark.parametrize("size", [5, 20])
def test_large_results_are_stored_or_refused_and_hold_up_nobody(database: Any, size: int) -> None:
    text = "'" * (size << 20)
    store = partial(replace_probes, uploads=[ProbeUpload("h", [], {"p": text}, NOW)])
    if database.config.engine == "mysql" and size > 10:
        # The server takes 16 MB, and quotes need twice their room.
        with pytest.raises(StorageError, match="max_allowed_packet is 16777216") as caught:
            database.write(store)
        assert not isinstance(caught.value, DatabaseUnavailable)
        assert database.read(lambda connection: get_probes(connection, "h")) == ((), {})
    else:
        database.write(store)
        assert database.read(lambda connection: get_probes(connection, "h")) == ((), {"p": text})
    assert database.is_available


def test_a_name_that_is_too_long_is_never_cut(database: Any) -> None:
    long = "é" * 256
    database.write(lambda connection: add_client(connection, StoredClient("h")))
    for change in (
        lambda connection: add_client(connection, StoredClient("new", profile=long)),
        lambda connection: update_client(connection, "h", {"profile": long}),
    ):
        if database.config.is_file:
            database.write(change)
        else:
            with pytest.raises(StorageError, match="too long"):
                database.write(change)
    found = database.read(all_clients)
    assert {client.profile for client in found} == ({long} if database.config.is_file else {None})


@pytest.mark.parametrize("cache", ["off", "initial"])
def test_results_are_known_to_every_server_at_its_next_answer(server: Servers, cache: str) -> None:
    one, other = server(cache=cache), server(cache=cache)
    for number in range(3):
        upload(one, "h", kernel=f"group:g{number}\nrelease {number}")
        metadata = other.core.build_metadata("h")
        assert f"g{number}" in metadata.groups
        assert metadata.Probes["kernel"].strip() == f"release {number}"
        one, other = other, one


def test_what_a_database_cannot_hold_is_replaced(server: Servers) -> None:
    one = server()
    sent = ClientProbes(("g\0", "g\0"), {"p\0": ProbeData("a\ud800b\0")})
    probes(one)._store.replace("h", sent)
    assert probes(one)._store.get("h") == ClientProbes(("g\ufffd",), {"p\ufffd": ProbeData("a\ufffdb\ufffd")})


def test_metadata_that_are_kept_are_forgotten_with_an_upload(server: Servers) -> None:
    one = server(cache="cautious")
    assert "g" not in one.core.build_metadata("h").groups
    upload(one, "h", kernel="group:g")
    assert "g" in one.core.build_metadata("h").groups


# -- clients


def test_a_new_client_is_known_everywhere(server: Servers) -> None:
    one, other = server(), server()
    assert clients(other).list_clients() == []
    assert one.core.build_metadata("New").profile == "guest"
    assert clients(other).list_clients() == ["new"]
    assert clients(other).query.all_clients() == ["new"]


@pytest.mark.parametrize("cache", ["off", "initial"])
def test_what_clients_change_counts_everywhere_at_the_next_answer(server: Servers, cache: str) -> None:
    one, other = server(cache=cache), server(cache=cache)
    assert other.core.build_metadata("h").version is None
    for number in range(3):
        clients(one).set_version("h", f"1.{number}")
        assert other.core.build_metadata("h").version == f"1.{number}"
    clients(one).set_profile("h", "web", ("192.0.2.9", 1))
    assert other.core.build_metadata("h").profile == "web"
    assert one.core.build_metadata("h").profile == "web"
    clients(one).set_profile("fresh", "web", ("192.0.2.9", 1))
    assert other.core.build_metadata("fresh").profile == "web"
    with pytest.raises(MetadataConsistencyError, match="not public"):
        clients(one).set_profile("h", "private", ("192.0.2.9", 1))


def test_a_client_is_created_once_though_many_ask_at_once(server: Servers) -> None:
    one, other = server(), server()
    metadata = at_once([lambda s=s: s.core.build_metadata("h") for s in (one, other) * 8])  # type: ignore[misc]
    assert {found.profile for found in metadata} == {"guest"}
    assert clients(one).list_clients() == ["h"]


def test_the_file_says_what_only_an_administrator_decides(server: Servers) -> None:
    one = server()
    plugin = clients(one)
    assert plugin.list_clients() == []
    # Though it is no client yet, its password is its own already.
    assert not plugin.authenticate(None, "listed", "pw", ("192.0.2.1", 1))
    assert plugin.authenticate(None, "listed", "own", ("192.0.2.1", 1))
    assert plugin.resolve_client(("192.0.2.1", 2)) == "listed"
    metadata = one.core.build_metadata("www")
    assert (metadata.hostname, metadata.profile, metadata.aliases) == ("listed", "listed", {"www"})
    assert plugin.list_clients() == ["listed"]
    file = one.repository / "Metadata/clients.xml"
    file.write_text(CLIENTS.replace('profile="listed"', 'profile="guest"'))
    one.changed(plugin.clients_file, file)
    assert one.core.build_metadata("listed").profile == "guest"
    plugin.set_profile("listed", "web", ("192.0.2.1", 1))
    assert one.core.build_metadata("listed").profile == "web"
    assert file.read_text() == CLIENTS.replace('profile="listed"', 'profile="guest"'), "nobody writes it"
    file.unlink()
    one.changed(plugin.clients_file, file, FileAction.DELETED)
    assert one.core.build_metadata("listed").aliases == set()


def test_the_file_need_not_exist_and_is_not_made(server: Servers) -> None:
    one = server({"Metadata/groups.xml": GROUPS})
    assert one.core.build_metadata("h").profile == "guest"
    assert not (one.repository / "Metadata/clients.xml").exists()
    file = one.repository / "Metadata/clients.xml"
    file.write_text('<Clients><Client name="h" uuid="u"/></Clients>')
    one.changed(clients(one).clients_file, file, FileAction.CREATED)
    assert one.core.build_metadata("h").uuid == "u"


def test_a_file_that_was_never_good_keeps_everybody_out(server: Servers) -> None:
    with pytest.raises(MetadataRuntimeError, match="no usable version"):
        clients(server({"Metadata/groups.xml": GROUPS, "Metadata/clients.xml": "<Clients>"})).list_clients()


def test_a_bootstrapped_client_needs_a_certificate_from_its_first_report_on(server: Servers) -> None:
    files = {
        "Metadata/groups.xml": GROUPS,
        "Metadata/clients.xml": '<Clients><Client name="b" auth="bootstrap"/></Clients>',
    }
    one, other = server(files), server(files)
    address = ("192.0.2.7", 1)
    assert clients(one).authenticate(None, "b", "pw", address)
    clients(one).end_statistics(one.core.build_metadata("b"))
    for each in (one, other):
        assert not clients(each).authenticate(None, "b", "pw", address)
    # Who is removed may begin anew.
    clients(one).remove_client("b")
    assert clients(other).authenticate(None, "b", "pw", address)


def test_a_client_that_registers_with_a_uuid_is_found_by_it_everywhere(server: Servers) -> None:
    one, other = server(), server()
    address = ("2001:db8::0:7", 1)
    assert clients(one).authenticate(None, "7f3a", "pw", address)
    clients(one).set_profile("7f3a", "web", address)
    assert other.core.build_metadata("7f3a").uuid == "7f3a"
    assert clients(other).authenticate(None, "7f3a", "pw", ("198.51.100.1", 5))
    assert clients(other).resolve_client(("2001:db8::7", 9)) == "7f3a"


def test_removing_and_changing_what_is_not_there_is_refused(server: Servers) -> None:
    plugin = clients(server())
    with pytest.raises(MetadataConsistencyError, match="the database has no client nobody"):
        plugin.remove_client("nobody")
    with pytest.raises(MetadataConsistencyError, match="the database has no client nobody"):
        plugin.update_client("nobody", {"version": "1"})
    plugin.add_client("h", {"profile": "web"})
    with pytest.raises(MetadataRuntimeError, match=r"cannot set password: .*set it in clients\.xml"):
        plugin.update_client("h", {"password": "x"})
    with pytest.raises(MetadataConsistencyError, match="characters that cannot be stored"):
        plugin.set_version("h", "1\0")
    with pytest.raises(MetadataConsistencyError, match="is not a host name"):
        plugin.add_client("../h", {})
    assert plugin.get_client_names_by_profiles(["web"]) == ["h"]
    plugin.remove_client("H")
    assert plugin.list_clients() == []


# -- a database that cannot be used


def test_a_schema_of_another_version_stops_the_start(server: Servers, config: DatabaseConfig) -> None:
    set_version(config, "0000")
    with pytest.raises(PluginInitError, match=r"plugin Metadata cannot be loaded: .*run: geventcore db upgrade"):
        server()


def test_a_database_that_is_gone_is_told_to_who_asks(server: Servers, config: DatabaseConfig) -> None:
    one = server()
    one.core.build_metadata("h")
    metadata = one.core.build_metadata("h")
    one.core.databases.close()
    with pytest.raises(MetadataUnavailable):
        one.core.build_metadata("h")
    with pytest.raises(MetadataUnavailable):
        clients(one).authenticate(None, "h", "pw", ("192.0.2.1", 1))
    with pytest.raises(MetadataUnavailable):
        clients(one).set_version("h", "1")
    with pytest.raises(PluginExecutionError, match="cannot store the probe data of h"):
        probes(one).receive_data(metadata, [])
    with pytest.raises(PluginExecutionError, match="cannot read the probe data of h"):
        probes(one).get_additional_groups(metadata)
