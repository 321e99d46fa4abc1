"""Configurations written as bytes: the same as the trees, whatever was kept, and whatever has changed since."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from geventcore.core.base import Core
from geventcore.options import Option, load_settings
from geventcore.options.server import BOUND_ENTRIES, FILEMONITOR
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Generator, GoalValidator, StructureValidator
from geventcore.plugins import PLUGINS
from geventcore.render.entry_store import EntryStore
from tests.render.random_edits import CLIENTS, EDITS, HOSTS, XI, bundle_edit, groups_edit
from tests.support.cfg_site import until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files
from tests.support.plugin_site import GROUPS, messages, plugin_site

PLUGIN_NAMES = ("Metadata", "Bundler", "Cfg", "Rules", "Pkgmgr", "Defaults", "POSIXCompat")


def as_tree(server: SmallServer, hostname: str = "h") -> bytes:
    return etree.tostring(server.core.build_configuration(hostname))


def written(server: SmallServer, hostname: str = "h") -> bytes:
    """What the client gets, first and again."""
    first = server.core.write_configuration(hostname)
    assert server.core.write_configuration(hostname) == first
    assert as_tree(server, hostname) == first
    return first


def entry(document: bytes, tag: str, name: str) -> etree._Element:
    (found,) = (each for each in etree.fromstring(document).iter(tag) if each.get("name") == name)
    return found


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_after_every_edit_a_server_says_what_a_new_one_would(seed: int) -> None:
    pick = random.Random(seed)
    root = Path(tempfile.mkdtemp())
    try:
        write_files(root, {**METADATA, "Metadata/clients.xml": f"<Clients>{CLIENTS}</Clients>"})
        for make in (groups_edit, bundle_edit, *EDITS):
            make(pick, root)
        with small_server(root, PLUGIN_NAMES, {FILEMONITOR: "inotify"}) as server:
            for _ in range(8):
                with small_server(root, PLUGIN_NAMES, {BOUND_ENTRIES: 0}) as new:
                    wanted = {host: written(new, host) for host in HOSTS}
                until(server, lambda: all(written(server, host) == wanted[host] for host in HOSTS))  # noqa: B023 - at once
                pick.choice(EDITS)(pick, root)
    finally:
        shutil.rmtree(root)


# -- what is kept, and until when

BUNDLE = '<Bundle><Path name="/f"/><Package name="p"/><Service name="s"/></Bundle>'
SITE = {
    "Bundler/b.xml": BUNDLE,
    "Cfg/f/f": "first\n",
    "Rules/r.xml": '<Rules priority="1"><Package name="p" type="deb"/><Group name="web"><Service name="s" type="t"/>'
    "</Group></Rules>",
}


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[Any]:
    calls: list[Any] = []
    function = getattr(owner, name)

    def counted(*arguments: Any, **others: Any) -> Any:
        calls.append(arguments)
        return function(*arguments, **others)

    monkeypatch.setattr(owner, name, counted)
    return calls


def test_what_is_the_same_for_two_clients_is_bound_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from geventcore.plugins.rules import Rules

    calls = count_calls(monkeypatch, Rules, "bind_entry")
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules"], SITE) as server:
        server.core.write_configuration("h")
        first = len(calls)
        server.core.write_configuration("other")
        assert first == 2
        assert len(calls) == 2


def test_without_room_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from geventcore.plugins.rules import Rules

    calls = count_calls(monkeypatch, Rules, "bind_entry")
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules"], SITE, {BOUND_ENTRIES: 0}) as server:
        for number in range(1, 4):
            assert written(server) == server.core.write_configuration("h")
            assert len(calls) > 2 * number


def test_a_broken_file_keeps_what_was_good(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules"], SITE) as server:
        before = written(server)
        write_files(tmp_path, {"Rules/r.xml": "<Rules"})
        until(server, lambda: bool(messages(caplog, "Rules/r.xml: not well-formed")))
        assert written(server) == before
        write_files(tmp_path, {"Rules/r.xml": '<Rules priority="1"><Package name="p" type="new"/></Rules>'})
        until(server, lambda: b'type="new"' in written(server))


def test_a_file_that_info_xml_includes(tmp_path: Path) -> None:
    files = {
        **SITE,
        "Cfg/f/info.xml": f'<FileInfo {XI}><xi:include href="../../part.xml"/></FileInfo>',
        "part.xml": '<FileInfo><Info owner="first"/></FileInfo>',
    }
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules"], files) as server:
        assert entry(written(server), "Path", "/f").get("owner") == "first"
        write_files(tmp_path, {"part.xml": '<FileInfo><Info owner="second"/></FileInfo>'})
        until(server, lambda: entry(written(server), "Path", "/f").get("owner") == "second")


def test_options_that_are_reloaded(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_files(
        repository,
        {
            **METADATA,
            "Metadata/groups.xml": GROUPS,
            **SITE,
            "Rules/r.xml": '<Rules priority="1"><Package name="p" type="%{name}"/>'
            '<Service name="s.*" type="pattern"/></Rules>',
        },
    )
    config = tmp_path / "bcfg2.conf"
    text = f"[server]\nrepository = {repository}\nplugins = Metadata,Bundler,Cfg,Rules\nfilemonitor = pseudo\n"
    config.write_text(text)
    core = Core(load_settings(config_file=config, environ={}))
    try:
        core.load()
        core.handle_file_events()
        before = core.write_configuration("h")
        assert entry(before, "Package", "p").get("type") == "%{name}"
        assert entry(before, "Service", "s").get("failure") is not None
        config.write_text(f"{text}[rules]\nreplace_name = true\nregex = true\n[mdata]\nowner = somebody\n")
        core.configuration.reload()
        after = core.write_configuration("h")
        assert entry(after, "Package", "p").get("type") == "p"
        assert entry(after, "Service", "s").get("type") == "pattern"
        assert entry(after, "Path", "/f").get("owner") == "somebody"
    finally:
        core.shutdown()


def test_a_created_file_counts_at_once(tmp_path: Path) -> None:
    """What one client has made is not made for the next, and what was kept without it is not served."""
    files = {
        **SITE,
        "Bundler/b.xml": '<Bundle><Path name="/key"/><Path name="/key.pub"/></Bundle>',
        "Cfg/key/privkey.xml": '<PrivateKey><Params bits="1024"/></PrivateKey>',
        "Cfg/key.pub/pubkey.xml": "<PublicKey/>",
    }
    with plugin_site(tmp_path, ["Bundler", "Cfg"], files) as server:
        first = {host: server.core.write_configuration(host) for host in ("h", "other")}
        assert b"failure" not in b"".join(first.values())
        assert first["h"] != first["other"]
        assert {host: written(server, host) for host in first} == first


# -- plugins that see more than entries


class _Recording(Plugin):
    creates_directory = False


class AmendingStructures(_Recording, StructureValidator):
    def validate_structures(self, metadata: ClientMetadata, structures: Any) -> None:
        if metadata.hostname == "h":
            etree.SubElement(structures[0], "BoundPath", name="/added")


class AmendingGoals(_Recording, GoalValidator):
    concerned: tuple[str, ...] = ()

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        names = [each.get("name", "") for each in config.iter("Path", "Package", "Service")]
        config[0].set("seen", " ".join(names))


class SilentGoals(AmendingGoals):
    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        return metadata.hostname != "h"


class LoudAgain(SilentGoals):
    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        super().validate_goals(metadata, config)
        config[0].set("loud", "1")


class BrokenQuestion(AmendingGoals):
    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        raise LookupError("no answer")


@pytest.fixture
def site_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (AmendingStructures, AmendingGoals, SilentGoals, LoudAgain, BrokenQuestion, Moody, DerivedRules):
        monkeypatch.setitem(PLUGINS, each.__name__, f"{__name__}:{each.__name__}")  # type: ignore[arg-type]


def test_structures_may_be_amended_for_one_client(tmp_path: Path, site_plugins: None) -> None:
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules", "AmendingStructures"], SITE) as server:
        assert b"/added" not in written(server, "other")
        assert b"/added" in written(server)
        assert b"/added" not in written(server, "other")


@pytest.mark.parametrize("plugin", ["AmendingGoals", "SilentGoals", "LoudAgain", "BrokenQuestion"])
def test_goals_are_amended_as_in_a_tree(tmp_path: Path, site_plugins: None, plugin: str) -> None:
    files = {**SITE, "Bundler/b.xml": '<Bundle><Service name="s"/><Path name="/f"/><BoundPath name="/a"/></Bundle>'}
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules", plugin], files) as server:
        (structure,) = etree.fromstring(written(server, "other"))
        assert structure.get("seen") == "s /f /a", "in the order of the bundle"
        assert [each.get("name") for each in structure] == ["/a", "/f", "s"]
        (mine,) = etree.fromstring(server.core.write_configuration("h"))
        assert mine.get("seen") == (None if plugin == "SilentGoals" else "s /f /a")


class Moody(_Recording, Generator):
    """Binds differently each time, and says nothing of keys."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.count = 0
        self.entries = {"Path": {"/moody": self.bind_entry}}

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        self.count += 1
        entry.set("count", str(self.count))
        if self.count == 2:
            raise ValueError("never the second \x00 time")


