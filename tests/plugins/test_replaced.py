"""Plugins that do nothing let the server start, and say what to use instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plugin_context import METADATA, small_server, write_files


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Guppy", "get_statistics"),
        ("DBStats", "Reporting"),
        ("Statistics", "Reporting"),
        ("Snapshots", "Reporting"),
        ("Hostbase", "Cfg"),
        ("BB", "Cfg"),
    ],
)
def test_the_server_starts_and_names_what_to_use(
    tmp_path: Path, name: str, instead: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", name]) as server:
        assert server.core.metadata_source().list_clients() == []
    (text,) = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert text.startswith(f"plugin {name} does nothing: ")
    assert instead in text
    assert text.endswith(f"remove {name} from [server] plugins")
    assert not (tmp_path / name).exists()
