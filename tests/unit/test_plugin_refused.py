"""Plugins that are refused stop the start, and say what to use instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.errors import PluginInitError
from tests.support.plugin_context import METADATA, small_server, write_files


@pytest.mark.parametrize(("name", "instead"), [("Guppy", "get_statistics"), ("DBStats", "Reporting")])
def test_the_start_is_stopped(tmp_path: Path, name: str, instead: str) -> None:
    write_files(tmp_path, METADATA)
    with pytest.raises(PluginInitError) as caught, small_server(tmp_path, ["Metadata", name]):
        pass
    text = str(caught.value)
    assert text.startswith(f"plugin {name} cannot be loaded: ")
    assert instead in text
    assert f"take {name} out of [server] plugins" in text
    assert not (tmp_path / name).exists()
