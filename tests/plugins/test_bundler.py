"""Bundler: structures from files, required and included bundles, globs, and bundles that are missing or broken."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Generator, TemplateDataProvider
from geventcore.plugins.bundler import Bundler
from geventcore.specfiles.structfile import StructFile
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import configuration, messages, plugin_site

XI = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
PY = 'xmlns:py="http://genshi.edgewall.org/"'


def structures(server: SmallServer, hostname: str = "h") -> dict[str, list[str]]:
    """Name of a structure -> its entries as ``Tag:name``."""
    return {
        structure.get("name", ""): [f"{entry.tag}:{entry.get('name')}" for entry in structure]
        for structure in configuration(server, hostname)
    }


def bound(*names: str) -> str:
    return "".join(f'<BoundPath name="{name}"/>' for name in names)


def bundle(*children: str, attributes: str = "") -> str:
    return f"<Bundle {attributes}>{''.join(children)}</Bundle>"


def test_a_bundle_is_named_by_its_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"Bundler/deep/b.xml": bundle(bound("/a"), attributes='name="other" kept="yes"')}
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        (structure,) = configuration(server)
    assert dict(structure.attrib) == {"name": "b", "kept": "yes"}
    assert messages(caplog, "Bundler/deep/b.xml: ignoring the attribute name: a bundle has the name of its file")


@pytest.mark.parametrize(
    ("attribute", "tag", "left"),
    [
        ('independent="true"', "Independent", {}),
        ('independent="TRUE"', "Independent", {}),
        ('independent="false"', "Bundle", {"independent": "false"}),
        ("", "Bundle", {}),
    ],
)
def test_an_independent_bundle(tmp_path: Path, attribute: str, tag: str, left: dict[str, str]) -> None:
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": bundle(attributes=attribute)}) as server:
        (structure,) = configuration(server)
    assert structure.tag == tag
    assert dict(structure.attrib) == {"name": "b", **left}


def test_conditions_and_templates(tmp_path: Path) -> None:
    body = (
        '<Group name="web"><BoundPath name="/web"/></Group><Group name="no"><BoundPath name="/no"/></Group>'
        '<BoundPath py:for="n in range(2)" name="/${metadata.hostname}/$n"/>'
    )
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": f"<Bundle {PY}>{body}</Bundle>"}) as server:
        assert structures(server) == {"b": ["Path:/h/0", "Path:/h/1", "Path:/web"]}
        assert structures(server, "x") == {"b": ["Path:/web", "Path:/x/0", "Path:/x/1"]}


def test_a_missing_bundle_is_told_and_the_others_are_delivered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"Bundler/b.xml": bundle('<RequiredBundle name="gone"/>', bound("/a"))}
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {"b": ["Path:/a"]}
    assert messages(caplog, "h: bundle gone does not exist")


# -- required bundles


def test_required_bundles_come_once_and_transitively(tmp_path: Path) -> None:
    files = {
        "Bundler/b.xml": bundle('<RequiredBundle name="c"/>', '<RequiredBundle name="b"/>', bound("/b")),
        "Bundler/c.xml": bundle('<RequiredBundle name="d"/>', '<RequiredBundle name="b"/>'),
        "Bundler/d.xml": bundle('<Group name="web"><RequiredBundle name="e"/></Group>', '<RequiredBundle name="c"/>'),
        "Bundler/e.xml": bundle('<Group name="no"><RequiredBundle name="f"/></Group>', bound("/e")),
        "Bundler/f.xml": bundle(bound("/f")),
    }
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {"b": ["Path:/b"], "c": [], "d": [], "e": ["Path:/e"]}


@pytest.mark.parametrize(
    ("version", "inherits"), [("1.4.0pre2", True), ("1.5.0", True), ("1.4.0pre1", False), ("", False)]
)
def test_a_modification_is_inherited_by_clients_that_know_how(
    tmp_path: Path, version: str, inherits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "Bundler/b.xml": bundle('<RequiredBundle name="c" inherit_modification="true"/>'),
        "Bundler/c.xml": bundle(),
        "Metadata/clients.xml": f'<Clients><Client name="h" profile="p" version="{version}"/></Clients>',
    }
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        (structure, _) = configuration(server)
    children = [dict(child.attrib) for child in structure]
    assert children == ([{"name": "c"}] if inherits else [])
    assert bool(messages(caplog, "bundle b: inherit_modification needs a client of version 1.4.0pre2")) is not inherits


# -- included bundles


def test_an_included_bundle_is_merged_and_one_in_it_too(tmp_path: Path) -> None:
    files = {
        "Bundler/b.xml": bundle(f'<xi:include {XI} href="parts/one.xml"/>', bound("/b")),
        "Bundler/parts/one.xml": bundle(
            bound("/one"), f'<xi:include {XI} href="two.xml"/>', '<RequiredBundle name="c"/>'
        ),
        "Bundler/parts/two.xml": bundle(bound("/two")),
        "Bundler/c.xml": bundle(bound("/c")),
    }
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {"b": ["Path:/b", "Path:/one", "Path:/two"], "c": ["Path:/c"]}


def test_an_empty_included_bundle_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": bundle("<Bundle/>", bound("/b"))}) as server:
        assert structures(server) == {"b": ["Path:/b"]}
    assert messages(caplog, "h: bundle b includes an empty Bundle")


# -- globs


class Names(Plugin, Generator):
    """A site's generator of some paths."""

    creates_directory = False

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.entries = {"Path": dict.fromkeys(("/etc/a.conf", "/etc/d/b.conf", "/etc/c"), self.bind_entry)}

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        entry.set("type", "file")


