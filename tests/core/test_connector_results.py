"""Connectors in a small server: their results within a run, their failures, and a source that is gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from geventcore.core import metadata_building
from geventcore.errors import SourceUnavailable
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.interfaces import Connector, IfUnavailable
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files


class Asset(Plugin, Connector):
    """A connector whose answers the tests set."""

    creates_directory = False
    groups: Any = ("linux",)
    data: Any = "rack 3"
    calls: ClassVar[list[str]] = []

    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        self.calls.append(f"groups of {metadata.hostname}")
        return self._answer(self.groups)

    def get_additional_data(self, metadata: ClientMetadata) -> Any:
        self.calls.append(f"data of {metadata.hostname}")
        return self._answer(self.data)

    def _answer(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    """A server with the connector, and a clock at 1000."""
    monkeypatch.setattr(Asset, "calls", [])
    monkeypatch.setattr(metadata_building, "_MENTIONED", set())
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", f"{__name__}.Asset"]) as server:
        server.core.metadata.connector_results._now = lambda: 1000
        yield server


def asset(server: SmallServer) -> Asset:
    """The loaded connector."""
    plugin = server.plugin("Asset")
    assert isinstance(plugin, Asset)
    return plugin


def later(server: SmallServer, seconds: float) -> None:
    """Move the clock of the results."""
    now = server.core.metadata.connector_results._now()
    server.core.metadata.connector_results._now = lambda: now + seconds


class TestReuse:
    def test_the_calls_of_a_run_ask_once(self, server: SmallServer) -> None:
        for _ in range(4):
            metadata = server.core.build_metadata("h")
            assert "linux" in metadata.groups
            assert metadata.Asset == "rack 3"
        assert Asset.calls == ["groups of h", "data of h"]

    def test_each_client_is_asked_about(self, server: SmallServer) -> None:
        server.core.build_metadata("h")
        server.core.build_metadata("other")
        assert Asset.calls.count("data of other") == 1

    @pytest.mark.parametrize("change", ["time", "upload", "expiration", "expiration of all", "repository", "groups"])
    def test_a_change_asks_again(self, server: SmallServer, change: str) -> None:
        server.core.build_metadata("h")
        asset(server).data = "rack 4"
        if change == "time":
            later(server, Asset.reuse_seconds)
        elif change == "upload":
            server.core.broadcasts._handle_upload(["h", False])
        elif change == "expiration":
            server.context.expire_metadata("h")
        elif change == "expiration of all":
            server.context.expire_metadata()
        elif change == "repository":
            server.core.repository.note_change()
        else:
            asset(server).groups = ("linux", "lab")
            later(server, Asset.reuse_seconds)
            server.core.build_metadata("h")
        assert server.core.build_metadata("h").Asset == "rack 4"

    def test_a_connector_may_be_asked_each_time(self, server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Asset, "reuse_seconds", 0)
        server.core.build_metadata("h")
        server.core.build_metadata("h")
        assert Asset.calls.count("data of h") == 2

    def test_what_is_forgotten_while_the_source_answers_is_not_reused(self, server: SmallServer) -> None:
        plugin = asset(server)

        original = plugin._answer

        def answer(value: Any) -> Any:
            server.context.expire_metadata("h")
            return original(value)

        plugin._answer = answer  # type: ignore[method-assign]
        server.core.build_metadata("h")
        server.core.build_metadata("h")
        assert Asset.calls.count("data of h") == 2


class TestUnavailable:
    GONE: ClassVar[list[Exception]] = [SourceUnavailable("no answer"), ConnectionRefusedError("refused")]

    @pytest.mark.parametrize("gone", GONE)
    def test_by_default_the_call_fails(self, server: SmallServer, gone: Exception) -> None:
        asset(server).groups = gone
        with pytest.raises(type(gone)):
            server.core.build_metadata("h")

    @pytest.mark.parametrize("gone", GONE)
    def test_nothing(self, server: SmallServer, gone: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Asset, "if_unavailable", IfUnavailable.NOTHING)
        plugin = asset(server)
        plugin.groups = plugin.data = gone
        metadata = server.core.build_metadata("h")
        assert "linux" not in metadata.groups
        assert metadata.Asset == {}

    def test_the_last_known(self, server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Asset, "if_unavailable", IfUnavailable.LAST_KNOWN)
        plugin = asset(server)
        server.core.build_metadata("h")
        plugin.groups = plugin.data = SourceUnavailable("no answer")
        server.context.expire_metadata()
        later(server, Asset.last_known_seconds)
        metadata = server.core.build_metadata("h")
        assert "linux" in metadata.groups
        assert metadata.Asset == "rack 3"
        with pytest.raises(SourceUnavailable):
            server.core.build_metadata("never-asked")
        later(server, 1)
        with pytest.raises(SourceUnavailable):
            server.core.build_metadata("h")

    def test_a_mistake_fails_the_call_in_any_case(self, server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Asset, "if_unavailable", IfUnavailable.NOTHING)
        asset(server).data = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            server.core.build_metadata("h")


@pytest.mark.parametrize("groups", ["abc", b"abc", [3], [None], 7])
def test_groups_of_a_wrong_type_are_a_mistake(
    server: SmallServer, groups: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asset(server).groups = groups
    with pytest.raises(TypeError):
        server.core.build_metadata("h")
    assert "Asset.get_additional_groups failed for h: " in caplog.text


class TestLog:
    def test_a_group_that_nobody_declares_is_mentioned_once(
        self, server: SmallServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        asset(server).groups = ("p", "misspelt", MetadataGroup("declared here"))
        for number in range(3):
            server.core.build_metadata(f"h{number}")
        lines = [record.getMessage() for record in caplog.records if "no file declares" in record.getMessage()]
        said = (
            "Asset.get_additional_groups adds the group misspelt to h0, which no file declares; it implies no bundles"
        )
        assert lines == [said]

    def test_a_mistake_names_the_place_and_has_one_traceback(
        self, server: SmallServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        asset(server).data = KeyError("rack")
        for number in range(20):
            with pytest.raises(KeyError):
                server.core.build_metadata(f"h{number}")
        (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert line.getMessage().startswith(f"Asset.get_additional_data failed for h0: {__file__} line ")
        assert line.getMessage().endswith(": KeyError: 'rack'")
        assert line.exc_info

    def test_an_outage_is_one_line(self, server: SmallServer, caplog: pytest.LogCaptureFixture) -> None:
        asset(server).data = SourceUnavailable("inventory.example.com does not answer")
        for number in range(20):
            with pytest.raises(SourceUnavailable):
                server.core.build_metadata(f"h{number}")
        (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        expected = "Asset.get_additional_data failed for h0: inventory.example.com does not answer"
        assert line.getMessage() == expected
        assert not line.exc_info
