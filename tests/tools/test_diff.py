"""``geventcore diff``: it finds what full builds of both sides differ in, and shows that."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from lxml import etree

from geventcore.cli.main import main
from geventcore.options.server import FILEMONITOR, PLUGINS, REPOSITORY
from geventcore.options.settings import default_settings
from geventcore.simulation.repository import Shape, generate
from geventcore.testing.live_site import LiveSite
from geventcore.tools.diff import Comparison, Request, compare_sides
from geventcore.tools.diff.changes import split
from geventcore.tools.diff.model import OWN_NAME
from tests.support.plugin_context import small_server, write_files

USED = ("Metadata", "Bundler", "Cfg", "Rules", "Probes", "Properties", "Decisions", "GroupPatterns", "Defaults")

#: What the generated repository lacks: dependencies between bundles, other names for files, groups by name.
MORE = {
    "GroupPatterns/config.xml": (
        "<GroupPatterns><GroupPattern><NamePattern>node0000[0-4]</NamePattern><Group>low</Group></GroupPattern></GroupPatterns>"
    ),
    "Bundler/base-00.xml": (
        '<Bundle xmlns:xi="http://www.w3.org/2001/XInclude"><RequiredBundle name="extra"/><Path name="/etc/motd"/>'
        '<Group name="low"><Path name="/etc/issue" altsrc="/etc/motd"/></Group><xi:include href="part.frag"/></Bundle>'
    ),
    "Bundler/part.frag": '<Group name="zone-a"><Path name="/etc/part"/></Group>',
    "Bundler/extra.xml": '<Bundle independent="true"><Path name="/etc/extra"/><Package name="extra"/></Bundle>',
    "Rules/extra.xml": '<Rules priority="5"><Package name="extra" type="deb" version="auto"/></Rules>',
    "Cfg/etc/motd/motd": "all\n",
    "Cfg/etc/motd/motd.G10_low": "low\n",
    "Cfg/etc/part/part.genshi": "${metadata.hostname}\n",
    "Cfg/etc/extra/extra": "extra\n",
    "Defaults/all.xml": '<Defaults priority="1"><Package name=".*" wanted="yes"/></Defaults>',
}

Entry = tuple[str, str, str]
#: Structure, tag and name of an entry -> its attributes, text and children, once for each occurrence.
Content = dict[Entry, list[tuple[object, ...]]]


def _settings(repository: Path, plugins: tuple[str, ...] = USED):  # type: ignore[no-untyped-def]
    return default_settings({REPOSITORY: str(repository), PLUGINS: list(plugins), FILEMONITOR: "pseudo"})


def _builds(repository: Path) -> dict[str, Content]:
    """The full builds of all hosts, without the command."""
    found: dict[str, Content] = {}
    with small_server(repository, USED) as server:
        for host in server.core.metadata_source().list_clients():
            content = found[host] = {}
            for structure in server.core.build_configuration(host).iterchildren(etree.Element):
                for entry in structure.iterchildren(etree.Element):
                    key = (structure.get("name", ""), str(entry.tag), entry.get("name", ""))
                    children = [etree.tostring(child, method="c14n", with_tail=False) for child in entry]
                    text = (entry.text or "").replace(str(repository), "REPO")
                    content.setdefault(key, []).append((sorted(entry.items()), text, children))
    return found


def _expected(old: dict[str, Content], new: dict[str, Content]) -> Counter[tuple[str, str, str]]:
    """The differences of full builds: host, kind and entry."""
    found: Counter[tuple[str, str, str]] = Counter()
    for host in old.keys() - new.keys():
        found[host, "removed", f"host {host}"] += 1
    for host in new.keys() - old.keys():
        found[host, "added", f"host {host}"] += 1
    for host in old.keys() & new.keys():
        before, after = old[host], new[host]
        gone: Counter[tuple[str, str]] = Counter()
        come: Counter[tuple[str, str]] = Counter()
        for key in before.keys() | after.keys():
            one, other = before.get(key, []), after.get(key, [])
            for first, second in zip(one, other, strict=False):
                found[host, "changed", f"{key[1]}:{key[2]}"] += first != second
            gone[key[1:]] += max(0, len(one) - len(other))
            come[key[1:]] += max(0, len(other) - len(one))
        for key in gone.keys() | come.keys():
            moved = min(gone[key], come[key])
            label = f"{key[0]}:{key[1]}"
            found[host, "changed", label] += moved
            found[host, "removed", label] += gone[key] - moved
            found[host, "added", label] += come[key] - moved
    return +found


def _found(comparison: Comparison) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for change, hosts in comparison.changes.items():
        for host in hosts:
            what = change.what.replace(OWN_NAME, host)
            if ":" in what or what.startswith("host "):
                found[host, change.kind, what] += 1
    return found


# -- random edits


def _pick(random_: random.Random, repository: Path, pattern: str) -> Path:
    return random_.choice(sorted(path for path in repository.glob(pattern) if path.is_file()))


def _append_to_file(random_: random.Random, repository: Path) -> None:
    path = _pick(random_, repository, "Cfg/**/*")
    if path.name != "info.xml":
        path.write_text(path.read_text() + f"more {random_.random()}\n")


def _add_variant(random_: random.Random, repository: Path) -> None:
    path = _pick(random_, repository, "Cfg/**/*")
    base = path.parent / path.parent.name
    host = f"node0000{random_.randrange(6)}.bench.example.net"
    suffix = random_.choice([f"H_{host}", "G50_zone-a", "G60_low", "G5_base"])
    base.with_name(f"{base.name}.{suffix}").write_text(f"variant {random_.random()}\n")


def _remove_file(random_: random.Random, repository: Path) -> None:
    _pick(random_, repository, "Cfg/**/*").unlink()


def _change_info(random_: random.Random, repository: Path) -> None:
    directory = _pick(random_, repository, "Cfg/**/*").parent
    owner = random_.choice(["one", "two"])
    group = random_.choice(["zone-b", "low"])
    (directory / "info.xml").write_text(
        f'<FileInfo><Group name="{group}"><Info owner="{owner}"/></Group><Info mode="0640"/></FileInfo>'
    )


def _add_entry(random_: random.Random, repository: Path) -> None:
    path = _pick(random_, repository, "Bundler/*.xml")
    name = f"new{random_.randrange(1000)}"
    element = random_.choice(
        [
            f'<BoundPackage name="{name}" type="deb" version="auto"/>',
            f'<Group name="zone-a"><Package name="{name}"/></Group>',
            f'<Client name="node00003.bench.example.net"><BoundService name="{name}" status="on"/></Client>',
            '<Path name="/etc/motd"/>',
            '<RequiredBundle name="extra"/>',
        ]
    )
    path.write_text(path.read_text().replace("</Bundle>", f"{element}</Bundle>"))


def _remove_entries(random_: random.Random, repository: Path) -> None:
    path = _pick(random_, repository, "Bundler/*.xml")
    lines = path.read_text().split("\n")
    entries = [number for number, line in enumerate(lines) if re.match(r"\s+<(Path|Package|Service)[^<]*/>$", line)]
    if entries:
        del lines[random_.choice(entries)]
    path.write_text("\n".join(lines))


def _change_rule(random_: random.Random, repository: Path) -> None:
    path = _pick(random_, repository, "Rules/*.xml")
    path.write_text(path.read_text().replace('"auto"', f'"{random_.randrange(9)}.0"', 1).replace("on", "off", 1))


def _change_profile(random_: random.Random, repository: Path) -> None:
    path = repository / "Metadata/clients.xml"
    lines = path.read_text().split("\n")
    number = random_.randrange(1, len(lines) - 2)
    lines[number] = re.sub('profile="[^"]*"', f'profile="profile-0{random_.randrange(3)}"', lines[number])
    if random_.random() < 0.2:
        lines.insert(number, f'  <Client name="new{random_.randrange(100)}.example.net" profile="profile-00"/>')
    path.write_text("\n".join(lines))


def _change_groups(random_: random.Random, repository: Path) -> None:
    path = repository / "Metadata/groups.xml"
    text = path.read_text()
    rule = random_.choice(
        [
            '<Group name="low"><Group name="tall"/></Group>',
            '<Client name="node00002.bench.example.net"><Group name="low"/></Client>',
            '<Group name="tall"><Bundle name="extra"/></Group>',
        ]
    )
    path.write_text(text.replace("</Groups>", f"{rule}</Groups>"))


def _change_properties(random_: random.Random, repository: Path) -> None:
    path = repository / "Properties/site.xml"
    path.write_text(path.read_text().replace("800", f"{random_.randrange(800, 900)}", 1))


def _change_others(random_: random.Random, repository: Path) -> None:
    path = random_.choice(["Probes/facts-00", "Decisions/whitelist.xml", "Bundler/part.frag", "Defaults/all.xml"])
    text = (repository / path).read_text()
    text = text.replace("uname", "uname -a").replace("/etc/base-00", "/etc").replace("zone-a", "zone-b")
    (repository / path).write_text(text.replace('"yes"', '"no"'))


EDITS: tuple[Callable[[random.Random, Path], None], ...] = (
    *(_append_to_file, _append_to_file, _add_variant, _add_variant, _remove_file, _change_info, _add_entry),
    *(_add_entry, _remove_entries, _change_rule, _change_profile, _change_groups, _change_properties, _change_others),
)


def test_fifty_random_edits_give_what_full_builds_differ_in(tmp_path: Path) -> None:
    generate(tmp_path / "0", Shape(clients=6, groups=3, bundles=6, entries=40, probes=2, file_bytes=120))
    write_files(tmp_path / "0", MORE)
    random_ = random.Random(13)
    builds = _builds(tmp_path / "0")
    limited, different = 0, 0
    for number in range(50):
        old, new = tmp_path / str(number), tmp_path / str(number + 1)
        shutil.copytree(old, new)
        edit = random_.choice(EDITS)
        edit(random_, new)
        after = _builds(new)
        comparison = compare_sides(_settings(old), Request("live", str(new), processes=2))
        assert _found(comparison) == _expected(builds, after), (number, edit.__name__)
        limited += comparison.built < comparison.hosts
        different += bool(comparison.changes)
        builds = after
        shutil.rmtree(old)
    assert limited > 10
    assert different >= 20


# -- the sides


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small site in git, with results of probes and keys that are not; its configuration file."""
    files = {
        "Metadata/clients.xml": (
            '<Clients>\n<Client name="web1.example.net" profile="web"/>\n'
            '<Client name="web2.example.net" profile="web"/>\n<Client name="db1.example.net" profile="db"/>\n</Clients>'
        ),
        "Metadata/groups.xml": (
            '<Groups><Group name="web" profile="true"><Bundle name="web"/></Group>\n'
            '<Group name="db" profile="true"><Bundle name="db"/></Group></Groups>'
        ),
        "Bundler/web.xml": (
            '<Bundle>\n<Path name="/etc/motd"/>\n<Path name="/etc/secret"/>\n<Path name="/etc/ssh/ssh_host_rsa_key"/>\n'
            '<Group name="probed"><BoundPackage name="probed" type="deb"/></Group>\n</Bundle>'
        ),
        "Bundler/db.xml": '<Bundle>\n<Path name="/etc/motd"/>\n<BoundPackage name="postgresql" type="deb"/>\n</Bundle>',
        "Cfg/etc/motd/motd.genshi": "Hello ${metadata.hostname}\nsame\n",
        "Cfg/etc/secret/secret": "the old secret\n",
        "Cfg/etc/secret/info.xml": '<FileInfo><Info sensitive="true"/></FileInfo>',
        ".gitignore": "SSHbase\nProbes/probed.xml\n",
    }
    repository = tmp_path / "repo"
    write_files(repository, files)
    _git(repository, "init", "-q", "-b", "main")
    _git(repository, "add", "-A")
    _git(repository, "commit", "-qm", "one")
    write_files(
        repository,
        {
            "Probes/probed.xml": (
                '<Probed><Client name="web1.example.net" timestamp="1"><Group name="probed"/></Client></Probed>'
            ),
            "SSHbase/ssh_host_rsa_key.H_web1.example.net": "-----BEGIN RSA PRIVATE KEY-----\nx\n",
            "SSHbase/ssh_host_rsa_key.H_web2.example.net": "-----BEGIN RSA PRIVATE KEY-----\ny\n",
        },
    )
    config = tmp_path / "bcfg2.conf"
    config.write_text(
        f"[server]\nrepository = {repository}\nplugins = Metadata,Bundler,Cfg,Probes,SSHbase\nfilemonitor = pseudo\n"
    )
    return config