class NoTables(Plugin, Generator):
    """A site's generator that has no table of paths, as Packages has none."""

    creates_directory = False
    entries: Mapping[str, Mapping[str, Any]] = {}


GENERATORS = [f"{__name__}.Names", f"{__name__}.NoTables"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("/etc/*.conf", ["Path:/etc/a.conf", "Path:/etc/d/b.conf"]),
        ("/etc/?", ["Path:/etc/c"]),
        ("/etc/[ac]*", ["Path:/etc/a.conf", "Path:/etc/c"]),
        ("/none/*", []),
        ("", []),
    ],
)
def test_a_glob_stands_for_what_generators_offer(tmp_path: Path, glob: str, found: list[str]) -> None:
    files = {"Bundler/b.xml": bundle(f'<Path glob="{glob}"/>', f'<Group name="web"><Path glob="{glob}"/></Group>')}
    with plugin_site(tmp_path, ["Bundler", *GENERATORS], files) as server:
        assert structures(server) == {"b": sorted(found * 2)}


# -- files that fail, change or go


class Refusing(Plugin, TemplateDataProvider):
    """A site's plugin that has a mistake which shows with one client."""

    creates_directory = False

    def get_xml_template_data(self, structfile: StructFile, metadata: ClientMetadata) -> Mapping[str, Any]:
        return {} if metadata.hostname != "x" else {"a": 1 // 0}


def test_a_mistake_in_a_plugin_costs_the_bundles_that_ask_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        "Bundler/b.xml": bundle('<RequiredBundle name="c"/>', bound("/b")),
        "Bundler/c.xml": bundle(bound("/c"), attributes=PY),
    }
    with plugin_site(tmp_path, ["Bundler", f"{__name__}.Refusing"], files) as server:
        assert structures(server) == {"b": ["Path:/b"], "c": ["Path:/c"]}
        assert structures(server, "x") == {"b": ["Path:/b"]}
    assert messages(caplog, "x: leaving out bundle c")


def test_a_template_that_fails_costs_its_bundle_and_says_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "Bundler/b.xml": bundle('<RequiredBundle name="c"/>', bound("/b")),
        "Bundler/c.xml": f'<Bundle {PY}>\n<BoundPath name="${{metadata.nothing}}"/></Bundle>',
    }
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {"b": ["Path:/b"]}
    (line,) = messages(caplog, "h: leaving out bundle c")
    assert "Bundler/c.xml: line 2: " in line


