"""The checks of ``geventcore lint`` that Bcfg2 does not have: each finds its fault, and is silent otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from geventcore.tls.authority import Authority, write_private
from tests.support.lint_cases import LintCase, lint, write_site
from tests.support.package_sites import apt_repository, apt_source, package_site, stanza
from tests.support.reduced_rights import obeying_rights
from tests.tools.test_lint import tree

INFO = {"Cfg/etc/m/info.xml": '<FileInfo><Info owner="root" group="root" mode="0644"/></FileInfo>'}
BUNDLE = '<Bundle>\n  <Path name="/etc/ward.conf"/>\n  <Path name="/etc/m"/>\n  {}\n</Bundle>\n'
GROUPS = (
    '<Groups>\n<Group name="base" profile="true" public="true" default="true"><Bundle name="ward"/>\n'
    '<Group name="web"/></Group>\n{}</Groups>\n'
)


def template(text: str) -> dict[str, str]:
    """A template that a bundle asks for."""
    return {**INFO, "Cfg/etc/m/m.genshi": text, "Bundler/ward.xml": BUNDLE.format("")}


def cheetah(text: str) -> dict[str, str]:
    """A template of Cheetah that a bundle asks for."""
    return {**INFO, "Cfg/etc/m/m.cheetah": text, "Bundler/ward.xml": BUNDLE.format("")}


def bundle(text: str) -> dict[str, str]:
    """A bundle with conditions, from line 4 on."""
    return {
        **INFO,
        "Cfg/etc/m/m": "x\n",
        "Bundler/ward.xml": BUNDLE.format(text),
        "Metadata/groups.xml": GROUPS.format('<Group name="a" category="c"/><Group name="b" category="c"/>'),
    }


CASES: dict[str, LintCase] = {
    "template-with-known-names": LintCase(
        template(
            "{% python\nimport os\ndef f(x):\n    return [y for y in x if y]\n%}\n"
            "{% for a, b in sorted(metadata.categories.items()) %}${a}${b}${name}${repo}{% end %}"
            "{% with c = 1 %}$c{% end %}{% if defined('other') %}$other{% end %}${metadata.group_in_category('x')}"
            "${f(metadata.groups)}{% def g(z) %}$z{% end %}${g(path)}${source_path}"
        ),
        ["entry-not-reusable note Cfg/etc/m/m.genshi"],
    ),
    "template-unknown-name": LintCase(
        template("one\n${metadata.hostname} ${nme}\n"), ["template-unknown-name error Cfg/etc/m/m.genshi:2:24"]
    ),
    "template-unknown-attribute": LintCase(
        template("{% if metadata.hostnam == 'x' %}y{% end %}\n"),
        ["template-unknown-attribute error Cfg/etc/m/m.genshi:1:7"],
    ),
    "template-of-a-plugin-that-is-not-enabled": LintCase(
        template("${metadata.Probes['x']}\n"), ["template-unknown-attribute error Cfg/etc/m/m.genshi:1:3"]
    ),
    "template-of-a-plugin-that-is-enabled": LintCase(template("${metadata.Probes['x']}\n"), [], "Probes"),
    "template-unknown-helper": LintCase(
        {
            **template("${metadata.TemplateHelper['known'].f} ${metadata.TemplateHelper['gone'].f} $d\n"),
            "TemplateHelper/known.py": "__export__ = ['f']\n__default__ = ['d']\nf = d = 1\n",
        },
        ["template-unknown-helper error Cfg/etc/m/m.genshi:1:66"],
        "TemplateHelper",
    ),
    "properties-that-do-not-exist": LintCase(
        template("${metadata.Properties['no.xml'].xdata}"),
        ["template-unknown-helper error Cfg/etc/m/m.genshi:1:24"],
        "Properties",
    ),
    "jinja2-names": LintCase(
        {
            **INFO,
            "Bundler/ward.xml": BUNDLE.format(""),
            "Cfg/etc/m/m.jinja2": "{% set a = 1 %}{{ a }}{{ metadata.groups }}{{ b|default(1) }}\n{{ metadata.grups }}",
        },
        ["template-unknown-attribute error Cfg/etc/m/m.jinja2:2:4"],
    ),
    "cheetah-with-known-names": LintCase(
        cheetah(
            "#import os\n#from re import sub as replace\n#set $a = 1\n#set global $shared = 2\n#attr $size = 5\n"
            "#for $k, $v in sorted($metadata.categories.items())\n$k ${v} $name $repo $path $source_path\n#end for\n"
            "#def f($x, $y=3)\n$x.real $y $self.size\n#end def\n$f($a) $shared $replace('a', 'b', $metadata.hostname)\n"
            "#if $varExists('other') and $varExists('metadata.later')\n$other $metadata.later\n#end if\n"
            "$getVar('third', 'none') $hasVar('fourth')\n#try\n$fifth $metadata.sixth\n#except NotFound as e\n$e\n"
            "#end try\n<% import json; b = [z for z in range(3)] %><%= b %>$json.dumps($b) $self.metadata.groups\n"
            "$os.path.join('a', 'b') #block body#in#end block#\n#echo $len($metadata.groups)#"
        ),
        ["entry-not-reusable note Cfg/etc/m/m.cheetah"],
    ),
    "cheetah-that-catches-errors": LintCase(
        cheetah("#errorCatcher Echo\n$nme $metadata.grups\n"), ["entry-not-reusable note Cfg/etc/m/m.cheetah"]
    ),
    "cheetah-unknown-name": LintCase(
        cheetah("one\n$metadata.hostname ${nme}\n"), ["template-unknown-name error Cfg/etc/m/m.cheetah:2:22"]
    ),
    "cheetah-unknown-attribute": LintCase(
        cheetah("#if $self.metadata.hostnam == 'x'\ny\n#end if\n$sorted($metadata.grups)[0]\n"),
        [
            "template-unknown-attribute error Cfg/etc/m/m.cheetah:1:6",
            "template-unknown-attribute error Cfg/etc/m/m.cheetah:4:10",
        ],
    ),
    "cheetah-properties-that-do-not-exist": LintCase(
        cheetah("$metadata.Properties['no.xml'].xdata"),
        ["template-unknown-helper error Cfg/etc/m/m.cheetah:1:23"],
        "Properties",
    ),
    "names-in-a-bundle": LintCase(
        {
            "Bundler/ward.xml": (
                '<Bundle xmlns:py="http://genshi.edgewall.org/">\n<Path name="/etc/ward.conf"/>'
                '<Path py:for="x in metadata.groups" name="/srv/$x"/>\n<Path py:if="metadta" name="/a"/></Bundle>'
            )
        },
        ["template-unknown-name error Bundler/ward.xml:3:14"],
    ),
    "conditions-that-contradict": LintCase(
        bundle(
            '<Group name="web"><Group name="web" negate="true"><Package name="x"/></Group></Group>\n'
            '<Group name="a"><Group name="b"><Package name="x"/></Group></Group>\n'
            '<Client name="a.clinic.test"><Client name="b.clinic.test"><Package name="x"/></Client></Client>'
        ),
        [
            "contradicting-conditions warning Bundler/ward.xml:4:21",
            "contradicting-conditions warning Bundler/ward.xml:5:17",
            "contradicting-conditions warning Bundler/ward.xml:6:30",
        ],
    ),
    "conditions-that-repeat-or-name-nothing": LintCase(
        bundle(
            '<Group name="web"><Group name="web"><Package name="x"/></Group></Group>\n'
            '<Group name="wbe"><Package name="x"/></Group><Client name="c.clinic.test"><Package name="x"/></Client>'
        ),
        [
            "repeated-condition note Bundler/ward.xml:4:21",
            "unknown-group note Bundler/ward.xml:5:1",
            "unknown-client note Bundler/ward.xml:5:46",
        ],
    ),
    "groups-of-patterns-are-known": LintCase(
        {
            **bundle('<Group name="rack"><Package name="x"/></Group>'),
            "GroupPatterns/config.xml": (
                "<GroupPatterns><GroupPattern><NamePattern>b</NamePattern>"
                "<Group>rack</Group></GroupPattern></GroupPatterns>"
            ),
        },
        [],
        "GroupPatterns",
    ),
    "groups-without-use-and-without-clients": LintCase(
        {"Metadata/groups.xml": GROUPS.format('<Group name="x"/>\n<Group name="y"><Bundle name="ward"/></Group>\n')},
        [
            "unused-group note Metadata/groups.xml:4:1",
            "group-without-clients note Metadata/groups.xml:5:1",
        ],
    ),
    "groups-that-clients-may-get-at-any-time": LintCase(
        {
            "Metadata/groups.xml": (
                '<Groups><Group name="other" profile="true" default="true"><Bundle name="ward"/></Group>'
                '<Group name="base" profile="true"><Bundle name="ward"/></Group>'
                '<Group name="red" category="os"><Group name="other"><Group name="late"/></Group></Group>'
                '<Group name="late"><Bundle name="ward"/></Group>\n'
                '<Group name="blue"><Bundle name="ward"/></Group></Groups>'
            ),
            "Cfg/etc/ward.conf/ward.conf.G10_late": "nothing that is like the other file, in many words\n",
            "Cfg/etc/ward.conf/ward.conf.G10_blue": "1234567890\n",
        },
        [
            "group-without-clients note Metadata/groups.xml:2:1",
            "unreachable-cfg-file note Cfg/etc/ward.conf/ward.conf.G10_blue",
        ],
        "Probes",
        "[probes]\nallowed_groups = red .*\n",
    ),
    "files-that-nobody-gets": LintCase(
        {
            **bundle(""),
            "Cfg/etc/m/m.G10_db": "other text that is long\n",
            "Cfg/etc/m/m.G10_web": "something else, in words\n",
            "Cfg/etc/m/m.H_z.clinic.test": "1234567890 abc\n",
            "Cfg/etc/n/n": "x",
            "Cfg/etc/n/info.xml": INFO["Cfg/etc/m/info.xml"],
        },
        [
            "unreachable-cfg-file note Cfg/etc/m/m.G10_db",
            "unreachable-cfg-file note Cfg/etc/m/m.H_z.clinic.test",
            "unused-cfg-entry note Cfg/etc/n/info.xml",
        ],
    ),
    "paths-with-globs-and-expressions-are-asked-for": LintCase(
        {
            "Bundler/ward.xml": (
                '<Bundle xmlns:py="http://genshi.edgewall.org/"><Path name="/etc/${metadata.hostname}.d/x"/>'
                '<Path glob="/etc/w*"/></Bundle>'
            ),
            "Cfg/etc/a.clinic.test.d/x/x": "y",
            "Cfg/etc/a.clinic.test.d/x/info.xml": INFO["Cfg/etc/m/info.xml"],
        },
        [],
    ),
    "rules-that-match-nothing": LintCase(
        {
            "Rules/r.xml": (
                '<Rules priority="1">\n<Service name="cron" type="systemd" status="on"/>\n'
                '<Group name="base"><Service name="crond" type="systemd" status="on"/></Group></Rules>'
            ),
            "Bundler/ward.xml": '<Bundle><Path name="/etc/ward.conf"/><Service name="cron"/></Bundle>',
        },
        ["unmatched-rule note Rules/r.xml:3:20"],
        "Rules",
    ),
    "rules-with-regular-expressions": LintCase(
        {
            "Rules/r.xml": '<Rules priority="1"><Service name="cro.*" type="systemd" status="on"/></Rules>',
            "Bundler/ward.xml": '<Bundle><Path name="/etc/ward.conf"/><Service name="cron"/></Bundle>',
        },
        [],
        "Rules",
        "[rules]\nregex = yes\n",
    ),
    "secrets": LintCase(
        {
            **bundle(""),
            "Cfg/etc/m/m": "user = app\npassword = hunter2hunter\npassword_file = /etc/x\nsecret = ${y}\n",
            "Cfg/etc/ward.conf/ward.conf": "-----BEGIN RSA PRIVATE KEY-----\nabc\n",
            "Properties/p.xml": '<Properties>\n<password>open sesame</password><password encrypted="x"/></Properties>',
        },
        [
            "secret-in-plain-text note Cfg/etc/m/m:2:12",
            "private-key-in-plain-text warning Cfg/etc/ward.conf/ward.conf:1:1",
            "secret-in-plain-text note Properties/p.xml:2:1",
        ],
        "Properties",
        "[errors]\nproperties-schema-not-found = silent\nempty-encrypted-properties = silent\n",
    ),
    "sources": LintCase(
        {
            "Packages/sources.xml": (
                '<Sources>\n<Source type="apt" url="mirror/debian" version="x"><Component>main</Component>'
                "<Arch>amd64</Arch></Source></Sources>"
            )
        },
        ["package-source-mistake note Packages/sources.xml:2:1"],
        "Packages",
        "[packages]\nresolver = disabled\nmetadata = disabled\n",
    ),
    "file-that-only-the-server-refuses": LintCase(
        {
            **INFO,
            "Cfg/etc/m/m": "x",
            "Cfg/etc/m/:info": "owner: root\nmod: 0600\n",
            "Bundler/ward.xml": BUNDLE.format(""),
        },
        ["file-not-usable error Cfg/etc/m/:info:2:1"],
    ),
    "plugin-that-refuses-its-settings": LintCase(
        {"AWSTags/config.xml": '<AWSTags><Tag name="a"><Group>base</Group></Tag></AWSTags>'},
        ["server-does-not-start error"],
        "AWSTags",
        "[awstags]\naccess_key_id = x\n",
    ),
    "nothing-to-say": LintCase({}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_found_at_its_place(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    config = write_site(tmp_path, case)
    before = tree(tmp_path)
    found = lint(config, capsys, monkeypatch)
    # The groups of most repositories here have no clients or no content.
    is_about_groups = any(each.startswith(("unused-group", "group-")) for each in case.expected)
    shown = [each for each in found.places() if is_about_groups or not each.startswith(("unused-group", "group-"))]
    assert sorted(shown) == sorted(case.expected), found.findings
    assert tree(tmp_path) == before, "lint changed the repository"


@pytest.mark.parametrize("command", [("lint",), ("server", "--check")])
def test_a_directory_without_rights_is_an_error(command: tuple[str, ...], tmp_path: Path) -> None:
    config = write_site(tmp_path, LintCase({}, []))
    certificate = Authority.create("Test CA").issue("localhost", dns_names=["localhost"], server=True)
    (tmp_path / "server.crt").write_bytes(certificate.certificate_pem)
    write_private(tmp_path / "server.key", certificate.key_pem)
    with config.open("a") as file:
        file.write(
            f"[communication]\ncertificate = {tmp_path}/server.crt\nkey = {tmp_path}/server.key\npassword = x\n"
            "[admin]\ncontrol = none\n"
        )
    program = obeying_rights([sys.executable, "-m", "geventcore", *command, "-C", str(config)])
    directory = tmp_path / "repo/Cfg/etc"
    for mode, status in ((0o700, 0), (0, 2 if command == ("lint",) else 1)):
        directory.chmod(mode)
        try:
            done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
        finally:
            directory.chmod(0o700)
        assert done.returncode == status, done.stdout + done.stderr
        assert ("Cfg/etc: error: the directory cannot be read: Permission denied" in done.stdout) == bool(status)


def test_part_of_the_files_says_nothing_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_site(tmp_path, LintCase({"Metadata/groups.xml": GROUPS.format('<Group name="x"/>')}, []))
    assert lint(config, capsys, monkeypatch, "--stdin", stdin="Metadata/groups.xml\n").findings == []


def test_packages_that_no_source_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apt_repository(tmp_path / "data", stanza("a", Depends="b"), stanza("b", Provides="virtual"))
    repository = tmp_path / "repo"
    bundle = '<Package name="a"/><Package name="virtual"/><Package name="typo"/>'
    with package_site(repository, apt_source(f"file://{tmp_path}/data"), bundle) as site:
        site.plugin.collection(site.server.core.build_metadata("n1"))
    config = tmp_path / "bcfg2.conf"
    config.write_text(
        f"[server]\nrepository = {repository}\nplugins = Metadata, Bundler, Packages\n[lint]\nplugins = PackageNames\n"
    )
    found = lint(config, capsys, monkeypatch)
    assert [(each["name"], each["entry"]) for each in found.findings] == [("unknown-package", "Package:typo")]