def test_a_generator_without_keys_is_asked_every_time(tmp_path: Path, site_plugins: None) -> None:
    files = {**SITE, "Bundler/b.xml": '<Bundle><Path name="/f"/><Path name="/moody"/></Bundle>'}
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Moody"], files) as server:
        documents = [server.core.write_configuration("h") for _ in range(3)]
        found = [entry(document, "Path", "/moody") for document in documents]
        assert [each.get("count") for each in found] == ["1", "2", "3"]
        assert [each.get("failure") for each in found] == [None, "bind error: never the second  time", None]


def _derived_rules() -> type:
    from geventcore.plugins.rules import Rules

    class DerivedRules(Rules):
        """Overrides binding, and knows nothing of keys."""

        def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
            super().bind_entry(entry, metadata)
            entry.set("host", metadata.hostname)

    return DerivedRules


DerivedRules = _derived_rules()


def test_a_key_does_not_speak_for_an_overridden_binding(tmp_path: Path, site_plugins: None) -> None:
    files = {**SITE, "DerivedRules/r.xml": SITE["Rules/r.xml"]}
    with plugin_site(tmp_path, ["Bundler", "Cfg", "DerivedRules"], files) as server:
        for host in ("h", "other", "h"):
            assert entry(written(server, host), "Package", "p").get("host") == host


