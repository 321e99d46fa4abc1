"""What the base class of plugins does by itself: their directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.errors import PluginInitError
from geventcore.plugins.rules import Rules
from tests.support.plugin_context import METADATA, small_server, write_files


def test_a_directory_that_is_missing_is_made_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata"]) as server:
        Rules(server.context)
        assert (server.repository / "Rules").is_dir()
    assert f"Rules: created the missing directory {server.repository / 'Rules'}" in caplog.text


def test_a_directory_that_cannot_be_made_is_not_said_to_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata"]) as server:
        # Not even root can make a directory that is a file already.
        (server.repository / "Rules").write_text("")
        with pytest.raises(PluginInitError, match=r"cannot create the directory .*Rules: File exists"):
            Rules(server.context)
    assert "created" not in caplog.text
