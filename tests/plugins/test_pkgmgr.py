"""Pkgmgr: what a list says about packages, priorities, and lists that are broken, edited or gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import configuration, entry_of, messages, plugin_site

PLUGINS = ("Bundler", "Pkgmgr")


def package_list(body: str, attributes: str = 'priority="1" type="deb" uri="http://m"') -> str:
    return f"<PackageList {attributes}>{body}</PackageList>"


def site(body: str, entry: str = '<Package name="a"/>', **lists: str) -> dict[str, str | bytes]:
    return {
        "Bundler/b.xml": f"<Bundle>{entry}</Bundle>",
        "Pkgmgr/l.xml": package_list(body),
        **{f"Pkgmgr/{name}.xml": text for name, text in lists.items()},
    }


def bound(server: SmallServer, name: str = "a", hostname: str = "h") -> dict[str, str]:
    return {str(key): str(value) for key, value in entry_of(server, "Package", name, hostname).items() if key != "name"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<Package name="a" version="1"/>', {"version": "1"}),
        ('<Package name="a" simplefile="a.deb"/>', {"simplefile": "a.deb", "url": "http://m/a.deb"}),
        ('<Package name="a" file="x-1.deb"/>', {"file": "x-1.deb", "url": "http://m/x-1.deb"}),
        (
            '<Package name="x" type="rpm" file="a-1.2-3.el8.x86_64.rpm"/>',
            {"type": "rpm", "file": "a-1.2-3.el8.x86_64.rpm", "url": "http://m/a-1.2-3.el8.x86_64.rpm"}
            | {"version": "1.2-3.el8", "arch": "x86_64"},
        ),
        (
            '<Package type="encap" file="a-1.2.encap.i86"/>',
            {"type": "encap", "file": "a-1.2.encap.i86", "url": "http://m/a-1.2.encap.i86", "version": "1.2"},
        ),
        (
            '<Package name="a" file="a.%(arch)s" multiarch="i386 x86_64"/>',
            {"file": "a.%(arch)s", "multiarch": "i386 x86_64", "url": "http://m/a.i386 http://m/a.x86_64"},
        ),
        (
            '<Package name="a" file="%(src)s/%(arch)s" multiarch="i j" srcs="s t"/>',
            {"file": "%(src)s/%(arch)s", "multiarch": "i j", "srcs": "s t", "url": "http://m/s/i http://m/t/j"},
        ),
        (
            '<Group name="web" uri="http://g" type="rpm"><Package name="a" simplefile="f"/></Group>',
            {"type": "rpm", "uri": "http://g", "simplefile": "f", "url": "http://g/f"},
        ),
        (
            '<Group name="no" negate="true"><Client name="h" version="2"><Package name="a"/></Client></Group>',
            {"negate": "true", "version": "2"},
        ),
    ],
)
def test_what_a_list_says(tmp_path: Path, body: str, expected: dict[str, str]) -> None:
    with plugin_site(tmp_path, PLUGINS, site(body)) as server:
        assert bound(server) == {"priority": "1", "type": "deb", "uri": "http://m", **expected}


@pytest.mark.parametrize(
    "body",
    [
        '<Group name="no"><Package name="a"/></Group>',
        '<Group name="web" negate="true"><Package name="a"/></Group>',
        '<Client name="x"><Package name="a"/></Client>',
        '<Package name="b"/>',
        "",
    ],
)
def test_a_package_that_is_not_for_the_client(tmp_path: Path, body: str) -> None:
    with plugin_site(tmp_path, PLUGINS, site(body)) as server:
        assert bound(server) == {"failure": "no matching generator"}


def test_a_list_overwrites_what_the_bundle_says_and_adds_children(tmp_path: Path) -> None:
    body = '<Package name="a" version="list"><Instance arch="i386"/></Package>'
    entry = '<Package name="a" version="bundle" extra="stays"/>'
    with plugin_site(tmp_path, PLUGINS, site(body, entry)) as server:
        found = entry_of(server, "Package", "a")
        again = entry_of(server, "Package", "a")
    assert (found.get("version"), found.get("extra")) == ("list", "stays")
    assert [child.get("arch") for child in found] == [child.get("arch") for child in again] == ["i386"]


def test_an_entry_may_name_architectures(tmp_path: Path) -> None:
    body = (
        '<Package name="a"><Instance arch="i386"/><Instance arch="x86_64"/><Instance arch="noarch"/><Other/></Package>'
    )
    with plugin_site(tmp_path, PLUGINS, site(body, '<Package name="a:i386,noarch"/>')) as server:
        found = entry_of(server, "Package", "a")
    assert [(child.tag, child.get("arch")) for child in found] == [
        ("Instance", "i386"),
        ("Instance", "noarch"),
        ("Other", None),
    ]


def test_the_higher_priority_counts_and_equal_ones_fail_the_entry(tmp_path: Path) -> None:
    files = site(
        '<Package name="a" version="low"/><Package name="e"/>',
        '<Package name="a"/><Package name="e"/>',
        high=package_list('<Package name="a" version="high"/>', 'priority="2"'),
        equal=package_list('<Package name="e"/>'),
    )
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert bound(server)["version"] == "high"
        assert "2 package lists with priority 1 have Package:e" in bound(server, "e")["failure"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<PackageList>\n<Package", "not well-formed"),
        ("", "not well-formed"),
        (b"\xff", "not well-formed"),
        ("<PackageList/>", "the root element has no integer priority"),
        ('<PackageList priority="high"/>', "the root element has no integer priority"),
        (
            package_list('\n<Package name="a" file="%(arch)s" multiarch="a b" srcs="c"/>'),
            "line 2: .*the same number of words",
        ),
        (
            package_list('\n<Package name="a" file="%(other)s" multiarch="a"/>'),
            r"line 2: .*may contain only the references",
        ),
        (package_list('\n<Package name="a" file="%d" multiarch="a"/>'), r"line 2: .*may contain only the references"),
    ],
)
def test_a_list_of_no_use_is_told_and_the_last_good_version_stays(
    tmp_path: Path, text: str | bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "Pkgmgr/l.xml"
    with plugin_site(tmp_path, PLUGINS, site('<Package name="a" version="good"/>')) as server:
        write_files(tmp_path, {"Pkgmgr/l.xml": text})
        until(server, lambda: bool(messages(caplog, f"{path}: ")))
        assert any(re.search(f"l.xml: {reason}", line) for line in messages(caplog, str(path)))
        assert bound(server)["version"] == "good"


def test_lists_change_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "Pkgmgr/l.xml"
    with plugin_site(tmp_path, PLUGINS, site('<Package name="a" version="1"/>')) as server:
        path.write_text(package_list('<Package name="a" version="2"/>'))
        until(server, lambda: bound(server)["version"] == "2")
        path.unlink()
        until(server, lambda: "failure" in bound(server))
        write_files(tmp_path, {"Pkgmgr/sub/n.xml": package_list('<Package name="a" version="3"/>')})
        until(server, lambda: "failure" not in bound(server))
        assert bound(server)["version"] == "3"


def test_a_thousand_lists(tmp_path: Path) -> None:
    lists = {f"l{n}": package_list(f'<Package name="p{n}" version="{n}"/>') for n in range(1000)}
    bundle = "".join(f'<Package name="p{n}"/>' for n in range(1000))
    with plugin_site(tmp_path, PLUGINS, site("", bundle, **lists)) as server:
        found = {entry.get("name"): entry.get("version") for entry in configuration(server).iter("Package")}
    assert found == {f"p{n}": str(n) for n in range(1000)}