ALL_BOUND = (
    '<BoundPath name="/z" type="file">text<z name="2"/><z name="1"/></BoundPath>'
    '<BoundPackage name="b" version="&lt;1&gt;"/><BoundPackage name="a"/><BoundAction/>'
)


@pytest.mark.parametrize("plugins", [[], ["AmendingGoals"]], ids=["sorted at once", "sorted as a tree"])
def test_entries_that_need_no_generator(tmp_path: Path, site_plugins: None, plugins: list[str]) -> None:
    files = {"Bundler/b.xml": f"<Bundle>{ALL_BOUND}</Bundle>"}
    with plugin_site(tmp_path, ["Bundler", *plugins], files) as server:
        found = etree.fromstring(written(server, "other")).find("Bundle")
        assert found is not None
        assert [(each.tag, each.get("name")) for each in found if not each.tag.startswith("Added")] == [
            ("Action", None),
            ("Path", "/z"),
            ("Package", "a"),
            ("Package", "b"),
        ]
        assert [each.get("name") for each in found[1]] == ["1", "2"]


def test_entries_that_need_no_generator_take_little_of_what_may_be_kept(tmp_path: Path) -> None:
    bound = "".join(f'<BoundPackage name="p{number:04}" type="deb"/>' for number in range(3000))
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": f"<Bundle>{bound}</Bundle>"}) as server:
        document = written(server)
        assert server.core.renderer.entry_store.size < len(document)


def test_an_answer_keeps_entries_that_need_no_generator_compressed(tmp_path: Path) -> None:
    bound = "".join(f'<BoundPackage name="p{number:04}" type="deb"/>' for number in range(3000))
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": f"<Bundle>{bound}</Bundle>"}) as server:
        document = written(server)
        answer = server.core.renderer.answers.get("h")
        assert answer is not None
        assert answer.size < len(document) / 3


def test_bundles_with_equal_entries_share_their_templates() -> None:
    store = EntryStore(1 << 20)
    first, second = (
        store.structure(etree.fromstring(f'<Bundle name="{name}"><Path name="/f"/><Path name="/{name}"/></Bundle>'))
        for name in "ab"
    )
    assert first.entries is not None
    assert second.entries is not None
    assert first.entries[0] is second.entries[0]
    assert first.entries[1] is not second.entries[1]
    assert first.entries[0].element.getparent() is None


@pytest.mark.parametrize("limit", [0, 1000, 20_000, 64 << 20])
def test_what_is_kept_is_bounded(tmp_path: Path, limit: int) -> None:
    options: dict[Option[Any], Any] = {BOUND_ENTRIES: limit}
    names = [f"/etc/{number}" for number in range(30)]
    files = {f"Cfg{name}/{name[5:]}.H_{host}": f"{host} {name}\n" * 20 for name in names for host in HOSTS}
    files["Bundler/b.xml"] = f"<Bundle>{''.join(f'<Path name={name!r}/>' for name in names)}</Bundle>"
    with plugin_site(tmp_path, ["Bundler", "Cfg"], files, options) as server:
        for host in HOSTS * 2:
            assert entry(written(server, host), "Path", "/etc/7").text == f"{host} /etc/7\n" * 20
        assert server.core.renderer.entry_store.size <= limit
