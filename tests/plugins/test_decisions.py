"""Decisions: the two lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from geventcore.errors import RepositoryError
from geventcore.options.server import FILEMONITOR
from geventcore.plugin.interfaces import Decision
from tests.support.cfg_site import client, until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files


def decide(server: SmallServer, mode: str = "whitelist", *groups: str) -> list[tuple[str, str]]:
    plugin = server.plugin("Decisions")
    assert isinstance(plugin, Decision)
    return plugin.get_decisions(client("h", *groups), mode)


def write(root: Path, files: Mapping[str, str]) -> None:
    write_files(root, {**METADATA, **{f"Decisions/{name}": text for name, text in files.items()}})


def test_conditions_and_order(tmp_path: Path) -> None:
    whitelist = (
        '<Decisions><Group name="g"><Decision type="Path" name="/etc/*"/></Group><Decision type="*" name="ssh*"/>'
        '<Group name="no"><Decision type="Service" name="x"/></Group><Decisions><Decision type="Package" name="in"/>'
        '</Decisions><Client name="h"><Decision type="Package" name="vim"/></Client></Decisions>'
    )
    blacklist = '<Decisions><Group name="g" negate="true"><Decision type="Action" name="*"/></Group></Decisions>'
    write(tmp_path, {"whitelist.xml": whitelist, "blacklist.xml": blacklist})
    with small_server(tmp_path, ["Metadata", "Decisions"]) as server:
        assert decide(server, "whitelist", "g") == [
            ("*", "ssh*"),
            ("Package", "in"),
            ("Path", "/etc/*"),
            ("Package", "vim"),
        ]
        assert decide(server, "blacklist", "g") == []
        assert decide(server, "blacklist") == [("Action", "*")]


@pytest.mark.parametrize("mode", ["bogus", "", "blacklist", "../Metadata/groups"])
def test_a_mode_without_a_file_decides_nothing(tmp_path: Path, mode: str) -> None:
    write(tmp_path, {"whitelist.xml": "<Decisions/>"})
    with small_server(tmp_path, ["Metadata", "Decisions"]) as server:
        assert decide(server, mode) == []


def test_what_is_incomplete_is_reported_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = '<Decisions><Decision type="Path"/><Decision name="x"/><Decision type="Path" name="/a"/></Decisions>'
    write(tmp_path, {"whitelist.xml": text, "other.xml": "<x/>"})
    with small_server(tmp_path, ["Metadata", "Decisions"]) as server:
        assert decide(server) == [("Path", "/a")]
    assert caplog.text.count("whitelist.xml: ignoring a Decision without type or name") == 2
    assert "other.xml: ignoring this file, its name is not valid" in caplog.text


def test_a_broken_list_is_an_error_and_not_an_empty_list(tmp_path: Path) -> None:
    write(tmp_path, {"blacklist.xml": "<Decisions>", "whitelist.xml": '<D><Decision type="a" name="b"/></D>'})
    with small_server(tmp_path, ["Metadata", "Decisions"]) as server:
        with pytest.raises(RepositoryError, match=r"blacklist\.xml"):
            decide(server, "blacklist")
        assert decide(server) == [("a", "b")]


def test_lists_change_break_and_go(tmp_path: Path) -> None:
    path = tmp_path / "Decisions/whitelist.xml"
    write(tmp_path, {"whitelist.xml": '<Decisions><Decision type="a" name="1"/></Decisions>'})
    with small_server(tmp_path, ["Metadata", "Decisions"], {FILEMONITOR: "inotify"}) as server:
        assert decide(server) == [("a", "1")]
        path.write_text("<Decisions>")
        (tmp_path / "Decisions/blacklist.xml").write_text('<Decisions><Decision type="b" name="2"/></Decisions>')
        until(server, lambda: decide(server, "blacklist") == [("b", "2")])
        assert decide(server) == [("a", "1")]
        path.unlink()
        until(server, lambda: decide(server) == [])
