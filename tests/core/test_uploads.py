"""An upload of probe data: what the other processes of the server are told, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from geventcore.core.methods import CoreMethods
from geventcore.options import Option
from geventcore.options.server import CACHE_MODE
from geventcore.plugins.probes.plugin import USE_DATABASE
from geventcore.workers.broadcasts import UPLOAD
from geventcore.workers.bus import Bus
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

ADDRESS = ("192.0.2.1", 1)
CLIENTS = '<Clients><Client name="web" profile="p" address="192.0.2.1"/></Clients>'


class Link:
    """Passes messages on to another process, and counts them."""

    def __init__(self, other: Bus) -> None:
        self.topics: list[str] = []
        self._other = other

    def tell(self, topic: str, message: Any) -> list[Any]:
        self.topics.append(topic)
        return [self._other.deliver(topic, message)]


def servers(directory: Path, options: Mapping[Option[Any], Any], plugins: list[str]) -> Any:
    write_files(directory, {**METADATA, "Metadata/clients.xml": CLIENTS, "Probes/kernel": "#!/bin/sh\n"})
    return small_server(directory, ["Metadata", *plugins], options)


def upload(*results: tuple[str, str]) -> str:
    # The only probe of Ohai has its name.
    names = {"Ohai": "Ohai"}
    data = "".join(
        f'<probe-data name="{names.get(source, "kernel")}" source="{source}">{text}</probe-data>'
        for source, text in results
    )
    return f"<ProbeData>{data}</ProbeData>"


def database(directory: Path) -> dict[Option[Any], Any]:
    from geventcore.storage.options import ENGINE, NAME

    return {USE_DATABASE: True, ENGINE: "sqlite3", NAME: str(directory / "data.sqlite")}


def groups_seen(server: SmallServer) -> set[str]:
    return set(server.core.build_metadata("web").groups)


@pytest.mark.parametrize("mode", ["off", "initial", "cautious", "aggressive"])
@pytest.mark.parametrize("store", ["file", "database"])
def test_an_upload_is_one_broadcast_after_which_the_others_know_it(tmp_path: Path, mode: str, store: str) -> None:
    options = {CACHE_MODE: mode, **(database(tmp_path) if store == "database" else {})}
    repository = tmp_path / "repository"
    with servers(repository, options, ["Probes"]) as one, servers(repository, options, ["Probes"]) as other:
        link = Link(other.core.bus)
        one.core.bus.add_relay(link)
        methods = CoreMethods(one.core)
        for group in ("first", "second"):
            groups_seen(other)
            link.topics.clear()
            assert methods.receive_probe_data(ADDRESS, upload(("Probes", f"group:{group}"))) is True
            assert len(link.topics) == 1, link.topics
            assert groups_seen(other) == {"p", group}


@pytest.mark.parametrize("order", [("Probes", "Ohai"), ("Ohai", "Probes")])
def test_two_plugins_cost_no_more_than_a_broadcast_each(tmp_path: Path, order: tuple[str, str]) -> None:
    texts = {"Probes": "group:a", "Ohai": '{"kernel": 1}'}
    options = {CACHE_MODE: "cautious"}
    with servers(tmp_path, options, ["Probes", "Ohai"]) as one, servers(tmp_path, options, ["Probes", "Ohai"]) as other:
        link = Link(other.core.bus)
        one.core.bus.add_relay(link)
        groups_seen(other)
        CoreMethods(one.core).receive_probe_data(ADDRESS, upload(*((name, texts[name]) for name in order)))
        assert len(link.topics) == (1 if order[1] == "Probes" else 2), link.topics
        metadata = other.core.build_metadata("web")
        assert "a" in metadata.groups
        assert metadata.Ohai == {"kernel": 1}  # type: ignore[attr-defined]


def test_an_upload_that_changes_nothing_expires_the_client_everywhere_in_cautious_mode(tmp_path: Path) -> None:
    options = {CACHE_MODE: "cautious"}
    with servers(tmp_path, options, ["Probes"]) as one, servers(tmp_path, options, ["Probes"]) as other:
        link = Link(other.core.bus)
        methods = CoreMethods(one.core)
        methods.receive_probe_data(ADDRESS, upload(("Probes", "same")))
        one.core.bus.add_relay(link)
        cached = other.core.build_metadata("web")
        assert other.core.build_metadata("web") is cached
        methods.receive_probe_data(ADDRESS, upload(("Probes", "same")))
        assert link.topics == [UPLOAD]
        assert other.core.build_metadata("web") is not cached


def test_an_upload_that_fails_is_broadcast_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers(tmp_path, {CACHE_MODE: "cautious"}, ["Probes"]) as one:
        link = Link(Bus())
        one.core.bus.add_relay(link)
        monkeypatch.setattr("geventcore.plugins.probes.store._write_records", _fail)
        with pytest.raises(Exception, match="No space left"):
            CoreMethods(one.core).receive_probe_data(ADDRESS, upload(("Probes", "group:a")))
        assert link.topics == [UPLOAD]


def _fail(path: Path, chunks: list[bytes]) -> None:
    raise OSError(28, "No space left on device")
