"""The plugin Metadata as the server sees it: clients' metadata, what clients change, queries, administration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from geventcore.errors import MetadataConsistencyError, MetadataError
from geventcore.options.server import CACHE_MODE, PASSWORD
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.interfaces import Connector
from geventcore.plugins.metadata import Metadata
from tests.support.plugin_context import SmallServer, small_server, write_files

GROUPS = """<Groups>
  <Group name="web" profile="true" public="true"><Bundle name="apache"/><Group name="linux"/></Group>
  <Group name="db" profile="true"><Bundle name="postgres"/><Group name="linux"/><Group name="el8"/></Group>
  <Group name="guest" profile="true" public="true" default="true"/>
  <Group name="linux"><Bundle name="base"/></Group>
  <Group name="el8" category="os"/>
  <Group name="el9" category="os"><Bundle name="dnf"/></Group>
  <Group name="tagged"><Bundle name="tags"/><Group name="tag-follower"/></Group>
  <Client name="bare"><Group name="web"/><Group name="db"/></Client>
</Groups>"""
CLIENTS = """<Clients>
  <Client name="w1" profile="web" version="1.4.0pre2"><Alias name="WWW"/></Client>
  <Client name="d1" profile="db"/>
  <Client name="nothing"/>
  <Client name="bare"/>
  <Client name="ghostly" profile="ghost"/>
</Clients>"""


class Tags(Plugin, Connector):
    """A site's connector, which gives w1 a group, and cannot say anything about a client called d1 if told so."""

    creates_directory = False
    refuse = False

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        if self.refuse and metadata.hostname == "d1":
            raise MetadataError("no tags today")
        return ["tagged"] if metadata.hostname == "w1" else []

    def get_additional_data(self, metadata: ClientMetadata) -> dict[str, str]:
        return {"host": metadata.hostname}


TAGS = f"{__name__}.Tags"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_files(tmp_path, {"Metadata/groups.xml": GROUPS, "Metadata/clients.xml": CLIENTS})
    return tmp_path


@pytest.fixture
def server(repository: Path) -> Iterator[SmallServer]:
    with small_server(repository, ["Metadata", TAGS], {PASSWORD: "pw"}) as server:
        yield server


@pytest.fixture
def metadata(server: SmallServer) -> Metadata:
    return metadata_of(server)


@pytest.fixture
def clients_xml(repository: Path) -> Path:
    return repository / "Metadata/clients.xml"


def metadata_of(server: SmallServer) -> Metadata:
    plugin = server.plugin("Metadata")
    assert isinstance(plugin, Metadata)
    return plugin


def client_in(path: Path, name: str) -> dict[str, str]:
    (element,) = etree.parse(path).xpath("//Client[@name=$name]", name=name)
    return dict(element.attrib)


# -- a client's metadata


def test_everything_that_the_files_say(metadata: Metadata) -> None:
    client = metadata.get_initial_metadata("W1")
    assert (client.hostname, client.profile) == ("w1", "web")
    assert client.groups == {"web", "linux"}
    assert client.bundles == {"apache", "base"}
    assert client.aliases == {"WWW"}
    assert client.version == "1.4.0pre2"
    assert client.version_info is not None
    assert client.version_info > "1.4.0pre1"
    assert client.query is metadata.query
    assert metadata.get_initial_metadata("www").hostname == "w1"


def test_what_is_given_away_may_be_changed(metadata: Metadata) -> None:
    client = metadata.get_initial_metadata("w1")
    for names in (client.groups, client.bundles, client.aliases, client.addresses):
        names.add("changed")
    client.categories["changed"] = "changed"
    again = metadata.get_initial_metadata("w1")
    assert "changed" not in again.groups | again.bundles | again.aliases | again.addresses
    assert not again.categories


def test_a_client_without_any_group_gets_the_default(metadata: Metadata) -> None:
    client = metadata.get_initial_metadata("nothing")
    assert (client.groups, client.profile) == ({"guest"}, "guest")


def test_a_profile_comes_from_the_rules_if_the_list_has_none(metadata: Metadata) -> None:
    client = metadata.get_initial_metadata("bare")
    assert client.groups == {"web", "db", "linux", "el8"}
    assert client.profile == "db"


def test_an_unknown_profile_is_a_group_and_is_reported(metadata: Metadata, server: SmallServer) -> None:
    client = metadata.get_initial_metadata("ghostly")
    assert (client.groups, client.profile, client.bundles) == ({"ghost"}, None, set())


