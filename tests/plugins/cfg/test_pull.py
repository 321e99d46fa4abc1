"""Taking files over from clients into Cfg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.specificity import Specificity
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

FILES = {
    "Cfg/etc/plain/plain": "for all",
    "Cfg/etc/plain/plain.G10_p": "for the group",
    "Cfg/etc/template/template.jinja2": "{{ metadata.hostname }}",
    "Cfg/etc/known/known": "x",
    "Cfg/etc/known/info.xml": '<FileInfo><Info owner="site"/></FileInfo>',
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmallServer]:
    write_files(tmp_path, METADATA | FILES)
    with small_server(tmp_path, ["Metadata", "Cfg"]) as small:
        yield small


def choices(server: SmallServer, name: str) -> list[Specificity]:
    cfg: Any = server.plugin("Cfg")
    return cfg.accept_choices(etree.Element("Path", name=name), server.core.build_metadata("host"))


def pull(server: SmallServer, specific: Specificity, **new_entry: Any) -> None:
    cfg: Any = server.plugin("Cfg")
    cfg.accept_pull_data(specific, new_entry, True)


def bound(server: SmallServer, name: str) -> etree._Element:
    entry = etree.Element("Path", name=name)
    server.context.bind_entry(entry, server.core.build_metadata("host"))
    return entry


def test_the_choices_are_as_now_and_for_the_client_alone(server: SmallServer) -> None:
    assert choices(server, "/etc/plain") == [Specificity(group="p", priority=10), Specificity(hostname="host")]
    assert choices(server, "/etc/known") == [Specificity(), Specificity(hostname="host")]
    assert choices(server, "/etc/nothing") == [Specificity(hostname="host")]


def test_what_is_stored_counts_at_once(server: SmallServer) -> None:
    specific = Specificity(hostname="host")
    pull(server, specific, name="/etc/plain", text="from the client\n", owner="daemon", group="staff", mode="0600")
    assert (server.repository / "Cfg/etc/plain/plain.H_host").read_text() == "from the client\n"
    entry = bound(server, "/etc/plain")
    assert entry.text == "from the client\n"
    assert [entry.get(name) for name in ("owner", "group", "mode")] == ["daemon", "staff", "0600"]
    assert choices(server, "/etc/plain") == [specific]


def test_an_existing_file_is_replaced_and_its_info_stays(server: SmallServer) -> None:
    pull(server, Specificity(), name="/etc/known", text=b"\xff\x00", owner="client")
    assert (server.repository / "Cfg/etc/known/known").read_bytes() == b"\xff\x00"
    assert 'owner="site"' in (server.repository / "Cfg/etc/known/info.xml").read_text()


def test_a_template_is_not_overwritten(server: SmallServer) -> None:
    with pytest.raises(PluginExecutionError, match=r"template\.jinja2: cannot import content into this file"):
        pull(server, Specificity(), name="/etc/template", text="host")
    assert (server.repository / "Cfg/etc/template/template.jinja2").read_text() == "{{ metadata.hostname }}"
    pull(server, Specificity(hostname="host"), name="/etc/template", text="mine")
    assert bound(server, "/etc/template").text == "mine"


def test_what_cannot_be_stored(server: SmallServer) -> None:
    with pytest.raises(PluginExecutionError, match="the directory Cfg/etc/nothing does not exist"):
        pull(server, Specificity(), name="/etc/nothing", text="x")
    with pytest.raises(PluginExecutionError, match="cannot import /etc/plain: the client sent no content"):
        pull(server, Specificity(), name="/etc/plain")
    (server.repository / "Cfg/etc/plain/plain.H_other").mkdir()
    with pytest.raises(PluginExecutionError, match="cannot be written"):
        pull(server, Specificity(hostname="other"), name="/etc/plain", text="x")
