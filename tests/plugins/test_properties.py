"""Properties: what templates get of property files, and writing them back."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError, TemplateError
from geventcore.options import Option
from geventcore.options.server import CACHE_MODE, FILEMONITOR
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.properties import Properties
from geventcore.plugins.properties.options import AUTOMATCH, WRITES_ENABLED
from tests.support.cfg_site import client, until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

SITE = """<Properties>
  <!-- ports -->
  <port>80</port>
  <Group name="ga"><user name="ann">one</user><Group name="zz"><user name="zed"/></Group></Group>
  <Client name="n2"><user name="bob"/></Client>
  <user name="always"/>
</Properties>
"""


def site(
    root: Path,
    files: Mapping[str, str | bytes],
    options: Mapping[Option[Any], Any] | None = None,
    *,
    watched: bool = False,
) -> AbstractContextManager[SmallServer]:
    write_files(root, {**METADATA, **{f"Properties/{name}": content for name, content in files.items()}})
    return small_server(
        root, ["Metadata", "Properties"], {**(options or {}), **({FILEMONITOR: "inotify"} if watched else {})}
    )


def properties(server: SmallServer, metadata: ClientMetadata | None = None) -> Mapping[str, Any]:
    plugin = server.plugin("Properties")
    assert isinstance(plugin, Properties)
    return plugin.get_additional_data(metadata or client("n1", "ga"))


# -- reading


def test_an_xml_file(tmp_path: Path) -> None:
    with site(tmp_path, {"site.xml": SITE}) as server:
        file = properties(server)["site.xml"]
        assert file.xdata.find("port").text == "80"
        assert len(file.xdata.findall(".//user")) == 4
        assert len([entry for entry in file.entries if isinstance(entry.tag, str)]) == 4
        metadata = client("n2", "ga")
        assert [element.get("name") for element in file.Match(metadata)] == [None, "ann", "bob", "always"]
        assert [user.get("name") for user in file.XMLMatch(metadata).findall("user")] == ["always", "ann", "bob"]


def test_json_and_yaml_files_in_subdirectories(tmp_path: Path) -> None:
    files = {
        "a.json": '{"k": ["x", {"y": "é"}], "n": 1.5}',
        "sub/b.yaml": "list:\n  - one\nflag: true\n",
        "sub/deep/c.yml": "- ü",
        "empty.yaml": "",
        "a.xsd": "<x/>",
    }
    with site(tmp_path, files) as server:
        found = properties(server)
        assert sorted(found) == ["a.json", "empty.yaml", "sub/b.yaml", "sub/deep/c.yml"]
        assert found["a.json"].json == {"k": ["x", {"y": "é"}], "n": 1.5}
        assert str(found["a.json"]) == "{'k': ['x', {'y': 'é'}], 'n': 1.5}"
        assert found["sub/b.yaml"].yaml == {"list": ["one"], "flag": True}
        assert str(found["sub/deep/c.yml"]) == "['ü']"
        assert found["empty.yaml"].yaml is None


def test_it_is_a_mapping(tmp_path: Path) -> None:
    with site(tmp_path, {"a.json": "1", "b.xml": "<x/>"}) as server:
        found = properties(server)
        assert (len(found), "a.json" in found, "c" in found, set(found)) == (2, True, False, {"a.json", "b.xml"})
        assert found.get("c") is None
        assert {name for name, _ in found.items()} == {"a.json", "b.xml"}
        assert found["a.json"] is found["a.json"]
        with pytest.raises(KeyError):
            found["c"]


def test_includes_and_templates(tmp_path: Path) -> None:
    files = {
        "inc.xml": '<P xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="part.frag"/></P>',
        "part.frag": "<extra><n>1</n></extra>",
        "t.xml": '<P xmlns:py="http://genshi.edgewall.org/"><n py:for="i in range(2)">$i$metadata.hostname</n></P>',
    }
    with site(tmp_path, files) as server:
        found = properties(server)
        assert [n.text for n in found["inc.xml"].xdata.iter("n")] == ["1"]
        assert [n.text for n in found["t.xml"].XMLMatch(client("x"))] == ["0x", "1x"]
        assert [n.text for n in found["t.xml"].Match(client("y"))] == ["0y", "1y"]


@pytest.mark.parametrize(
    ("name", "broken", "where"),
    [
        ("x.xml", "<P>", "x.xml: not well-formed"),
        ("x.xml", "", "x.xml: not well-formed"),
        ("x.json", '{\n"a": }', "x.json: line 2: not JSON"),
        ("x.json", "", "x.json: line 1: not JSON"),
        ("x.json", b'"\xff"', "x.json: not JSON"),
        ("x.json", "[" * 100_000, "x.json: not JSON"),
        ("x.yaml", "a: b\nc: d: e\n", "x.yaml: line 2: not YAML"),
        ("x.yaml", "a: !!python/object/apply:os.system ['false']", "x.yaml: line 1: not YAML"),
        ("x.yaml", b"\xff\xfe\xff", "x.yaml: not YAML"),
        ("x.yaml", "a: 2020-13-45", "x.yaml: not YAML"),
    ],
)
def test_a_file_that_was_never_good_is_missing_and_harms_nothing_else(
    tmp_path: Path, name: str, broken: str | bytes, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    with site(tmp_path, {name: broken, "good.json": "1"}) as server:
        found = properties(server)
        assert set(found) == {"good.json"}
        with pytest.raises(KeyError):
            found[name]
        assert found["good.json"].json == 1
    assert where in caplog.text
    assert "Traceback" not in caplog.text


def test_files_come_change_break_and_go(tmp_path: Path) -> None:
    path = tmp_path / "Properties/x.json"
    with site(tmp_path, {"x.json": "1", "gone.xml": "<x/>"}, watched=True) as server:

        def values() -> dict[str, str]:
            return {name: str(value) for name, value in properties(server).items()}

        path.write_text("2")
        (tmp_path / "Properties/gone.xml").unlink()
        write_files(tmp_path, {"Properties/new/y.yaml": "3"})
        until(server, lambda: values() == {"x.json": "2", "new/y.yaml": "3"})
        path.write_text("{")
        (tmp_path / "Properties/new/y.yaml").write_text("4")
        until(server, lambda: values()["new/y.yaml"] == "4")
        assert values()["x.json"] == "2"
        path.write_text("5")
        until(server, lambda: values()["x.json"] == "5")


def test_a_file_that_was_broken_appears_once_it_is_mended(tmp_path: Path) -> None:
    with site(tmp_path, {"x.xml": "<P>"}, watched=True) as server:
        assert not properties(server)
        (tmp_path / "Properties/x.xml").write_text("<P/>")
        until(server, lambda: set(properties(server)) == {"x.xml"})


def test_without_pyyaml_only_yaml_files_are_unusable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with site(tmp_path, {"x.yaml": "1", "x.json": "1"}) as server:
        assert set(properties(server)) == {"x.json"}
    assert "x.yaml: PyYAML is needed" in caplog.text


# -- views


def test_what_a_template_changes_nobody_else_sees(tmp_path: Path) -> None:
    with site(tmp_path, {"x.xml": SITE, "x.json": '{"a": [1]}', "x.yaml": "a: [1]"}) as server:
        mine = properties(server)
        mine["x.xml"].xdata.find("port").text = "changed"
        mine["x.json"].json["a"].append(2)
        mine["x.yaml"].yaml["a"].append(2)
        assert mine["x.xml"].xdata.find("port").text == "changed"
        others = properties(server)
        assert others["x.xml"].xdata.find("port").text == "80"
        assert others["x.json"].json == {"a": [1]}
        assert others["x.yaml"].yaml == {"a": [1]}


def test_what_is_matched_can_be_changed_too(tmp_path: Path) -> None:
    with site(tmp_path, {"x.xml": SITE}) as server:
        file = properties(server)["x.xml"]
        metadata = client("n1", "ga")
        file.Match(metadata)[0].text = "changed"
        file.XMLMatch(metadata).find("port").text = "changed"
        assert file.Match(metadata)[0].text == "80"
        assert file.xdata.find("port").text == "80"


def test_matching_sees_what_a_template_has_changed(tmp_path: Path) -> None:
    with site(tmp_path, {"x.xml": SITE}) as server:
        file = properties(server)["x.xml"]
        etree.SubElement(file.xdata.find("Group"), "user", name="new")
        metadata = client("n1", "ga")
        assert [e.get("name") for e in file.Match(metadata)] == [None, "ann", "new", "always"]
        assert [e.get("name") for e in file.XMLMatch(metadata).findall("user")] == ["always", "ann", "new"]
        assert isinstance(file.xdata[0], etree._Comment)


@pytest.mark.parametrize(
    ("attribute", "default", "matched"),
    [
        ("", False, False),
        ("", True, True),
        (' automatch="true"', False, True),
        (' automatch="TRUE"', False, True),
        (' automatch="false"', True, False),
        (' automatch="maybe"', True, False),
    ],
)
def test_automatch(tmp_path: Path, attribute: str, default: bool, matched: bool) -> None:
    text = f'<P{attribute}><a/><Group name="ga"><b/></Group><Group name="no"><c/></Group></P>'
    with site(tmp_path, {"x.xml": text, "x.json": "1"}, {AUTOMATCH: default}) as server:
        found = properties(server)
        assert isinstance(found["x.xml"], etree._Element) == matched
        if matched:
            assert [element.tag for element in found["x.xml"]] == ["a", "b"]
        assert found["x.json"].json == 1


def test_an_automatched_template_fails_only_whoever_reads_it(tmp_path: Path) -> None:
    text = '<P automatch="true" xmlns:py="http://genshi.edgewall.org/"><a n="${nothing}"/></P>'
    with site(tmp_path, {"x.xml": text, "x.json": "1"}) as server:
        found = properties(server)
        assert found["x.json"].json == 1
        with pytest.raises(TemplateError, match=r"x\.xml"):
            found["x.xml"]


def test_metadata_with_properties_is_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    with site(tmp_path, {"x.xml": '<P automatch="true"/>'}) as server:
        gc.disable()
        try:
            metadata: Any = client("n1")
            metadata.Properties = properties(server, metadata)
            assert metadata.Properties["x.xml"].tag == "P"
            alive = weakref.ref(metadata)
            del metadata
            assert alive() is None
        finally:
            gc.enable()


@pytest.mark.parametrize("mode", ["off", "initial", "cautious", "aggressive"])
def test_a_change_counts_in_every_cache_mode(tmp_path: Path, mode: str) -> None:
    xinclude = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
    files = {"x.xml": f'<P {xinclude}><xi:include href="part.frag"/></P>', "part.frag": "<n>1</n>"}
    with site(tmp_path, files, {CACHE_MODE: mode}, watched=True) as server:
        write_files(tmp_path, {"Metadata/clients.xml": '<Clients><Client name="h" profile="p"/></Clients>'})

        def seen() -> str:
            metadata: Any = server.context.build_metadata("h")
            return str(metadata.Properties["x.xml"].xdata.findtext("n"))

        until(server, lambda: "h" in server.core.metadata_source().list_clients())
        assert seen() == "1"
        (tmp_path / "Properties/part.frag").write_text("<n>2</n>")
        until(server, lambda: seen() == "2")


# -- writing


def test_writing_back(tmp_path: Path) -> None:
    files = {"x.xml": f"<!-- about -->\n{SITE}", "x.json": '{"a": "é"}', "x.yaml": "b: 1\na: é\n"}
    with site(tmp_path, files, watched=True) as server:
        found = properties(server)
        found["x.xml"].xdata.find("port").text = "8080"
        found["x.json"].json["new"] = [1, None]
        found["x.yaml"].yaml["c"] = ["x"]
        assert all(found[name].write() is True for name in found)
        until(server, lambda: properties(server)["x.xml"].xdata.find("port").text == "8080")
        until(server, lambda: properties(server)["x.json"].json == {"a": "é", "new": [1, None]})
    text = (tmp_path / "Properties/x.xml").read_text()
    assert "<!-- about -->" in text
    assert "<!-- ports -->" in text
    assert '<Group name="ga">' in text
    assert json.loads((tmp_path / "Properties/x.json").read_bytes()) == {"a": "é", "new": [1, None]}
    assert yaml.safe_load((tmp_path / "Properties/x.yaml").read_bytes()) == {"b": 1, "a": "é", "c": ["x"]}


def test_writing_can_be_forbidden(tmp_path: Path) -> None:
    with site(tmp_path, {"x.json": "1", "x.xml": "<x/>"}, {WRITES_ENABLED: False}) as server:
        for file in properties(server).values():
            with pytest.raises(PluginExecutionError, match="writes_enabled"):
                file.write()


SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="P"><xs:complexType><xs:sequence>
<xs:element name="port" type="xs:integer"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""


def test_a_schema_beside_the_file_decides(tmp_path: Path) -> None:
    with site(tmp_path, {"x.xml": "<P><port>80</port></P>", "x.xsd": SCHEMA}) as server:
        file = properties(server)["x.xml"]
        file.xdata.find("port").text = "8080"
        assert file.write()
        file.xdata.find("port").text = "many"
        with pytest.raises(PluginExecutionError, match=r"x\.xml: not written: the data violate x\.xsd: .*many"):
            file.write()
    assert "8080" in (tmp_path / "Properties/x.xml").read_text()


@pytest.mark.parametrize("schema", ["<xs:schema", "<x/>", ""])
def test_a_broken_schema_forbids_writing(tmp_path: Path, schema: str) -> None:
    with (
        site(tmp_path, {"x.xml": "<P/>", "x.xsd": schema}) as server,
        pytest.raises(PluginExecutionError, match=r"x\.xsd: invalid schema"),
    ):
        properties(server)["x.xml"].write()


def test_data_that_the_format_cannot_hold_are_not_written(tmp_path: Path) -> None:
    with site(tmp_path, {"x.json": "1", "x.yaml": "1"}) as server:
        found = properties(server)
        found["x.json"].json = {"a": object()}
        found["x.yaml"].yaml = {"a": object()}
        for name in found:
            with pytest.raises(PluginExecutionError, match=f"{name}: not written"):
                found[name].write()
    assert (tmp_path / "Properties/x.json").read_text() == "1"
    assert (tmp_path / "Properties/x.yaml").read_text() == "1"


def test_a_write_that_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with site(tmp_path, {"x.json": "1"}) as server:
        file = properties(server)["x.json"]
        monkeypatch.setattr("geventcore.plugins.properties.files.write_durably", full_disk)
        with pytest.raises(PluginExecutionError, match=r"x\.json: cannot be written: No space left"):
            file.write()
    assert (tmp_path / "Properties/x.json").read_text() == "1"


def test_a_file_that_was_never_good_has_no_value(tmp_path: Path) -> None:
    with site(tmp_path, {"x.json": "{"}) as server:
        plugin: Any = server.plugin("Properties")
        file = plugin._files.children["x.json"]
        assert not file.is_usable
        with pytest.raises(RepositoryError, match="no usable version"):
            file.copy_value()


def test_the_text_of_a_file_and_its_validation(tmp_path: Path) -> None:
    schema = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="Properties">'
        '<xs:complexType><xs:sequence><xs:element name="a"/></xs:sequence></xs:complexType></xs:element></xs:schema>'
    )
    files = {
        "a.xml": "<Properties>\n<a>é</a></Properties>\n",
        "a.xsd": schema,
        "j.json": '{"k":  1}\n',
        "y.yaml": "k:   1\n",
    }
    with site(tmp_path, files) as server:
        found = properties(server)
        assert found["a.xml"].data == files["a.xml"]
        assert found["j.json"].data == files["j.json"]
        assert found["y.yaml"].data == files["y.yaml"]
        assert found["a.xml"].extras == []
        assert all(found[name].validate_data() for name in ("a.xml", "j.json", "y.yaml"))
        found["a.xml"].xdata[0].tag = "b"
        with pytest.raises(PluginExecutionError, match=r"violate a\.xsd"):
            found["a.xml"].validate_data()
        found["j.json"].json = {1, 2}
        with pytest.raises(PluginExecutionError, match="JSON does not support"):
            found["j.json"].validate_data()