def test_wrong_profiles_are_reported_once_each(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    listed = "".join(f'<Client name="c{number}" profile="linux"/>' for number in range(100))
    (repository / "Metadata/clients.xml").write_text(f'<Clients>{listed}<Client name="g" profile="ghost"/></Clients>')
    with small_server(repository, ["Metadata"]):
        pass
    assert caplog.messages == [
        "client c0 and 99 more: the profile linux is not a profile",
        "client g: the profile ghost is a group that does not exist",
    ]


def test_an_unknown_client_is_listed_with_the_default_profile(metadata: Metadata, clients_xml: Path) -> None:
    assert metadata.get_initial_metadata("Stranger").groups == {"guest"}
    assert client_in(clients_xml, "stranger") == {"name": "stranger", "profile": "guest"}


def test_an_unknown_client_is_refused_without_a_default(repository: Path) -> None:
    (repository / "Metadata/groups.xml").write_text("<Groups/>")
    before = (repository / "Metadata/clients.xml").read_text()
    with (
        small_server(repository, ["Metadata"]) as server,
        pytest.raises(MetadataConsistencyError, match="stranger is unknown"),
    ):
        metadata_of(server).get_initial_metadata("stranger")
    assert (repository / "Metadata/clients.xml").read_text() == before


def test_a_suppressed_group_is_reported_once_until_the_files_change(
    server: SmallServer, metadata: Metadata, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = repository / "Metadata/groups.xml"
    path.write_text(GROUPS.replace('<Group name="el8"/>', '<Group name="el8"/><Group name="el9"/>'))
    for _ in range(2):
        path.touch()
        server.changed(metadata.groups_file, path)
        caplog.clear()
        for _ in range(3):
            assert metadata.get_initial_metadata("d1").categories == {"os": "el8"}
        assert caplog.messages == ["client d1 does not get the group el9: it already has a group of category os: el8"]


def test_rules_without_end_are_reported_and_harm_only_whom_they_concern(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endless = """<Groups><Group name="db" profile="true"><Group name="x" negate="true"><Group name="y"/></Group></Group>
      <Group name="y"><Group name="x"/><Group name="x" negate="true"/></Group>
      <Group name="x"><Group name="y" negate="true"/></Group><Group name="web" profile="true"/></Groups>"""
    (repository / "Metadata/groups.xml").write_text(endless)
    with small_server(repository, ["Metadata"]) as server:
        caplog.clear()
        assert metadata_of(server).get_initial_metadata("w1").groups == {"web"}
        assert "db" in metadata_of(server).get_initial_metadata("d1").groups
    assert caplog.messages == [
        "client d1: the rules in groups.xml contradict each other; using the groups found so far"
    ]


# -- what connectors add


def test_added_groups_bring_what_follows_from_them(metadata: Metadata) -> None:
    client = metadata.get_initial_metadata("w1")
    metadata.merge_additional_groups(client, ["tagged", "el9", "el8", "undeclared"])
    assert client.groups == {"web", "linux", "tagged", "tag-follower", "el9", "undeclared"}
    assert client.categories == {"os": "el9"}
    assert client.bundles == {"apache", "base", "tags", "dnf"}


def test_bundles_never_shrink(metadata: Metadata, server: SmallServer, repository: Path) -> None:
    path = repository / "Metadata/groups.xml"
    path.write_text(GROUPS.replace('<Group name="tag-follower"/>', '<Group name="linux" negate="true"/>'))
    server.changed(metadata.groups_file, path)
    client = metadata.get_initial_metadata("w1")
    metadata.merge_additional_groups(client, ["tagged"])
    assert client.groups == {"web", "tagged"}
    assert client.bundles == {"apache", "base", "tags"}


def test_a_profile_may_come_from_a_connector_or_else_by_name_only(metadata: Metadata) -> None:
    client = metadata.get_initial_metadata("ghostly")
    metadata.merge_additional_groups(client, ["linux", "db", "web"])
    assert client.profile == "db"
    client = metadata.get_initial_metadata("ghostly")
    metadata.merge_additional_groups(client, [])
    assert client.profile == "guest"
    assert client.groups == {"ghost"}


def test_data_are_added_once(metadata: Metadata) -> None:
    client = metadata.get_initial_metadata("w1")
    metadata.merge_additional_data(client, "Probes", {"a": 1})
    metadata.merge_additional_data(client, "Probes", {"b": 2})
    metadata.merge_additional_data(client, "groups", {})
    assert client.Probes == {"a": 1}
    assert client.connectors == ["Probes"]
    assert client.groups == {"web", "linux"}


def test_dynamic_groups_belong_to_who_declared_them_first(
    server: SmallServer, metadata: Metadata, caplog: pytest.LogCaptureFixture
) -> None:
    metadata.register_dynamic_group(MetadataGroup("dyn", frozenset({"one"}), "os"), "Tags")
    metadata.register_dynamic_group(MetadataGroup("dyn", frozenset({"two"}), "os"), "Tags")
    for _ in range(2):
        metadata.register_dynamic_group(MetadataGroup("dyn", frozenset({"three"})), "Others")
        metadata.register_dynamic_group(MetadataGroup("web", frozenset({"four"})), "Others")
    client = metadata.get_initial_metadata("w1")
    metadata.merge_additional_groups(client, ["dyn"])
    assert client.bundles == {"apache", "base", "two"}
    assert client.categories == {"os": "dyn"}
    assert metadata.query.all_groups_in_category("os") == {"el8", "el9", "dyn"}
    assert "dyn" in metadata.query.all_groups()
    assert [message for message in caplog.messages if "already declares" in message] == [
        "ignoring the group dyn from Others: Tags already declares it",
        "ignoring the group web from Others: groups.xml already declares it",
    ]


def test_dynamic_groups_outlive_a_reload(server: SmallServer, metadata: Metadata, repository: Path) -> None:
    metadata.register_dynamic_group(MetadataGroup("dyn", frozenset({"one"})), "Tags")
    path = repository / "Metadata/groups.xml"
    path.write_text(GROUPS + "\n")
    server.changed(metadata.groups_file, path)
    assert metadata.groups_file.table.bundles_of(["dyn"]) == {"one"}


# -- caching


@pytest.mark.parametrize("mode", ["off", "initial", "cautious", "aggressive"])
def test_changes_are_seen_by_the_next_call_in_every_mode(repository: Path, clients_xml: Path, mode: str) -> None:
    with small_server(repository, ["Metadata", TAGS], {CACHE_MODE: mode}) as server:
        metadata, context = metadata_of(server), server.context
        for name in ("w1", "www"):
            assert context.build_metadata(name).groups == {"web", "linux", "tagged", "tag-follower"}
        metadata.set_version("w1", "1.5.0")
        for name in ("w1", "www"):
            assert context.build_metadata(name).version == "1.5.0"
        metadata.set_profile("w1", "guest", ("192.0.2.1", 1))
        for name in ("w1", "www"):
            assert context.build_metadata(name).profile == "guest"
        clients_xml.write_text('<Clients><Client name="w1" profile="db"/></Clients>')
        server.changed(metadata.clients_file, clients_xml)
        assert context.build_metadata("w1").profile == "db"
        metadata.remove_client("w1")
        assert context.build_metadata("w1").profile == "guest"


def test_mode_initial_keeps_nothing_that_connectors_add(repository: Path) -> None:
    with small_server(repository, ["Metadata", TAGS], {CACHE_MODE: "initial"}) as server:
        server.context.build_metadata("w1")
        client = metadata_of(server).get_initial_metadata("w1")
        assert client.groups == {"web", "linux"}
        assert client.connectors == []


# -- what clients change


def test_only_existing_public_profiles_can_be_asked_for(metadata: Metadata, clients_xml: Path) -> None:
    address = ("192.0.2.1", 1)
    with pytest.raises(MetadataConsistencyError, match="does not exist"):
        metadata.set_profile("w1", "nonsense", address)
    with pytest.raises(MetadataConsistencyError, match="not public"):
        metadata.set_profile("w1", "db", address)
    assert clients_xml.read_text() == CLIENTS
    metadata.set_profile("w1", "db", address, require_public=False)
    assert client_in(clients_xml, "w1")["profile"] == "db"
    assert metadata.get_initial_metadata("w1").groups == {"db", "linux", "el8"}


def test_the_profile_that_a_client_has_is_not_written(metadata: Metadata, clients_xml: Path) -> None:
    before = os.stat(clients_xml).st_ino
    metadata.set_profile("www", "web", ("192.0.2.1", 1))
    metadata.set_profile("nothing", "guest", ("192.0.2.1", 1))
    metadata.set_version("w1", "1.4.0pre2")
    assert os.stat(clients_xml).st_ino == before


def test_a_new_client_with_a_session_gets_its_address_and_uuid(metadata: Metadata, clients_xml: Path) -> None:
    address = ("192.0.2.77", 4000)
    assert metadata.authenticate(None, "NewOne", "pw", address)
    metadata.set_profile(metadata.resolve_client(address), "web", address)
    assert client_in(clients_xml, "newone") == {
        "name": "newone",
        "uuid": "newone",
        "profile": "web",
        "address": "192.0.2.77",
    }
    assert metadata.resolve_client(("192.0.2.77", 4001)) == "newone"


def test_a_new_client_without_a_session_gets_only_its_profile(metadata: Metadata, clients_xml: Path) -> None:
    metadata.set_profile("newone", "web", ("192.0.2.77", 4000))
    assert client_in(clients_xml, "newone") == {"name": "newone", "profile": "web"}


def test_a_version_creates_an_unknown_client(metadata: Metadata, clients_xml: Path) -> None:
    metadata.set_version("newone", "1.3.0")
    assert client_in(clients_xml, "newone") == {"name": "newone", "profile": "guest", "version": "1.3.0"}


def test_a_bootstrapped_client_needs_a_certificate_after_its_report(metadata: Metadata, clients_xml: Path) -> None:
    metadata.update_client("w1", {"auth": "bootstrap"})
    metadata.end_statistics(metadata.get_initial_metadata("w1"))
    metadata.end_statistics(metadata.get_initial_metadata("d1"))
    assert client_in(clients_xml, "w1")["auth"] == "cert"
    assert "auth" not in client_in(clients_xml, "d1")
    assert not metadata.authenticate(None, "w1", "pw", ("192.0.2.1", 1))
    assert metadata.authenticate(None, "d1", "pw", ("192.0.2.1", 1))


# -- queries


def test_queries_know_what_connectors_add(metadata: Metadata) -> None:
    query = metadata.query
    assert query.names_by_groups(["linux"]) == ["w1", "d1", "bare"]
    assert query.names_by_groups(["linux", "web"]) == ["w1", "bare"]
    assert query.names_by_groups(["tag-follower"]) == ["w1"]
    assert query.names_by_profiles(["db", "guest"]) == ["d1", "nothing", "bare", "ghostly"]
    assert [client.Tags for client in query.by_groups(["tagged"])] == [{"host": "w1"}]
    assert metadata.get_client_names_by_bundles(["base", "apache"]) == ["w1", "bare"]
    assert query.all_clients() == ["w1", "d1", "nothing", "bare", "ghostly"]
    assert len(query.all()) == 5
    assert query.all_groups() == {
        "web", "db", "guest", "linux", "el8", "el9", "tagged", "tag-follower", "ghost",
    }  # fmt: skip
    assert query.all_groups_in_category("os") == {"el8", "el9"}
    assert query.by_name("d1").group_in_category("os") == "el8"


def test_a_client_that_cannot_be_built_is_left_out_of_answers(
    server: SmallServer, metadata: Metadata, caplog: pytest.LogCaptureFixture
) -> None:
    tags = server.plugin("Tags")
    assert isinstance(tags, Tags)
    tags.refuse = True
    assert metadata.query.names_by_groups(["linux"]) == ["w1", "bare"]
    assert "leaving client d1 out" in caplog.text


def test_remote_callers_get_the_list_and_can_remove(metadata: Metadata) -> None:
    remote = metadata.remote_interface()
    assert set(remote) == {"toggle_debug", "set_debug", "list_clients", "remove_client"}
    remote["remove_client"]("W1")
    assert remote["list_clients"]() == ["d1", "nothing", "bare", "ghostly"]


# -- the groups, for administrators


def test_groups_and_bundles_are_edited(metadata: Metadata, repository: Path) -> None:
    metadata.add_group("new", {"profile": "true", "category": "kind"})
    metadata.update_group("linux", {"category": "kernel"})
    metadata.update_group("web", {"public": None})
    metadata.add_bundle("loose")
    metadata.remove_group("tagged")
    metadata.remove_bundle("apache")
    groups = metadata.groups_file.table
    assert vars(groups.declared["new"]) == vars(MetadataGroup("new", category="kind", is_profile=True))
    assert groups.category_of("linux") == "kernel"
    assert not groups.declared["web"].is_public
    assert groups.declared["web"].bundles == frozenset()
    assert "tagged" not in groups.declared
    root = etree.parse(repository / "Metadata/groups.xml").getroot()
    assert [bundle.get("name") for bundle in root.iterchildren("Bundle")] == ["loose"]
    for call in (metadata.remove_group, metadata.remove_bundle):
        with pytest.raises(MetadataConsistencyError, match="nonsense"):
            call("nonsense")
    with pytest.raises(MetadataConsistencyError):
        metadata.add_group("", {})


def test_the_graph(metadata: Metadata) -> None:
    lines = metadata.viz(hosts=True, bundles=True, key=True, colors=["steelblue1", "gold"])
    for line in (
        '"web-instances" [ label="w1", shape="record" ];',
        '"web-instances" -> "group-web";',
        '"bundle-apache" [ label="apache", shape="septagon"];',
        '"group-web" [label="web", style="filled, bold", fillcolor=steelblue1];',
        '"group-el9" [label="el9", style="filled", fillcolor=gold];',
        '"group-web" -> "bundle-apache";',
        '"group-web" -> "group-linux";',
        '"os" [label="os", shape="trapezium", style="filled", fillcolor=gold];',
    ):
        assert f"\t{line}" in lines
    assert not [line for line in metadata.viz(hosts=False, bundles=False, key=False) if "instances" in line]
    only = metadata.viz(hosts=True, bundles=True, key=False, only_client="w1")
    assert not [line for line in only if "postgres" in line]


def test_names_cannot_break_the_graph(metadata: Metadata) -> None:
    metadata.add_group('say "hi"', {})
    assert [line for line in metadata.viz(False, False, False) if r'"group-say \"hi\""' in line]
