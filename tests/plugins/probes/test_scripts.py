"""Probes: the scripts that are served, and what becomes of their results."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.options import Option
from geventcore.options.server import CACHE_MODE, FILEMONITOR
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.probes import Probes
from geventcore.plugins.probes.plugin import ALLOWED_GROUPS
from geventcore.plugins.probes.probe_data import ProbeData
from tests.support.cfg_site import client, until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

CLIENTS = {
    "Metadata/groups.xml": '<Groups><Group name="p" profile="true" default="true"/></Groups>',
    "Metadata/clients.xml": '<Clients><Client name="h" profile="p"/><Client name="i" profile="p"/></Clients>',
}


def probes_of(server: SmallServer) -> Probes:
    plugin = server.plugin("Probes")
    assert isinstance(plugin, Probes)
    return plugin


def upload(server: SmallServer, hostname: str = "h", **results: str | None) -> None:
    """Send results as a client does."""
    elements = []
    for name, text in results.items():
        element = etree.Element("probe-data", name=name, source="Probes")
        element.text = text
        elements.append(element)
    probes_of(server).receive_data(client(hostname), elements)


def groups(server: SmallServer, hostname: str = "h") -> list[str]:
    return probes_of(server).get_additional_groups(client(hostname))


def data(server: SmallServer, hostname: str = "h") -> Mapping[str, Any]:
    return probes_of(server).get_additional_data(client(hostname))


def served(root: Path, files: Mapping[str, str | bytes], metadata: ClientMetadata) -> dict[str, tuple[str, str]]:
    """Name -> interpreter and script of the probes that a client gets, in their order."""
    write_files(root, {**METADATA, **{f"Probes/{name}": text for name, text in files.items()}})
    with small_server(root, ["Metadata", "Probes"]) as server:
        probes = probes_of(server).get_probes(metadata)
    assert all(probe.get("source") == "Probes" for probe in probes)
    return {probe.get("name", ""): (probe.get("interpreter", ""), probe.text or "") for probe in probes}


# -- what is served


def test_the_best_match_of_each_name_sorted_by_name(tmp_path: Path) -> None:
    files = {
        "b": "all",
        "b.H_h": "host",
        "a": "all",
        "a.G10_g": "g10",
        "a.G20_g": "g20",
        "c.H_other": "x",
        "d.G10_g": "g",
    }
    assert list(served(tmp_path, files, client("h", "g")).items()) == [
        ("a", ("/bin/sh", "g20")),
        ("b", ("/bin/sh", "host")),
        ("d", ("/bin/sh", "g")),
    ]


@pytest.mark.parametrize(
    ("script", "interpreter"),
    [
        ("echo x", "/bin/sh"),
        ("#!/usr/bin/env python3\nx", "/usr/bin/env python3"),
        ("#!  /bin/bash -eu\nx", "/bin/bash -eu"),
        ("#!/bin/sh\r\nx", "/bin/sh"),
        ("#!\nx", "/bin/sh"),
        (" #!/bin/bash\nx", "/bin/sh"),
        ("# x\n#!/bin/bash\n", "/bin/sh"),
        ("", "/bin/sh"),
    ],
)
def test_the_first_line_names_the_interpreter(tmp_path: Path, script: str, interpreter: str) -> None:
    assert served(tmp_path, {"p": script.encode()}, client()) == {"p": (interpreter, script)}


def test_only_priorities_of_two_digits_are_taken_off_the_name(tmp_path: Path) -> None:
    files = {"x": "1", "x.G5_g": "2", "x.G100_g": "3", "x.G05_g": "4", "y.G7_other": "5"}
    found = served(tmp_path, files, client("h", "g"))
    assert {name: script for name, (_, script) in found.items()} == {"x": "4", "x.G5_g": "2", "x.G100_g": "3"}


def test_other_names_are_reported_and_editors_files_are_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"ok_-1": "x", "bad.txt": "x", "bad name": "x", "bad.X_y": "x", "p~": "x", ".#p": "x", ".p.swp": "x"}
    assert set(served(tmp_path, files, client())) == {"ok_-1"}
    reported = [record.getMessage() for record in caplog.records if "ignoring this file" in record.getMessage()]
    assert [Path(message.split(": ")[0]).name for message in reported] == ["bad name", "bad.X_y", "bad.txt"]


def test_a_script_that_is_no_text_is_reported_and_not_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert set(served(tmp_path, {"good": "x", "latin": b"\xe9", "control": b"a\n\x01"}, client())) == {"good"}
    assert "Probes/latin: line 1: byte 0xe9" in caplog.text
    assert "Probes/control: line 2: XML does not allow" in caplog.text


def test_scripts_change_come_and_go(tmp_path: Path) -> None:
    write_files(tmp_path, {**METADATA, "Probes/a": "one", "Probes/b": "x"})
    with small_server(tmp_path, ["Metadata", "Probes"], {FILEMONITOR: "inotify"}) as server:

        def scripts() -> dict[str | None, str | None]:
            return {probe.get("name"): probe.text for probe in probes_of(server).get_probes(client())}

        (tmp_path / "Probes/a").write_text("two")
        (tmp_path / "Probes/b").unlink()
        (tmp_path / "Probes/c.H_h").write_text("new")
        until(server, lambda: scripts() == {"a": "two", "c": "new"})


# -- groups and results


@pytest.mark.parametrize(
    ("text", "expected_groups", "result"),
    [
        ("group:a", ["a"], ""),
        ("group: a\n", ["a"], ""),
        ("group:\ta-b.c  ignored words\nrest\n", ["a-b.c"], "rest\n"),
        ("x\ngroup:a\ny", ["a"], "x\ny"),
        (" group:a", [], " group:a"),
        ("GROUP:a", [], "GROUP:a"),
        ("my group:a", [], "my group:a"),
        ("group:", [], "group:"),
        ("group:\nb", [], "group:\nb"),
        ("group:b\ngroup:a\ngroup:b", ["b", "a"], ""),
        ("group:a\r\nx\r\n", ["a"], "x\r\n"),
        ("  kept \n", [], "  kept \n"),
        ("", [], ""),
        (None, [], ""),
    ],
)
def test_group_lines(tmp_path: Path, text: str | None, expected_groups: list[str], result: str) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", "Probes"]) as server:
        upload(server, p=text)
        assert groups(server) == expected_groups
        assert data(server) == {"p": result}


def test_groups_that_are_not_allowed_are_dropped_with_their_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(tmp_path, METADATA)
    options: dict[Option[Any], Any] = {ALLOWED_GROUPS: ALLOWED_GROUPS.type.parse(r"os-.* role\d")}
    with small_server(tmp_path, ["Metadata", "Probes"], options) as server:
        upload(server, p="group:os-x\ngroup:xos-x\ngroup:role1\ngroup:role12\nrest")
        assert groups(server) == ["os-x", "role1"]
        assert data(server) == {"p": "rest"}
    (warning,) = [record.getMessage() for record in caplog.records if "allowed_groups" in record.getMessage()]
    assert "xos-x" in warning
    assert "role12" in warning


def test_an_upload_replaces_the_clients_groups_and_results_and_no_others(tmp_path: Path) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", "Probes"]) as server:
        upload(server, "h", a="group:one\n1", b="2")
        upload(server, "i", a="3")
        upload(server, "h", a="group:two\n4")
        assert (groups(server), data(server)) == (["two"], {"a": "4"})
        assert data(server, "i") == {"a": "3"}
        upload(server, "h")
        assert (groups(server), data(server)) == ([], {})
        assert data(server, "never") == {}


def test_templates_may_change_what_they_get(tmp_path: Path) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", "Probes"]) as server:
        upload(server, a="1")
        taken: Any = data(server)
        taken["a"] = "changed"
        assert data(server) == {"a": "1"}


def test_a_result_without_a_name_is_ignored(tmp_path: Path) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", "Probes"]) as server:
        probes_of(server).receive_data(client(), [etree.Element("probe-data"), etree.Element("probe-data", name="a")])
        assert data(server) == {"a": ""}


# -- results as templates see them


def test_a_result_can_be_read_as_xml_json_and_yaml() -> None:
    assert ProbeData('{"a": [1]}').json == {"a": [1]}
    assert ProbeData("a: [x, y]\n").yaml == {"a": ["x", "y"]}
    xml = ProbeData('<?xml version="1.0" encoding="latin-1"?>\n<a b="é"/>').xdata
    assert xml is not None
    assert xml.get("b") == "é"
    text = ProbeData(" plain text \n")
    assert (text, text.data, type(text.data)) == (" plain text \n", " plain text \n", str)


@pytest.mark.parametrize("text", ["plain: text: x", "", "[" * 20_000, "{", "\x01", "2020-13-45T25:00:00"])
def test_what_a_result_is_not_is_none(text: str) -> None:
    result = ProbeData(text)
    assert result.xdata is None
    assert result.json is None
    assert result.yaml is None


def test_a_result_is_parsed_once_and_does_not_reach_for_files(tmp_path: Path) -> None:
    result = ProbeData('{"a": 1}')
    assert result.json is result.json
    (tmp_path / "secret").write_text("secret")
    evil = ProbeData(f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]><a>&e;</a>').xdata
    assert evil is None or "secret" not in "".join(str(part) for part in evil.itertext())


# -- caching, options


@pytest.mark.parametrize("mode", ["cautious", "aggressive"])
def test_only_a_change_expires_and_only_that_client(tmp_path: Path, mode: str) -> None:
    write_files(tmp_path, CLIENTS)
    with small_server(tmp_path, ["Metadata", "Probes"], {CACHE_MODE: mode}) as server:
        build = server.context.build_metadata
        upload(server, "h", a="1")
        first, other = build("h"), build("i")
        assert build("h") is first
        upload(server, "h", a="1")
        assert build("h") is first
        upload(server, "h", a="group:g\n1")
        assert build("h").groups == {"p", "g"}
        assert build("i") is other


def test_an_empty_result_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_files(tmp_path, METADATA)
    with caplog.at_level(logging.INFO), small_server(tmp_path, ["Metadata", "Probes"]) as server:
        upload(server, a=None)
    assert "h: the results of these probes are empty: 'a'" in caplog.text
