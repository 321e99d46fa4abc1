"""Two processes of one server that change the same files of the metadata: each knows at once what the other wrote.

The processes are two cores on one repository whose buses are connected, as workers' are. No file event tells anything.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.plugins.metadata import Metadata
from geventcore.plugins.metadata.clients_file import ClientsFile
from geventcore.workers.bus import Bus
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files


class Wire:
    """Takes what one bus tells to another one, as JSON."""

    def __init__(self, other: Bus) -> None:
        self._other = other

    def tell(self, topic: str, message: Any) -> list[Any]:
        return [json.loads(json.dumps(self._other.deliver(topic, json.loads(json.dumps(message)))))]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[SmallServer, SmallServer]]:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", "Probes"]) as one, small_server(tmp_path, ["Metadata", "Probes"]) as other:
        one.core.bus.add_relay(Wire(other.core.bus))
        other.core.bus.add_relay(Wire(one.core.bus))
        yield one, other


def metadata_of(server: SmallServer) -> Metadata:
    plugin = server.plugin("Metadata")
    assert isinstance(plugin, Metadata)
    return plugin


def test_each_knows_what_the_other_has_written(servers: tuple[SmallServer, SmallServer]) -> None:
    one, other = map(metadata_of, servers)
    for number in range(6):
        writer, reader = (one, other) if number % 2 else (other, one)
        writer.set_version(f"client{number}", f"1.{number}")
        assert reader.get_initial_metadata(f"client{number}").version == f"1.{number}"
        writer.remove_client(f"client{number}")
        assert reader.list_clients() == []


def test_what_an_editor_changed_meanwhile_is_read(servers: tuple[SmallServer, SmallServer]) -> None:
    one, other = map(metadata_of, servers)
    path = servers[0].repository / "Metadata/clients.xml"
    path.write_text('<Clients><Client name="edited" profile="p"/></Clients>')
    one.set_version("fresh", "1.0")
    assert other.list_clients() == one.list_clients() == ["edited", "fresh"]


def test_it_is_outdated_again_while_it_reads(servers: tuple[SmallServer, SmallServer]) -> None:
    core = servers[0].core
    path = core.repository.path / "Metadata/clients.xml"
    told = []

    def loaded() -> None:
        if len(told) < 3:
            told.append(1)
            core.bus.deliver("Metadata:clients.xml", {"read": {str(path): [0, 0, 0]}, "written": {}, "edits": []})
            assert file.table.clients == {}

    file = ClientsFile(core.repository.path / "Metadata", core.plugin_context, loaded)
    reader = threading.Thread(target=core.handle_file_events, daemon=True)
    reader.start()
    reader.join(10)
    assert not reader.is_alive(), "it waits for itself"
    assert len(told) == 3
    assert file.table.clients == {}


def test_debugging_a_plugin_is_the_same_in_both(servers: tuple[SmallServer, SmallServer]) -> None:
    one, other = servers
    for server in (one, other, other, one):
        methods = {method.name: method for method in server.core.broadcasts.methods_for_all(server.plugin("Probes"))}
        wanted = not one.plugin("Probes").debug
        assert methods["Probes.toggle_debug"].call(("127.0.0.1", 0), ()) is wanted
        assert one.plugin("Probes").debug is other.plugin("Probes").debug is wanted


def test_probes_that_one_stores_the_other_has(servers: tuple[SmallServer, SmallServer]) -> None:
    one, other = servers
    for number in range(4):
        sender, reader = (one, other) if number % 2 else (other, one)
        metadata = sender.core.build_metadata("client")
        result = f"group:g{number}\nresult {number}"
        upload = f'<ProbeData><probe-data name="k" source="Probes">{result}</probe-data></ProbeData>'
        sender.core.plugins.by_name["Probes"].receive_data(metadata, list(etree.fromstring(upload)))  # type: ignore[attr-defined]
        seen = reader.core.build_metadata("client")
        assert f"g{number}" in seen.groups
        assert seen.Probes["k"] == f"result {number}"  # type: ignore[attr-defined]
