"""``geventcore explain``: the sources that it names rebuild the configuration, and the reasons that it gives."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import genshi.template
import jinja2
import pytest
from lxml import etree

from geventcore.cli.main import main
from geventcore.core.base import Core
from geventcore.crypt import Passphrases
from geventcore.errors import GeventcoreError
from geventcore.options import OptionSet, load_settings
from geventcore.options.server import COMMON_OPTIONS
from geventcore.plugin.explanation import Source
from geventcore.simulation.repository import Shape, generate
from geventcore.simulation.site_repository import SiteShape
from geventcore.tools.explain import EntryExplanation, Explanation, Question, Value, explain
from geventcore.tools.site import open_core
from tests.support import case_compare
from tests.support.package_sites import apt_repository, apt_source, stanza
from tests.support.plugin_context import small_server, write_files
from tests.support.site_core import site_core
from tests.support.tool_cases import copy_site

PLUGINS = (
    *("Metadata", "Bundler", "Cfg", "Rules", "Defaults", "Deps", "Packages", "Probes", "Properties"),
    *("GroupPatterns", "GroupLogic", "SSHbase", "SEModules", "Decisions", "POSIXCompat", "ServiceCompat"),
)

#: A site that uses every way to get an entry and an attribute.
SITE = {
    "Metadata/clients.xml": (
        '<Clients>\n<Client name="web1.example.net" profile="web" version="1.2.0"/>\n'
        '<Client name="db1.example.net" profile="db" version="1.4.0"/>\n</Clients>'
    ),
    "Metadata/groups.xml": (
        '<Groups xmlns:xi="http://www.w3.org/2001/XInclude">\n'
        '<Group name="web" profile="true">\n<Group name="base"/>\n<Bundle name="web"/>\n</Group>\n'
        '<Group name="db" profile="true">\n<Group name="base"/>\n<Bundle name="db"/>\n</Group>\n'
        '<Group name="base">\n<Bundle name="core"/>\n<Group name="amd64"/>\n</Group>\n'
        '<Group name="frontend">\n<Bundle name="front"/>\n</Group>\n'
        '<Client name="db1.example.net"><Group name="backup"/></Client>\n'
        '<xi:include href="more.xml"/>\n</Groups>'
    ),
    "Metadata/more.xml": '<Groups>\n\n<Group name="frontend"><Group name="tls"/></Group>\n</Groups>',
    "GroupPatterns/config.xml": (
        "<GroupPatterns>\n<GroupPattern>\n<NamePattern>^web(\\d+)</NamePattern>\n<Group>web-$1</Group>\n"
        "</GroupPattern>\n</GroupPatterns>"
    ),
    "GroupLogic/groups.xml": ('<GroupLogic>\n<Group name="web-1">\n<Group name="frontend"/>\n</Group>\n</GroupLogic>'),
    "Probes/probed.xml": (
        '<Probed><Client name="web1.example.net" timestamp="1"><Probe name="arch" value="x86"/>'
        '<Group name="probed"/></Client></Probed>'
    ),
    "Probes/arch": "#!/bin/sh\necho group:probed\n",
    "Properties/site.xml": "<Properties><domain>example.net</domain></Properties>",
    "Bundler/core.xml": (
        '<Bundle xmlns:xi="http://www.w3.org/2001/XInclude">\n<Path name="/etc/motd"/>\n'
        '<Group name="web">\n<Path name="/etc/issue" altsrc="/etc/motd"/>\n<Service name="ntp"/>\n</Group>\n'
        '<Group name="db" negate="true">\n<Path name="/etc/hosts"/>\n</Group>\n'
        '<BoundAction name="greet" timing="post" when="always" status="check" command="/bin/true"/>\n'
        '<Service name="cron" restart="false"/>\n<Package name="bash"/>\n'
        '<RequiredBundle name="extra"/>\n<xi:include href="parts/ssh.frag"/>\n</Bundle>'
    ),
    "Bundler/parts/ssh.frag": (
        '<Group name="base">\n\n\n<Path name="/etc/ssh/ssh_host_rsa_key.pub"/>\n'
        '<Path name="/etc/ssh/ssh_host_rsa_key"/>\n</Group>'
    ),
    "Bundler/extra.xml": '<Bundle independent="true">\n<Path glob="/srv/*"/>\n<SEModule name="site"/>\n</Bundle>',
    "Bundler/web.xml": (
        "<Bundle xmlns:py=\"http://genshi.edgewall.org/\">\n<py:for each=\"name in ['a', 'b']\">\n"
        '<Path name="/etc/web/${name}.conf"/>\n</py:for>\n'
        '<Path py:if="\'web\' in metadata.groups" name="/etc/web/j2"/>\n'
        '<BoundPath name="/var/www" type="directory" owner="${metadata.profile}" group="www" mode="0755"/>\n</Bundle>'
    ),
    "Bundler/front.xml": '<Bundle>\n<Package name="httpd"/>\n<Path name="/root/.ssh/authorized_keys"/>\n</Bundle>',
    "Bundler/db.xml": '<Bundle>\n<Path name="/etc/db.conf"/>\n<Service name="db"/>\n</Bundle>',
    "Cfg/etc/motd/motd": "Hello\n",
    "Cfg/etc/motd/motd.G10_base": "Hello base\n",
    "Cfg/etc/motd/motd.G20_web": "Hello web\n",
    "Cfg/etc/motd/motd.H_other.example.net": "Hello other\n",
    "Cfg/etc/motd/info.xml": (
        '<FileInfo>\n<Group name="db"><Info mode="0600"/></Group>\n'
        '<Path name="/etc/issue"><Info owner="issue"/></Path>\n'
        '<Info owner="motd" mode="0640">\n<ACL type="access" scope="user" user="bob" perms="rwx"/>\n</Info>\n'
        "</FileInfo>"
    ),
    "Cfg/etc/hosts/hosts.genshi": "# ${metadata.hostname} ${metadata.Probes['arch']}\n",
    "Cfg/etc/web/a.conf/a.conf": "a < b & c\n",
    "Cfg/etc/web/b.conf/b.conf": "",
    "Cfg/etc/web/j2/j2.jinja2": (
        "{{ metadata.profile }} {{ metadata.Properties['site.xml'].xdata.find('domain').text }}\n"
    ),
    "Cfg/etc/db.conf/db.conf": "db\n",
    "Cfg/srv/one/one": b"\x00\xff binary",
    "Cfg/srv/one/info.xml": '<FileInfo><Info encoding="base64"/></FileInfo>',
    "Cfg/srv/two/two": "two\n",
    "Cfg/srv/two/info.xml": '<FileInfo><Info mode="inherit"/></FileInfo>',
    "Cfg/root/.ssh/authorized_keys/authorizedkeys.xml": (
        '<AuthorizedKeys>\n<Allow from="/keys/admin.pub"/>\n<Group name="db"><Allow>no</Allow></Group>\n'
        "<Allow>ssh-rsa AAAA inline</Allow>\n</AuthorizedKeys>"
    ),
    "Cfg/keys/admin.pub/admin.pub": "ssh-rsa BBBB admin\n",
    "SSHbase/ssh_host_rsa_key.H_web1.example.net": "private\n",
    "SSHbase/ssh_host_rsa_key.pub.H_web1.example.net": "ssh-rsa CCCC web1\n",
    "SSHbase/ssh_host_rsa_key.H_db1.example.net": "private\n",
    "SSHbase/ssh_host_rsa_key.pub.H_db1.example.net": "ssh-rsa DDDD db1\n",
    "SEModules/site.pp/site.pp": b"module",
    "Rules/low.xml": (
        '<Rules priority="1">\n<Service name="ntp" status="off" type="systemd"/>\n'
        '<Service name="cron" status="on" restart="true" type="systemd"/>\n</Rules>'
    ),
    "Rules/high.xml": (
        '<Rules priority="10">\n<Group name="web">\n<Service name="ntp" status="on" type="%{name}-init"/>\n</Group>\n'
        '<Group name="db">\n<Service name="ntp" status="db" type="x"/>\n</Group>\n'
        '<Service name="d." status="on" type="systemd"/>\n'
        '<Service name="chrony" status="on" type="systemd"/>\n</Rules>'
    ),
    "Defaults/all.xml": '<Defaults priority="5">\n<Service name=".*" install="false" status="default"/>\n</Defaults>',
    "Deps/deps.xml": (
        '<Dependencies priority="5">\n<Service name="ntp">\n<Service name="chrony"/>\n</Service>\n</Dependencies>'
    ),
    "Decisions/blacklist.xml": '<Decisions><Decision type="Path" name="/etc/mo*"/></Decisions>',
}


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    """The site, whose packages come from a small repository."""
    from geventcore.plugins.rules import REGEX, REPLACE_NAME

    root = tmp_path_factory.mktemp("explain")
    apt_repository(
        root / "apt",
        *(stanza("httpd", Depends="libssl"), stanza("libssl", Depends="libc"), stanza("libc"), stanza("bash")),
        stanza("init", Essential="yes"),
    )
    source = apt_source(f"file://{root}/apt/", attributes='essential="true"')
    files = {**SITE, "Packages/sources.xml": f"<Sources>\n{source}\n</Sources>"}
    repository = root / "repo"
    write_files(repository, files)
    with small_server(repository, PLUGINS, {REGEX: True, REPLACE_NAME: True}) as server:
        yield server.core


class Rebuilder:
    """Makes values again from the sources alone: files of the repository, options, and the constants of plugins."""

    def __init__(self, core: Core, host: str) -> None:
        self.root = core.repository.path
        self.core = core
        self.metadata = core.build_metadata(host)
        self.packages = {str(entry.get("name")) for entry in core.build_configuration(host).iter("Package")}

    def entry(self, found: EntryExplanation) -> etree._Element:
        element = etree.Element(found.tag)
        for value in found.attributes:
            element.set(value.name, self.attribute(found, value))
        if found.text is not None:
            element.text = self.text(found, found.text)
        for child in found.children:
            assert child.source.kind == "element", child
            element.append(self.entry(child))
        return element

    def path(self, source: Source) -> Path:
        return self.root / source.file

    def element(self, source: Source, tag: str, name: str) -> etree._Element:
        """The element at a line, found without any code of the server."""
        text = self.path(source).read_text().replace("\r\n", "\n")
        root = etree.fromstring(text.encode())
        here = [each for each in root.iter(etree.Element) if each.sourceline == source.line]
        assert here, source
        tags = ("Info",) if source.text.startswith("Info") else (tag, f"Bound{tag}")
        for each in here:
            if each.tag in tags and self.is_named(each, name):
                return each
        return here[0]

    @staticmethod
    def is_named(element: etree._Element, name: str) -> bool:
        own = str(element.get("name", ""))
        return own == name or re.fullmatch(own, name) is not None or "$" in own or "name" not in element.attrib

    def attribute(self, entry: EntryExplanation, value: Value) -> str:
        source = value.source
        if source.kind == "attribute" or (
            source.kind == "element" and source.line and not source.text.startswith("Path")
        ):
            element = self.element(source, entry.tag, entry.name)
            # The conditions that it is said to stand under are around it, and hold.
            around = list(element.iterancestors("Group", "Client"))
            assert len(around) <= len(source.conditions) or "FileInfo" in str(element.getroottree().getroot().tag)
            assert all(condition.holds for condition in source.conditions), source
            written = str(element.get(value.name, ""))
            if "${" in written:
                pattern = re.escape(written).replace(re.escape("${name}"), "[ab]")
                pattern = pattern.replace(re.escape("${metadata.profile}"), str(self.metadata.profile))
                assert re.fullmatch(pattern, value.value), (written, value)
                return value.value
            return written.replace("%{name}", entry.name)
        if source.kind == "element":
            match = re.fullmatch(r'Path glob="(.*)"', source.text)
            assert match is not None
            assert value.name == "name"
            assert value.value.startswith(match[1].rstrip("*"))
            return value.value
        if source.kind == "option":
            return self.option(source)
        if value.name == "empty":
            assert source.kind == "content"
            assert not self.path(source).read_bytes()
            return "true"
        assert source.kind == "plugin", (entry.label, value)
        return self.constant(entry, value)

    def option(self, source: Source) -> str:
        defaults = {
            "owner": "root",
            "group": "root",
            "mode": "644",
            "secontext": "__default__",
            "important": "false",
            "paranoid": "true",
            "sensitive": "false",
            "version": "auto",
        }
        assert source.text.endswith(", default")
        return defaults[source.text.removesuffix(", default").rpartition(" ")[2]]

    def constant(self, entry: EntryExplanation, value: Value) -> str:
        """What plugins give, by themselves, as their documentation says."""
        plugin, name = value.source.plugin, value.name
        if plugin == "Cfg" and name == "mode":
            return f"{self.path(value.source).stat().st_mode & 0o7777:04o}"
        if plugin == "SEModules" and name == "name":
            return value.value
        if plugin == "Packages" and name == "name":
            pattern = r"needed by (.*), (?:an entry of the host|which is essential)|an essential .*"
            match = re.fullmatch(pattern, value.source.text)
            assert match is not None, value
            assert set((match[1] or "").split(" \u2190 ")) - {""} <= self.packages
            return value.value
        if plugin == "POSIXCompat":
            return next(each.value for each in entry.attributes if each.name == "mode")
        private = entry.name.endswith("_key")
        table = {
            ("Cfg", "type"): "file",
            ("SEModules", "encoding"): "base64",
            ("Packages", "type"): "deb",
            ("Packages", "version"): "auto",
            ("Packages", "origin"): "Packages",
            ("SSHbase", "owner"): "root",
            ("SSHbase", "group"): "root",
            ("SSHbase", "type"): "file",
            ("SSHbase", "mode"): "0600" if private else "0644",
            ("ServiceCompat", "mode"): "manual",
        }
        return table[plugin, name]

    def text(self, entry: EntryExplanation, value: Value) -> str:
        source = value.source
        if value.is_hidden:
            assert source.is_secret
            assert value.value == ""
        if source.kind == "content":
            data = self.read(self.path(source))
            encoded = any(each.name == "encoding" and each.value == "base64" for each in entry.attributes)
            return base64.b64encode(data).decode() if encoded else data.decode()
        if source.kind == "template":
            return self.rendered(entry, self.path(source), source)
        if source.kind == "assembled":
            return "\n".join(self.key(part) for part in source.parts)
        assert source.kind == "text", source
        return str(self.element(source, entry.tag, entry.name).text)

    def read(self, path: Path) -> bytes:
        data = path.read_bytes()
        return Passphrases.of(self.core.settings).decrypt_any(data) if ".crypt" in path.suffixes else data

    def key(self, part: Source) -> str:
        element = self.element(part, "Allow", "")
        if part.kind == "text":
            return str(element.text)
        name = str(element.get("from"))
        return (self.root / f"Cfg{name}" / Path(name).name).read_text().strip()

    def rendered(self, entry: EntryExplanation, path: Path, source: Source) -> str:
        text = self.read(path).decode()
        variables = {"metadata": self.metadata, "name": entry.name, "source_path": str(path), "repo": str(self.root)}
        for read in source.reads:
            assert read.expression in text.split("\n")[read.line - 1].replace(" ", "")
        if ".jinja2" in path.suffixes:
            environment = jinja2.Environment(keep_trailing_newline=True)
            return environment.from_string(text).render(**variables, path=entry.name)
        template = genshi.template.NewTextTemplate(text)
        return str(template.generate(**variables, path=str(path)).render("text"))


def _content(element: etree._Element) -> tuple[object, ...]:
    children = [_content(child) for child in element.iterchildren(etree.Element)]
    text = "" if children and not (element.text or "").strip() else element.text or ""
    return element.tag, dict(element.items()), text, children


def _assert_rebuilt(core: Core, host: str) -> Explanation:
    """Rebuild every entry from the sources that are named, and compare with the configuration."""
    found = explain(core, host)
    configuration = core.build_configuration(host)
    assert found.is_whole
    assert not found.error
    rebuilder = Rebuilder(core, host)
    entries = iter(found.entries)
    for structure in configuration.iterchildren(etree.Element):
        for expected in structure.iterchildren(etree.Element):
            entry = next(entries)
            assert entry.structure == structure.get("name")
            assert entry.source.plugin != "server"
            made = rebuilder.entry(entry)
            assert _content(made) == _content(expected)
    assert next(entries, None) is None
    assert {bundle.name for bundle in found.bundles} == {structure.get("name") for structure in configuration}
    assert {group.name for group in found.groups} == core.build_metadata(host).groups
    return found


@pytest.mark.parametrize("host", ["web1.example.net", "db1.example.net"])
def test_the_named_sources_rebuild_the_configuration(core: Core, host: str) -> None:
    _assert_rebuilt(core, host)


def test_the_named_sources_rebuild_a_large_configuration(tmp_path: Path) -> None:
    clients = generate(tmp_path / "repo", Shape(clients=4, groups=2))
    plugins = ("Metadata", "Bundler", "Cfg", "Rules", "Probes", "Properties", "Decisions")
    with small_server(tmp_path / "repo", plugins) as server:
        found = _assert_rebuilt(server.core, clients[1].name)
    assert len(found.entries) == 400


def test_the_named_sources_rebuild_a_configuration_of_a_production_site(tmp_path: Path) -> None:
    with site_core(tmp_path, SiteShape(clients=2, profiles=2)) as site:
        found = _assert_rebuilt(site.core, site.clients[1].name)
    assert len(found.entries) > 400


def _one(core: Core, host: str, *words: str) -> EntryExplanation:
    (entry,) = explain(core, host, Question.of_words(words)).entries
    return entry


def _sources(entry: EntryExplanation) -> dict[str, str]:
    return {value.name: f"{value.source.plugin} {value.source.place}".strip() for value in entry.attributes}


def _lost(entry: EntryExplanation) -> dict[str, str]:
    return {candidate.source.place: candidate.reason for candidate in entry.lost}


def test_each_attribute_has_its_place_and_losers_their_reasons(core: Core) -> None:
    ntp = _one(core, "web1.example.net", "Service:ntp")
    assert ntp.source.place == "Bundler/core.xml:5"
    assert [str(condition) for condition in ntp.source.conditions] == ["Group web"]
    assert _sources(ntp) == {
        "name": "Bundler Bundler/core.xml:5",
        "status": "Rules Rules/high.xml:3",
        "type": "Rules Rules/high.xml:3",
        "install": "Defaults Defaults/all.xml:2",
        "mode": "ServiceCompat",
    }
    lost = _lost(ntp)
    assert lost["Rules/low.xml:2"] == "priority 1 is lower than 10"
    assert lost["Rules/high.xml:6"] == "the host is not in the group db"
    cron = _one(core, "web1.example.net", "Service:cron")
    assert _sources(cron)["restart"] == "Bundler Bundler/core.xml:11"
    assert _lost(cron)["Rules/low.xml:3"] == "the entry has restart already: existing attributes win"
    motd = _one(core, "db1.example.net", "/etc/motd")
    assert _sources(motd)["mode"] == "Cfg Cfg/etc/motd/info.xml:2"
    assert motd.text is not None
    assert motd.text.source.place == "Cfg/etc/motd/motd.G10_base"
    assert _lost(motd)["Cfg/etc/motd/motd"] == "for all hosts is less specific than for the group base with priority 10"
    assert _lost(motd)["Cfg/etc/motd/motd.G20_web"] == "the host is not in the group web"
    assert _lost(motd)["Cfg/etc/motd/motd.H_other.example.net"] == "it is for the host other.example.net only"
    assert _lost(motd)["Cfg/etc/motd/info.xml:4"] == "the first Info that applies is used"
    assert motd.decisions == ("blacklist.xml: Path:/etc/mo*",)


def test_altsrc_globs_templates_and_includes_are_named(core: Core) -> None:
    issue = _one(core, "web1.example.net", "/etc/issue")
    assert issue.alternative == "/etc/motd"
    assert _sources(issue)["owner"] == "Cfg Cfg/etc/motd/info.xml:3"
    assert _one(core, "web1.example.net", "/srv/one").source.text == 'Path glob="/srv/*"'
    key = _one(core, "web1.example.net", "/etc/ssh/ssh_host_rsa_key")
    assert key.source.place == "Bundler/parts/ssh.frag:5"
    assert key.text is not None
    assert key.text.is_hidden
    assert key.text.value == ""
    hosts = _one(core, "web1.example.net", "/etc/hosts")
    assert hosts.text is not None
    assert [(read.line, read.expression, read.value) for read in hosts.text.source.reads] == [
        (1, "metadata.hostname", "web1.example.net"),
        (1, "metadata.Probes['arch']", "x86"),
    ]
    made = _one(core, "web1.example.net", "/etc/web/b.conf")
    assert made.source.place == "Bundler/web.xml:3"
    (read,) = _one(core, "web1.example.net", "/etc/web/j2").source.reads
    assert (read.line, read.expression) == (5, "metadata.groups")


def test_a_package_names_those_that_asked_for_it(core: Core) -> None:
    assert (
        _one(core, "web1.example.net", "Package:libc").source.text
        == "needed by libssl \u2190 httpd, an entry of the host"
    )
    assert _one(core, "web1.example.net", "Package:init").source.text == "an essential package of a source"
    assert _one(core, "web1.example.net", "Service:chrony").source.text == "needed by Service:ntp"


def _path(core: Core, host: str, group: str) -> list[tuple[str, str]]:
    (found,) = explain(core, host, Question(groups=(group,))).groups
    return [(step.name, step.source.place or step.source.plugin) for step in found.path]


def test_groups_and_bundles_have_the_path_that_led_there(core: Core) -> None:
    profile = ("web", "Metadata/clients.xml:2")
    assert _path(core, "web1.example.net", "amd64") == [
        profile,
        ("base", "Metadata/groups.xml:3"),
        ("amd64", "Metadata/groups.xml:12"),
    ]
    pattern = ("web-1", "GroupPatterns/config.xml:2")
    logic = ("frontend", "GroupLogic/groups.xml:3")
    assert _path(core, "web1.example.net", "tls") == [pattern, logic, ("tls", "Metadata/more.xml:3")]
    assert _path(core, "web1.example.net", "probed") == [("probed", "Probes/arch")]
    assert _path(core, "db1.example.net", "backup") == [("backup", "Metadata/groups.xml:17")]
    (front,) = explain(core, "web1.example.net", Question(bundles=("front",))).bundles
    assert [step.name for step in front.paths[0]] == ["web-1", "frontend", "front"]
    (extra,) = explain(core, "web1.example.net", Question(bundles=("extra",))).bundles
    assert extra.source.text == "required by core (Bundler/core.xml:13)"


@pytest.mark.parametrize(
    ("host", "words", "place", "text"),
    [
        ("db1.example.net", "Service:ntp", "Bundler/core.xml:5", "the host is not in the group web"),
        ("db1.example.net", "Path:/etc/hosts", "Bundler/core.xml:8", "the host is in the group db"),
        (
            "web1.example.net",
            "Service:db",
            "Bundler/db.xml:3",
            "the host does not get the bundle db: .* the group db, .*",
        ),
        ("db1.example.net", "Path:/etc/web/j2", "Bundler/web.xml:5", "the host does not get the bundle web: .*"),
        ("db1.example.net", "group tls", "Metadata/more.xml:3", "the host is not in the group frontend"),
        ("db1.example.net", "bundle front", "Metadata/groups.xml:15", "the bundle comes with the group frontend, .*"),
    ],
)
def test_what_a_host_does_not_get_has_the_nearest_reason(
    core: Core, host: str, words: str, place: str, text: str
) -> None:
    (absence,) = explain(core, host, Question.of_words(words.split())).absences
    if absence.kind != "entry":
        assert {obstacle.source.plugin for obstacle in absence.obstacles} == {"Metadata"}
    assert absence.obstacles[0].source.place == place
    assert re.fullmatch(text, absence.obstacles[0].text)


def test_a_misspelt_name_has_suggestions(core: Core) -> None:
    (absence,) = explain(core, "web1.example.net", Question.of_words(["Path:/etc/mtd"])).absences
    assert absence.obstacles == ()
    assert "Path:/etc/motd" in absence.similar


# -- the command


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return copy_site(tmp_path)


def _files(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def _run(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["explain", "-C", str(site), *words])
    return status, capsys.readouterr().out


def test_failures_of_other_entries_are_no_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = copy_site(tmp_path)
    assert main(["explain", "-C", str(config), "hulk.harbor.test", "Path:/etc/legacy/broken"]) == 1
    out, err = capsys.readouterr()
    assert "failure: bind error: " in out
    assert err == ""
    assert main(["explain", "-C", str(config), "-v", "hulk.harbor.test", "Path:/etc/legacy/broken"]) == 1
    assert "antique" in capsys.readouterr().err


def test_the_command_prints_a_tree_and_changes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _files(site.parent)
    status, out = _run(site, capsys, "quay1.harbor.test", "/etc/motd")
    assert status == 0
    assert "owner=root  Cfg Cfg/etc/motd/info.xml:2 Info" in out
    status, out = _run(site, capsys, "quay1.harbor.test")
    assert status == 0
    assert "groups (5)" in out
    assert "Service:nginx  Bundler/web.xml:3 ← Rules Rules/services.xml:5" in out
    status, out = _run(site, capsys, "quay1.harbor.test", "Package:postgresql", "--group", "db")
    assert status == 1
    assert "the host does not get it" in out
    assert "Metadata/groups.xml:7" in out
    assert _files(site.parent) == before


def test_a_rejected_configuration_shows_what_led_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = copy_site(tmp_path)
    (tmp_path / "repo/Bundler/web.xml").write_text("<Bundle")
    status, out = _run(config, capsys, "quay1.harbor.test")
    assert status == 1
    assert out.splitlines()[0].endswith("no configuration: no plugin provides these bundles: web")
    assert "groups (5)" in out
    assert "Bundle ssh  Bundler Bundler/ssh.xml:1" in out
    status, out = _run(config, capsys, "quay1.harbor.test", "Service:nginx", "--format", "json")
    assert status == 1
    assert json.loads(out)["error"] == "no plugin provides these bundles: web"


def test_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = _run(site, capsys, "quay1.harbor.test", "Service:nginx", "--format", "json")
    answer: dict[str, Any] = json.loads(out)
    assert status == 0
    (entry,) = answer["entries"]
    assert (entry["tag"], entry["name"], entry["structure"], entry["generator"]) == ("Service", "nginx", "web", "Rules")
    assert entry["attributes"][1]["source"]["place"] == "Rules/services.xml:5"


def test_a_plugin_of_the_site_is_named_without_a_place(tmp_path: Path) -> None:
    files = {
        "Metadata/groups.xml": '<Groups><Group name="p" profile="true"><Bundle name="b"/></Group></Groups>',
        "Metadata/clients.xml": '<Clients><Client name="h" profile="p"/></Clients>',
        "Bundler/b.xml": '<Bundle><Path name="/etc/nagiosgen.status"/></Bundle>',
        "NagiosGen/config.xml": "<NagiosGen/>",
    }
    write_files(tmp_path, files)
    with small_server(tmp_path, ("Metadata", "Bundler", "NagiosGen")) as server:
        entry = _one(server.core, "h", "/etc/nagiosgen.status")
    assert {value.source.plugin for value in entry.attributes} <= {"Bundler", "NagiosGen", "server"}


def test_words_that_are_no_question_are_refused(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-C", str(site), "quay1.harbor.test", "nonsense"]) == 1
    assert "nonsense: expected Tag:name" in capsys.readouterr().err
    assert main(["explain", "-C", str(site), "quay1.harbor.test", "group"]) == 1
    assert "the name of the group is missing" in capsys.readouterr().err


# -- the conformance cases


CASES = Path(__file__).parents[1] / "cases"
#: Sources that say that nobody knows the place.
UNKNOWN = ("set by this plugin", "set by the server", "added by this plugin")


@pytest.mark.parametrize(
    "directory", sorted(path.name for path in CASES.iterdir() if path.is_dir() and path.name not in ("acl", "tools"))
)
def test_every_attribute_of_every_case_has_a_source(directory: str, tmp_path: Path) -> None:
    for number, case in enumerate(case_compare.find_cases([str(CASES / directory)])):
        if Path(case).name in ("plugin-list", "metadata-disabled"):
            # An unknown plugin; and an attribute that Packages sets in an entry of Bundler, for the client.
            continue
        work = tmp_path / str(number)
        case_compare.prepare(case, str(work))
        settings = load_settings(options=OptionSet(COMMON_OPTIONS), config_file=work / "bcfg2.conf", environ={})
        with open_core(settings) as core:
            for host in core.metadata_source().list_clients():
                _assert_sources_are_known(core, host)


def _assert_sources_are_known(core: Core, host: str) -> None:
    try:
        configuration = core.build_configuration(host)
    except GeventcoreError:
        # The case is about this error.
        return
    found = explain(core, host)
    assert len(found.entries) == sum(len(structure) for structure in configuration)
    for entry in found.entries:
        for value in (*entry.attributes, *filter(None, [entry.text])):
            assert value.source.text not in UNKNOWN, (host, entry.label, value)
        assert entry.source.plugin != "server"
    assert {group.name for group in found.groups} == core.build_metadata(host).groups
