"""Conditions and templates in XML files, and rules with priorities."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError, TemplateError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.specfiles.priority_files import Index, fill_in_name
from geventcore.specfiles.structfile import Struct, match_elements
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files


def client(*groups: str, hostname: str = "host") -> ClientMetadata:
    return ClientMetadata(hostname, groups=set(groups))


def xml_match(xml: str, metadata: ClientMetadata) -> str:
    return etree.tostring(Struct.of(etree.fromstring(xml)).xml_match(metadata), encoding="unicode")


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<r><a/><Group name='g'><b/><Group name='h'><c/></Group><d/></Group><e/></r>", "<r><a/><e/><b/><c/><d/></r>"),
        ("<r><Group name='no'><b/></Group><a/></r>", "<r><a/></r>"),
        ("<r><Group name='no' negate='TRUE'><b/></Group></r>", "<r><b/></r>"),
        ("<r><Client name='host'><b/></Client><Client name='other'><c/></Client></r>", "<r><b/></r>"),
        ("<r><a><Group name='g'><b/></Group><c/></a></r>", "<r><a><c/><b/></a></r>"),
        ("<r><Group name='g'><a><Group name='h'><b/></Group></a></Group></r>", "<r><a><b/></a></r>"),
        ("<r><!-- no --><a><!-- no --></a></r>", "<r><a/></r>"),
        ("<r>x<Group name='g'>y<a/></Group></r>", "<r>xy<a/></r>"),
    ],
)
def test_xml_match(xml: str, expected: str) -> None:
    assert xml_match(xml, client("g", "h")) == expected


def test_match_keeps_the_order_of_the_document() -> None:
    root = Struct.of(
        etree.fromstring("<r><a/><Group name='g'><b><Group name='no'><x/></Group><y/></b></Group><e/></r>")
    )
    found = match_elements(root.root, client("g"))
    assert [etree.tostring(element) for element in found] == [b"<a/>", b"<b><y/></b>", b"<e/>"]


def test_matching_leaves_the_file_as_it_was() -> None:
    struct = Struct.of(etree.fromstring("<r><Group name='g'><b/></Group></r>"))
    before = etree.tostring(struct.root)
    struct.xml_match(client("g")).append(etree.Element("new"))
    match_elements(struct.root, client("g"))[0].set("changed", "yes")
    assert etree.tostring(struct.root) == before


def reference_rules(root: etree._Element, tag: str, name: str, metadata: ClientMetadata) -> list[bytes]:
    """The candidates for an entry, straight from their definition: any fitting element below the matched tree."""
    matched = Struct.of(root).xml_match(metadata)
    same = [
        element
        for element in matched.iterdescendants(tag)
        if element.get("name") == name
        or (tag == "Path" and (element.get("name") or "").rstrip("/") == name.rstrip("/") != "")
    ]
    return sorted(etree.tostring(element, with_tail=False) for element in same)


def test_the_index_finds_what_the_definition_says() -> None:
    generator = random.Random(7)

    def children(depth: int) -> str:
        made = ""
        for _ in range(generator.randint(0, 4)):
            kind = generator.choice(["Group", "Client", "Path", "Service"])
            name = generator.choice(["g", "h", "host"] if kind in ("Group", "Client") else ["/a", "/a/", "b"])
            negate = generator.choice(["", ' negate="true"']) if kind in ("Group", "Client") else ""
            made += f'<{kind} name="{name}"{negate}>{children(depth - 1) if depth else ""}</{kind}>'
        return made

    compared = 0
    for _ in range(300):
        xml = f"<Rules>{children(3)}</Rules>"
        for groups in ((), ("g",), ("g", "h")):
            index = Index(regular_expressions=False)
            index.add(Struct.of(etree.fromstring(xml)).root, 1, Path("x.xml"))
            for tag in ("Path", "Service"):
                for name in ("/a", "/a/", "b", "c"):
                    found = index.find(tag, name, client(*groups))
                    got = sorted(
                        etree.tostring(candidate.content(client(*groups)), with_tail=False) for candidate in found
                    )
                    assert got == reference_rules(etree.fromstring(xml), tag, name, client(*groups)), xml
                    compared += len(got)
    assert compared > 500


def test_names_as_patterns_match_the_whole_name(caplog: pytest.LogCaptureFixture) -> None:
    index = Index(regular_expressions=True)
    index.add(
        etree.fromstring('<Rules><Service name="web.*"/><Service name="a.b"/><Service name="("/></Rules>'), 0, Path("x")
    )
    find = lambda name: [candidate.element.get("name") for candidate in index.find("Service", name, client())]  # noqa: E731
    assert find("web12") == ["web.*"]
    assert find("xweb") == []
    assert find("a.b") == ["a.b"]
    assert find("axb") == ["a.b"]
    assert find("(") == ["("]
    assert "not a regular expression" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("%{name}", "n"), ("%name", "n"), ("%%name", "%name"), ("%{other} %other", "%{other} %other"), ("100%", "100%")],
)
def test_filling_in_the_name(text: str, expected: str) -> None:
    assert fill_in_name(text, etree.Element("Service", name="n")) == expected


BUNDLE = '<Groups><Group name="p" profile="true" public="true" default="true"><Bundle name="b"/></Group></Groups>'


def entries(server: SmallServer) -> dict[str, dict[str, str]]:
    config = server.core.build_configuration("host")
    return {entry.get("name", ""): dict(entry.items()) for entry in config.iter("Service")}


def repository(root: Path, **files: str) -> Path:
    write_files(root, METADATA | {"Metadata/groups.xml": BUNDLE})
    write_files(root, {name.replace("__", "/") + ".xml": content for name, content in files.items()})
    return root


def test_a_broken_version_of_a_file_leaves_the_last_good_one_in_use(tmp_path: Path) -> None:
    repository(
        tmp_path,
        Bundler__b="<Bundle><Service name='s'/></Bundle>",
        Rules__r="<Rules priority='1'><Service name='s' x='1'/></Rules>",
    )
    with small_server(tmp_path, ["Metadata", "Bundler", "Rules"]) as server:
        assert entries(server)["s"]["x"] == "1"
        rules = server.plugin("Rules")
        file = rules._rules._directory.children["r.xml"]  # type: ignore[attr-defined]
        (tmp_path / "Rules/r.xml").write_text("<Rules priority='1'><Service name='s' x='2'>")
        with pytest.raises(RepositoryError, match=r"r\.xml: not well-formed"):
            server.changed(file, tmp_path / "Rules/r.xml")
        assert entries(server)["s"]["x"] == "1"


def test_a_template_that_fails_harms_only_what_needs_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    genshi = 'xmlns:py="http://genshi.edgewall.org/"'
    repository(
        tmp_path,
        Bundler__b="<Bundle><Service name='s'/><Service name='t'/></Bundle>",
        Rules__good="<Rules priority='1'><Service name='s' x='1'/></Rules>",
        Rules__bad=f"<Rules priority='1' {genshi}>\n<Service name='t' x='${{1/0}}'/></Rules>",
    )
    with small_server(tmp_path, ["Metadata", "Bundler", "Rules"]) as server:
        found = entries(server)
    assert found["s"]["x"] == "1"
    assert "failure" in found["t"]
    assert "bad.xml: line 2: ZeroDivisionError" in caplog.text


def test_a_template_that_does_not_compile_is_reported_at_load(tmp_path: Path) -> None:
    genshi = 'xmlns:py="http://genshi.edgewall.org/"'
    repository(tmp_path, Bundler__b=f"<Bundle {genshi}>\n<Service py:nonsense='1' name='s'/></Bundle>")
    with small_server(tmp_path, ["Metadata", "Bundler"]) as server:
        file = server.plugin("Bundler").bundles["b"]  # type: ignore[attr-defined]
        with pytest.raises(TemplateError, match=r'b\.xml: line 2: bad directive "nonsense"'):
            file.load()


def test_two_rules_of_one_priority_are_a_conflict_that_names_the_entry(tmp_path: Path) -> None:
    repository(tmp_path, Rules__r="<Rules priority='4'><Service name='s' x='1'/><Service name='s' x='2'/></Rules>")
    with small_server(tmp_path, ["Metadata", "Rules"]) as server:
        metadata = server.core.build_metadata("host")
        entry = etree.Element("Service", name="s")
        with pytest.raises(PluginExecutionError, match="2 rules of priority 4 for Service:s, host host"):
            server.context.bind_entry(entry, metadata)
