"""Configurations written as bytes: the same as the trees, whatever was kept, and whatever has changed since."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from geventcore.core.base import Core
from geventcore.options import Option, load_settings
from geventcore.options.common import BOUND_ENTRIES, FILEMONITOR
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Generator, GoalValidator, StructureValidator
from geventcore.plugins import PLUGINS
from tests.support.cfg_site import until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files
from tests.support.plugin_site import GROUPS, messages, plugin_site

HOSTS = ("h0", "h1", "h2")
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


PY = 'xmlns:py="http://genshi.edgewall.org/"'
XI = 'xmlns:xi="http://www.w3.org/2001/XInclude"'

# -- edits of a repository, and what is served after each

CONTENTS = ("", "plain\n", "a < b & c > d ]]>\r\n", "Grün ∂\n", b"\x01\x00binary\xff", "again\n", "xmlns:x\n")
PATHS = ("/etc/one", "/etc/two.conf", "/etc/deep/three")
SUFFIXES = ("", "", ".G10_web", ".G20_db", ".H_h1", ".genshi", ".G10_web.genshi", ".jinja2")
INFOS = (
    '<FileInfo><Info owner="daemon" mode="0600"/></FileInfo>',
    '<FileInfo><Group name="web"><Info owner="web"/></Group><Info owner="rest"/></FileInfo>',
    '<FileInfo><Info encoding="base64"/></FileInfo>',
    '<FileInfo><Info><ACL type="z" user="z"/><ACL type="a" user="a" name="a"/></Info></FileInfo>',
    '<FileInfo><Info><Client name="h1"><ACL type="one"/></Client><Group name="db"><ACL type="db"/></Group></Info>'
    "</FileInfo>",
    '<FileInfo><Path name="/etc/one"><Info mode="0111"/></Path><Info sensitive="true"/></FileInfo>',
    f'<FileInfo {PY}><Info owner="${{metadata.hostname}}"/></FileInfo>',
    '<FileInfo><Client name="h2"><Info owner="two"/></Client></FileInfo>',
)
BUNDLE_ENTRIES = (
    *(f'<Path name="{path}"/>' for path in PATHS),
    '<Path name="/etc/alias" altsrc="/etc/one"/>',
    '<Path name="/etc/two.conf" altsrc="/none"/>',
    '<Path glob="/etc/*"/>',
    '<Path name="/etc/nowhere"/>',
    '<BoundPath name="/etc/bound" type="file">text &lt; <z name="2"/><z name="1"/></BoundPath>',
    '<BoundPath name="/a-first"/>',
    '<Package name="pkg"/>',
    '<Package name="multi:i586,x86_64"/>',
    '<Package name="ruled"/>',
    '<Service name="svc"/>',
    '<Service name="conditional"/>',
    '<Action name="act"><note/></Action>',
    '<RequiredBundle name="c"/>',
    '<RequiredBundle name="c" inherit_modification="true"/>',
    "some text",
    "<!-- a comment -->",
    '<Bundle name="inner"><Service name="svc"/></Bundle>',
)
WRAPPERS = (
    *["{}"] * 6,
    '<Group name="web">{}</Group>',
    '<Group name="web" negate="true">{}</Group>',
    '<Client name="h1">{}</Client>',
    '<Group name="db"><Client name="h2" negate="true">{}</Client></Group>',
)
ROOTS = (
    *["<Bundle>{}</Bundle>"] * 4,
    '<Bundle independent="true" x="&lt;&amp;">{}</Bundle>',
    f"<Bundle {PY}><Path py:if=\"'web' in metadata.groups\" name='/etc/one'/>{{}}</Bundle>",
    f'<Bundle {PY}><BoundPath name="/${{{{metadata.hostname}}}}"/>{{}}</Bundle>',
    f"<Bundle {XI}>{{}}</Bundle>",
    '<Bundle xmlns:n="urn:n"><BoundPath n:a="1" name="/ns"/>{}</Bundle>',
)
RULES = (
    '<Package name="ruled" type="deb" version="1"/>',
    '<Package name="ruled" type="rpm"><Instance name="z"/><Instance name="a"/></Package>',
    '<Service name="svc" type="systemd" status="on"/>',
    '<Group name="web"><Service name="conditional" type="web"/></Group>',
    '<Group name="db"><Service name="conditional" type="db"/></Group>',
    '<Service name="conditional" type="any"/>',
    '<Action name="act" command="/bin/true %{name}"><Group name="web"><x/></Group><y/></Action>',
    '<Path name="/etc/nowhere" type="symlink" to="/etc/one"/>',
    '<Path name="/etc/two.conf" type="file">ruled</Path>',
)
PACKAGE_LISTS = (
    '<PackageList priority="0" type="deb"><Package name="pkg" version="1"/></PackageList>',
    '<PackageList priority="0" type="rpm"><Group name="web"><Package name="pkg" version="w"/></Group></PackageList>',
    '<PackageList priority="5" type="rpm"><Package name="multi"><Instance arch="x86_64" name="q"/>'
    '<Instance arch="i586" name="b"/><Instance arch="arm"/></Package></PackageList>',
)
GROUP_SETS = ("", '<Group name="web"/>', '<Group name="db"/>', '<Group name="web"/><Group name="db"/>')


def file_edit(pick: random.Random, root: Path) -> None:
    directory = root / f"Cfg{pick.choice(PATHS)}"
    path = directory / f"{directory.name}{pick.choice(SUFFIXES)}"
    content = pick.choice(CONTENTS)
    if path.suffix in (".genshi", ".jinja2"):
        content = "${metadata.hostname} of ${len(metadata.groups)}\n" if path.suffix == ".genshi" else "{{ name }}\n"
    if pick.random() < 0.25:
        path.unlink(missing_ok=True)
    else:
        write_files(path.parent, {path.name: content})


def info_edit(pick: random.Random, root: Path) -> None:
    path = root / f"Cfg{pick.choice(PATHS)}" / "info.xml"
    if pick.random() < 0.2:
        path.unlink(missing_ok=True)
    else:
        write_files(path.parent, {path.name: pick.choice(INFOS)})


def verifier_edit(pick: random.Random, root: Path) -> None:
    path = root / f"Cfg{pick.choice(PATHS)}" / ":test"
    if path.exists():
        path.unlink()
    elif path.parent.exists():
        path.write_text(f"#!/bin/sh\nexit {pick.choice((0, 1))}\n")


def bundle_edit(pick: random.Random, root: Path) -> None:
    chosen = pick.sample(BUNDLE_ENTRIES, pick.randrange(len(BUNDLE_ENTRIES)))
    content = "\n".join(pick.choice(WRAPPERS).format(each) for each in chosen)
    write_files(root, {f"Bundler/{pick.choice('bc')}.xml": pick.choice(ROOTS).format(content)})


def rules_edit(pick: random.Random, root: Path) -> None:
    chosen = "".join(pick.sample(RULES, pick.randrange(len(RULES))))
    name = pick.choice("rs")
    # One priority each: of equal ones a failure names the files in the order in which they came.
    write_files(root, {f"Rules/{name}.xml": f'<Rules priority="{ord(name)}">{chosen}</Rules>'})


def list_edit(pick: random.Random, root: Path) -> None:
    write_files(root, {f"Pkgmgr/{pick.choice('pq')}.xml": pick.choice(PACKAGE_LISTS)})


def defaults_edit(pick: random.Random, root: Path) -> None:
    rules = '<Path name=".*" extra="1"/><Service name="svc" status="off" restart="true"/>'
    write_files(root, {"Defaults/d.xml": f'<Defaults priority="1">{pick.choice((rules, ""))}</Defaults>'})


def groups_edit(pick: random.Random, root: Path) -> None:
    own = "".join(f'<Client name="{host}">{pick.choice(GROUP_SETS)}</Client>' for host in HOSTS)
    more = pick.choice(("", '<Bundle name="c"/>', '<Bundle name="missing"/>'))
    write_files(
        root,
        {
            "Metadata/groups.xml": '<Groups><Group name="p" profile="true" public="true" default="true">'
            f'<Bundle name="b"/>{more}</Group>{own}</Groups>'
        },
    )


EDITS: Sequence[Callable[[random.Random, Path], None]] = (
    *[file_edit] * 3,
    *[bundle_edit] * 3,
    *[rules_edit] * 2,
    info_edit,
    verifier_edit,
    list_edit,
    defaults_edit,
    groups_edit,
)
CLIENTS = "".join(f'<Client name="{host}" profile="p" version="1.{index}.0"/>' for index, host in enumerate(HOSTS, 2))


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
        core.reload_settings()
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


@pytest.mark.parametrize("limit", [0, 1000, 20_000, 64 << 20])
def test_what_is_kept_is_bounded(tmp_path: Path, limit: int) -> None:
    options: dict[Option[Any], Any] = {BOUND_ENTRIES: limit}
    names = [f"/etc/{number}" for number in range(30)]
    files = {f"Cfg{name}/{name[5:]}.H_{host}": f"{host} {name}\n" * 20 for name in names for host in HOSTS}
    files["Bundler/b.xml"] = f"<Bundle>{''.join(f'<Path name={name!r}/>' for name in names)}</Bundle>"
    with plugin_site(tmp_path, ["Bundler", "Cfg"], files, options) as server:
        for host in HOSTS * 2:
            assert entry(written(server, host), "Path", "/etc/7").text == f"{host} /etc/7\n" * 20
        assert server.core.entry_store.size <= limit
