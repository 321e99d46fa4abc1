"""Hooks that return something of a wrong type: the log names the plugin, and nobody gets more than before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientACLs, Decision, Structure
from geventcore.rpc.access import AccessControl
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files


class Wrong(Plugin, Structure, Decision, ClientACLs):
    """A plugin whose results the tests set."""

    creates_directory = False
    structures: Any = ()
    decisions: Any = ()
    access: Any = True

    def build_structures(self, metadata: ClientMetadata) -> Any:
        return self.structures

    def get_decisions(self, metadata: ClientMetadata, mode: str) -> Any:
        return self.decisions

    def check_acl_ip(self, address: Any, method: str) -> Any:
        return self.access


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmallServer]:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", f"{__name__}.Wrong"]) as server:
        yield server


def plugin(server: SmallServer) -> Wrong:
    """The loaded plugin."""
    found = server.plugin("Wrong")
    assert isinstance(found, Wrong)
    return found


@pytest.mark.parametrize("structures", ["abc", ["abc"], etree.Element("Bundle"), 7, None])
def test_structures(server: SmallServer, structures: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin(server).structures = structures
    assert server.core.build_configuration("h").get("type") == "structure error"
    assert "Wrong.build_structures failed for h: " in caplog.text


@pytest.mark.parametrize("decisions", ["abc", ["ab"], [("a", "b", "c")], [7], None])
def test_decisions(server: SmallServer, decisions: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin(server).decisions = decisions
    assert server.core.renderer.get_decisions(server.core.build_metadata("h"), "whitelist") == []
    assert "Wrong.get_decisions failed for h: " in caplog.text


def test_iterators_are_read_once(server: SmallServer) -> None:
    plugin(server).structures = iter([etree.Element("Bundle", name="b")])
    plugin(server).decisions = iter([("Path", "*")])
    assert [structure.get("name") for structure in server.core.build_configuration("h")] == ["b"]
    assert server.core.renderer.get_decisions(server.core.build_metadata("h"), "whitelist") == [("Path", "*")]


@pytest.mark.parametrize("answer", ["no", "yes", 0, 1, ()])
def test_access(server: SmallServer, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin(server).access = answer
    access = AccessControl(lambda: server.core.plugins.by_type(ClientACLs), lambda _: ClientMetadata("h"))
    assert access.allows(("192.0.2.1", 1), "GetConfig") is False
    assert "access to GetConfig denied for 192.0.2.1: plugin Wrong failed: check_acl_ip returned" in caplog.text