@pytest.mark.parametrize(
    "broken",
    [b"<Bundle>\n<Path", b"", b"\xff", b'<Bundle xmlns:py="http://genshi.edgewall.org/"><a py:if="("/></Bundle>'],
)
def test_a_broken_bundle_is_told_and_the_last_good_version_stays(
    tmp_path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"Bundler/b.xml": bundle(bound("/good")), "Bundler/never.xml": broken}
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        (tmp_path / "Bundler/b.xml").write_bytes(broken)
        until(server, lambda: bool(messages(caplog, f"{tmp_path}/Bundler/b.xml: ")))
        assert structures(server) == {"b": ["Path:/good"]}
        write_files(tmp_path, {"Bundler/b.xml": bundle(bound("/new"), '<RequiredBundle name="never"/>')})
        until(server, lambda: structures(server) == {"b": ["Path:/new"]})
    assert messages(caplog, "h: leaving out bundle never")


def test_a_change_during_a_build_does_not_show_in_it(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": bundle(bound("/old"))}) as server:
        bundler = server.plugin("Bundler")
        assert isinstance(bundler, Bundler)
        (before,) = bundler.build_structures(server.core.build_metadata("h"))
        write_files(tmp_path, {"Bundler/b.xml": bundle(bound("/new"))})
        until(server, lambda: structures(server) == {"b": ["Path:/new"]})
        assert [entry.get("name") for entry in before] == ["/old"]


def test_what_is_done_to_a_structure_does_not_show_in_the_next(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": bundle(bound("/a"))}) as server:
        bundler = server.plugin("Bundler")
        assert isinstance(bundler, Bundler)
        (first,) = bundler.build_structures(server.core.build_metadata("h"))
        first.clear()
        assert structures(server) == {"b": ["Path:/a"]}


def test_bundles_come_and_go(tmp_path: Path) -> None:
    files = {"Bundler/b.xml": bundle('<RequiredBundle name="c"/>'), "Bundler/d/c.xml": bundle(bound("/c"))}
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {"b": [], "c": ["Path:/c"]}
        shutil.rmtree(tmp_path / "Bundler/d")
        until(server, lambda: structures(server) == {"b": []})
        write_files(tmp_path, {"Bundler/e/c.xml": bundle(bound("/again"))})
        until(server, lambda: structures(server) == {"b": [], "c": ["Path:/again"]})


def test_two_files_of_one_name_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"Bundler/b.xml": bundle(bound("/a")), "Bundler/z/b.xml": bundle(bound("/z"))}
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {"b": ["Path:/z"]}
    assert messages(caplog, "Bundle b is in ")


def test_a_bundle_that_ends_in_genshi_is_a_template_and_deprecated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"Bundler/b.genshi": '<Bundle><BoundPath name="/$metadata.hostname"/></Bundle>'}
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {"b": ["Path:/h"]}
    assert messages(caplog, "the extension .genshi is deprecated for bundles")


def test_a_directory_in_place_of_a_bundle(tmp_path: Path) -> None:
    files = {"Bundler/b.xml/c.xml": bundle(bound("/c")), "Bundler/README": "no bundle", "Bundler/b.xsd": "no bundle"}
    with plugin_site(tmp_path, ["Bundler"], files) as server:
        assert structures(server) == {}


def test_a_file_becomes_a_directory_and_a_file_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "Bundler/b.xml"
    with plugin_site(tmp_path, ["Bundler"], {"Bundler/b.xml": bundle(bound("/a"))}) as server:
        assert structures(server) == {"b": ["Path:/a"]}
        path.unlink()
        write_files(tmp_path, {"Bundler/b.xml/b.xml": bundle(bound("/in"))})
        until(server, lambda: structures(server) == {"b": ["Path:/in"]})
        shutil.rmtree(path)
        write_files(tmp_path, {"Bundler/b.xml": bundle(bound("/again"))})
        until(server, lambda: structures(server) == {"b": ["Path:/again"]})
    # There never were two of them.
    assert not messages(caplog, "Bundle b is in ")


def test_a_thousand_bundles(tmp_path: Path) -> None:
    required = "".join(f'<RequiredBundle name="r{n}"/>' for n in range(1000))
    files = {f"Bundler/r{n}.xml": bundle(bound(f"/{n}")) for n in range(1000)}
    with plugin_site(tmp_path, ["Bundler"], {**files, "Bundler/b.xml": bundle(required)}) as server:
        found = structures(server)
    assert len(found) == 1001
    assert found["r999"] == ["Path:/999"]
