"""The files of a database get the umask of the server, whoever creates them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.testing.live_site import LiveSite
from geventcore.testing.site_files import PLUGINS
from tests.support.uploads import upload

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def lenient_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    """Return the permissions of all files below a directory."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("umask", "mode"), [("0077", 0o600), ("0027", 0o640)])
@pytest.mark.parametrize("is_upgraded", [False, True], ids=["server", "upgrade"])
def test_files_of_sqlite(tmp_path: Path, umask: str, mode: int, is_upgraded: bool) -> None:
    directory = tmp_path / "database"
    directory.mkdir()
    options = {
        "server": {"umask": umask},
        "database": {"engine": "sqlite3", "name": str(directory / "data.sqlite")},
    }
    site = LiveSite(tmp_path / "site", "builtin", options, plugins=(*PLUGINS, "Reporting"))
    if is_upgraded:
        command = [sys.executable, "-m", "geventcore", "db", "upgrade", "-C", str(site.server_site.write())]
        subprocess.run(command, check=True, env=site.environ(), capture_output=True)
        assert modes(directory)
    else:
        with site.start() as server:
            assert server.site.client("plain").call("RecvStats", upload()) is True
            assert set(modes(directory).values()) == {mode}
    assert set(modes(directory).values()) == {mode}