def _git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.net")
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout


def _edit(site: Path, name: str, old: str, new: str) -> None:
    path = site.parent / "repo" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def _run(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["diff", "-C", str(site), *words])
    output = capsys.readouterr()
    return status, output.out, output.err


def _changes(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, list[str]]:
    status, out, err = _run(site, capsys, *words, "--format", "json")
    assert status in (0, 1), err
    answer = json.loads(out)
    assert status == bool(answer["changes"] or answer["problems"])
    return {f"{change['kind']} {change['what']}": change["hosts"] for change in answer["changes"]}


def _files(root: Path) -> dict[str, tuple[bytes, int]]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_the_working_tree_and_head_have_no_differences_and_nothing_is_written(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _files(site.parent)
    status, out, _ = _run(site, capsys)
    assert status == 0
    assert "no differences, 3 hosts" in out
    assert _run(site, capsys, "HEAD", "live", "--all-hosts")[0] == 0
    assert _files(site.parent) == before


def test_equal_changes_are_grouped_and_own_names_do_not_matter(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(site, "Cfg/etc/motd/motd.genshi", "same", "other")
    _edit(site, "Bundler/web.xml", "</Bundle>", '<BoundPackage name="openssl" type="deb"/></Bundle>')
    status, out, _ = _run(site, capsys)
    assert status == 1
    assert "all 3 hosts: Path:/etc/motd changed (bundle web)" not in out
    assert "2 hosts (web[1-2].example.net): Path:/etc/motd changed (bundle web)" in out
    assert "     Hello {hostname}\n    -same\n    +other\n" in out
    assert "2 hosts (web[1-2].example.net): Package:openssl added (bundle web)\n    type=deb\n" in out
    assert "     Hello db1.example.net\n" in out
    status, out, _ = _run(site, capsys, "--quiet", "--entry", "Package:*")
    assert out.splitlines()[0] == "2 hosts (web[1-2].example.net): Package:openssl added (bundle web)"
    assert "motd" not in out
    status, out, _ = _run(site, capsys, "--quiet", "--entry", "/etc/motd")
    assert status == 1
    assert out.splitlines()[0] == "2 hosts (web[1-2].example.net): Path:/etc/motd changed (bundle web)"
    status, _, err = _run(site, capsys, "--entry", "motd")
    assert status == 2
    assert "motd: expected Tag:name, such as Path:/etc/motd" in err


def test_hosts_and_groups_are_chosen(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(site, "Cfg/etc/motd/motd.genshi", "same", "other")
    assert _changes(site, capsys, "--host", "web*") == {
        "changed Path:/etc/motd": ["web1.example.net", "web2.example.net"]
    }
    assert _changes(site, capsys, "--group", "db") == {"changed Path:/etc/motd": ["db1.example.net"]}
    assert _run(site, capsys, "--group", "nosuch")[0] == 2
    status, _, err = _run(site, capsys, "--host", "nosuch.example.net")
    assert (status, "no client has the name nosuch.example.net" in err) == (2, True)


def test_secrets_are_hidden(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(site, "Cfg/etc/secret/secret", "old", "new")
    (site.parent / "repo/SSHbase/ssh_host_rsa_key.H_web1.example.net").write_text("another secret\n")
    before = site.parent / "before"
    shutil.copytree(site.parent / "repo", before)
    (before / "SSHbase/ssh_host_rsa_key.H_web1.example.net").write_text("one more secret\n")
    (before / "Cfg/etc/secret/secret").write_text("some secret\n")
    for style in ("text", "json", "html", "markdown"):
        status, out, _ = _run(site, capsys, str(before), "live", "--format", style)
        assert status == 1
        assert "/etc/secret" in out
        assert "/etc/ssh/ssh_host_rsa_key" in out
        assert not re.search("(old|new|some|more|another) secret", out)


def test_encrypted_values_are_hidden(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from geventcore.crypt import Passphrases
    from geventcore.options import load_settings

    config = tmp_path / "bcfg2.conf"
    config.write_text(
        f"[server]\nrepository = {tmp_path}/one\nplugins = Metadata,Bundler,Cfg,Properties\nfilemonitor = pseudo\n"
        "[encryption]\nsite = passphrase\n"
    )
    passphrases = Passphrases.of(load_settings(config_file=config))
    for name in ("one", "two"):
        value = passphrases.encrypt(f"hunter-{name}".encode(), "site").decode()
        whole = passphrases.encrypt(f"whole-{name}\n".encode(), "site")
        files: dict[str, str | bytes] = {
            "Metadata/clients.xml": '<Clients><Client name="h" profile="p"/></Clients>',
            "Metadata/groups.xml": '<Groups><Group name="p" profile="true"><Bundle name="b"/></Group></Groups>',
            "Bundler/b.xml": '<Bundle><Path name="/etc/app"/><Path name="/etc/whole"/></Bundle>',
            "Properties/s.xml": f'<Properties><password encrypted="site">{value}</password></Properties>',
            "Cfg/etc/app/app.genshi": "p=${metadata.Properties['s.xml'].xdata.find('password').text}\n",
            "Cfg/etc/whole/whole.crypt": whole,
        }
        write_files(tmp_path / name, files)
    status, out, _ = _run(config, capsys, "live", str(tmp_path / "two"))
    assert status == 1
    assert "-p=(hidden)" in out
    assert "hunter" not in out
    assert "whole-" not in out


def test_probe_results_and_keys_come_from_the_live_side(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A revision has neither: web1 would lose its group, and get a new key.
    assert _changes(site, capsys, "HEAD", "live", "--all-hosts") == {}
    clone = site.parent / "clone"
    _git(site.parent, "clone", "-q", str(site.parent / "repo"), str(clone))
    before = _files(clone)
    assert _changes(site, capsys, "live", str(clone), "--all-hosts") == {}
    assert _files(clone) == before


def test_a_key_that_nobody_has_yet_is_no_difference(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site.parent / "repo/SSHbase/ssh_host_rsa_key.H_web2.example.net").unlink()
    assert _changes(site, capsys, "HEAD", "live", "--all-hosts") == {}


def test_revisions_branches_and_saved_configurations(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = site.parent / "repo"
    saved = site.parent / "saved"
    assert main(["info", "buildall", "-C", str(site), str(saved)]) == 0
    assert _changes(site, capsys, str(saved), "live") == {}
    _git(repository, "checkout", "-qb", "change")
    _edit(site, "Bundler/db.xml", "postgresql", "mariadb")
    _git(repository, "commit", "-qam", "two")
    _git(repository, "checkout", "-q", "main")
    expected = {
        "added Package:mariadb": ["db1.example.net"],
        "removed Package:postgresql": ["db1.example.net"],
    }
    assert _changes(site, capsys, "main", "change") == expected
    assert _changes(site, capsys, str(saved), "change") == expected
    assert _changes(site, capsys, "change", "main~0") == {
        "removed Package:mariadb": ["db1.example.net"],
        "added Package:postgresql": ["db1.example.net"],
    }


def test_the_name_of_a_directory_is_a_word_like_any_other(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _edit(site, "Cfg/etc/motd/motd.genshi", "same", "Hello new world")
    shutil.copytree(site.parent / "repo", site.parent / "new")
    monkeypatch.chdir(site.parent)
    assert _changes(site, capsys, "live", "new", "--all-hosts") == {}


def test_a_file_that_only_the_new_side_cannot_read_is_a_problem(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(site, "Bundler/db.xml", "</Bundle>", "")
    status, out, _ = _run(site, capsys)
    assert status == 1
    assert re.search(r"problem in the live repository: .*Bundler/db\.xml: not well-formed", out)


def test_hosts_without_a_configuration_for_the_same_reason_are_grouped(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = site.parent / "repo/Metadata/clients.xml"
    names.write_text(names.read_text().replace("web2.example.net", "web2"))
    (site.parent / "repo/Bundler/web.xml").unlink()
    status, out, _ = _run(site, capsys, "HEAD", "live")
    assert status == 1
    assert "configuration removed: no plugin provides these bundles: web" in out
    assert "{hostname}" not in out


def test_hosts_of_one_side_are_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(site, "Metadata/clients.xml", '<Client name="web2.example.net" profile="web"/>', "")
    assert _changes(site, capsys) == {"removed host web2.example.net": ["web2.example.net"]}


def test_a_revision_of_a_repository_that_is_not_in_git_is_an_error(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = site.parent / "repo"
    shutil.rmtree(repo / ".git")
    status, out, err = _run(site, capsys, "main", "live")
    assert (status, out) == (2, "")
    assert err.startswith(
        f"geventcore: error: main: no such directory or configuration file, and {repo} is not in git; expected"
    )


def test_unknown_sides_and_broken_configurations_are_errors(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = _run(site, capsys, "nosuch", "live")
    assert (status, out) == (2, "")
    assert err.startswith("geventcore: error: nosuch: no such directory, configuration file or git revision")
    empty = site.parent / "empty"
    empty.mkdir()
    status, out, err = _run(site, capsys, str(empty), "live")
    assert (status, out) == (2, "")
    assert err.startswith(f"geventcore: error: {empty}: the directory has no files of any plugin and no saved")
    site.write_text(site.read_text().replace("Cfg", "Cgf"))
    status, _, err = _run(site, capsys)
    assert status == 2
    assert "Cgf" in err


def test_the_page_escapes_what_it_shows(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(site, "Cfg/etc/motd/motd.genshi", "same", "<script>alert(1)</script>")
    _, out, _ = _run(site, capsys, "--format", "html")
    assert "<script>" not in out
    assert "&lt;script&gt;alert(1)" in out
    root = etree.HTML(out)
    assert root.xpath("count(//ins)") == 2


def test_a_comment_has_fences_that_its_content_cannot_end(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(site, "Cfg/etc/motd/motd.genshi", "same", "```\n# injected")
    _, out, _ = _run(site, capsys, "--format", "markdown")
    fences = re.findall(r"^  (`{3,})", out, flags=re.MULTILINE)
    assert "````" in fences


@pytest.mark.parametrize(
    ("document", "pieces"),
    [
        (b"<Configuration/>", 0),
        (b'<Configuration version="2.0"><Bundle name="a"><P>x</P></Bundle><Independent name="b"/></Configuration>', 2),
        (b'<Configuration><Bundle name="e"/><Bundle name="a"><Bundle name="c"/></Bundle></Configuration>', 2),
        (b'<Configuration><Bundle name="a"><!-- </Bundle> --></Bundle></Configuration>', 1),
        (b'<error type="x"/>', 1),
    ],
)
def test_documents_are_split_into_structures(document: bytes, pieces: int) -> None:
    found = split(document)
    assert len(found) == pieces
    for piece in found:
        etree.fromstring(piece)


# -- the hook and the job in contrib


CONTRIB = Path(__file__).parents[2] / "contrib"
PROGRAM = f"{sys.executable} -m geventcore"


@pytest.fixture
def pushed_to(site: Path) -> Path:
    """A work tree whose pushes the hook looks at."""
    bare, work = site.parent / "bare.git", site.parent / "work"
    _git(site.parent, "clone", "-q", "--bare", str(site.parent / "repo"), str(bare))
    shutil.copy(CONTRIB / "git/pre-receive", bare / "hooks/pre-receive")
    for name, value in {"config": str(site), "branch": "main", "command": PROGRAM}.items():
        _git(bare, "config", f"geventcore.{name}", value)
    _git(site.parent, "clone", "-q", str(bare), str(work))
    return work


def _push(work: Path, name: str, old: str, new: str) -> tuple[int, str]:
    (work / name).write_text((work / name).read_text().replace(old, new))
    _git(work, "commit", "-qam", "change")
    done = subprocess.run(
        ["git", "push", "-q", "origin", "main"], cwd=work, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_the_hook_shows_a_push_and_refuses_a_broken_one(pushed_to: Path) -> None:
    status, output = _push(pushed_to, "Bundler/db.xml", "postgresql", "mariadb")
    assert status == 0, output
    assert "remote: db1.example.net: Package:mariadb added (bundle db)" in output
    status, output = _push(pushed_to, "Bundler/db.xml", "</Bundle>", "")
    assert status == 1
    assert "not well-formed" in output
    assert "The push is refused: a file cannot be read." in output
    _git(pushed_to, "reset", "-q", "--hard", "origin/main")
    _git(pushed_to.parent / "bare.git", "config", "geventcore.refuse", "true")
    status, output = _push(pushed_to, "Bundler/db.xml", "mariadb", "sqlite")
    assert status == 1
    assert "it changes hosts" in output


def test_the_job_writes_a_comment(site: Path) -> None:
    _edit(site, "Bundler/db.xml", "postgresql", "mariadb")
    comment = site.parent / "comment.md"

    def run(base: str, head: str) -> int:
        command = [str(CONTRIB / "ci/diff-comment"), str(site), base, head, str(comment)]
        return subprocess.run(command, env={**os.environ, "GEVENTCORE": PROGRAM}, check=False).returncode

    assert run("HEAD", "live") == 0
    assert "- **db1.example.net**: `Package:mariadb added (bundle db)`" in comment.read_text()
    assert run("nosuch", "live") == 2
    assert "no such directory, configuration file or git revision" in comment.read_text()


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_the_jobs_use_the_script(name: str) -> None:
    jobs = yaml.safe_load((CONTRIB / "ci" / name).read_text())
    assert "diff-comment" in json.dumps(jobs)


@pytest.mark.live
def test_the_running_server_is_a_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = LiveSite(tmp_path / "site", "gevent", {"server": {"children": "1"}})
    with site.start():
        changes = _changes(site.configuration, capsys, "server", "live", "--host", "host00[01]*")
        assert changes == {}
        copy = tmp_path / "copy"
        shutil.copytree(site.repository, copy)
        bundle = copy / "Bundler/base.xml"
        bundle.write_text(bundle.read_text().replace("</Bundle>", '<BoundPackage name="openssl"/></Bundle>'))
        changes = _changes(site.configuration, capsys, "server", str(copy), "--host", "host000*")
        assert changes == {"added Package:openssl": ["host000.example.net"]}
    status, _, err = _run(site.configuration, capsys, "server", "live", "--host", "host000*")
    assert status == 2
    assert "cannot ask the running server" in err
