"""The number of worker processes, as plugins limit it."""

from __future__ import annotations

import logging

import pytest

from geventcore.plugin.base import Plugin
from geventcore.workers.prefork import fit_to_plugins
from tests.support.plugin_context import METADATA, small_server, write_files


@pytest.fixture
def plugins(tmp_path_factory: pytest.TempPathFactory) -> list[Plugin]:
    repository = tmp_path_factory.mktemp("repository")
    write_files(repository, METADATA)
    with small_server(repository, ["Metadata", "Probes", "Bundler"]) as server:
        return list(server.core.plugins)


def test_plugins_that_store_their_data_do_not_limit_it(plugins: list[Plugin]) -> None:
    assert fit_to_plugins(8, plugins, "") == 8


def test_a_plugin_that_needs_one_process_gets_it_and_the_log_names_it(
    plugins: list[Plugin], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (probes,) = [plugin for plugin in plugins if plugin.name == "Probes"]
    monkeypatch.setattr(type(probes), "needs_one_process", True)
    with caplog.at_level(logging.WARNING):
        assert fit_to_plugins(1, plugins, "hint") == 1
        assert not caplog.records
        assert fit_to_plugins(8, plugins, "[server] children = 8 is not used.") == 1
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "The server runs in 1 process instead of 8: data that clients send to Probes "
    )
    assert record.getMessage().endswith("[server] children = 8 is not used.")
