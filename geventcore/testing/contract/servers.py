"""The servers of the contract: each core of the table, or the one that ``--geventcore-core`` names."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geventcore.cores import CORES
from geventcore.testing.live_site import LiveSite
from geventcore.testing.pytest_plugin import CHOSEN_CORES

_FIND_MISSING = """
import importlib, sys
try:
    importlib.import_module(sys.argv[1])
except ModuleNotFoundError as err:
    if not (err.name or "").startswith("geventcore"):
        print(err.name)
"""


@functools.cache
def missing_library(core: str) -> str:
    """Return the name of a library that a core of the table needs and that is not installed, or an empty text.

    A process of its own tries it, because a core's library may change the process that imports it.
    """
    if core not in CORES:
        return ""
    module = CORES[core].partition(":")[0]
    command = [sys.executable, "-c", _FIND_MISSING, module]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


#: Name in the tests -> core, options. The gevent core is tested twice: with one process, and with several.
SERVERS: dict[str, tuple[str, dict[str, dict[str, str]]]] = {
    **{name: (name, {}) for name in sorted(CORES)},
    "gevent": ("gevent", {"gevent": {"workers": "1"}}),
    "gevent-workers": ("gevent", {"gevent": {"workers": "2"}}),
}


def _server(name: str) -> tuple[str, dict[str, dict[str, str]]]:
    return SERVERS.get(name, (name, {}))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with every core, or with those that ``--geventcore-core`` names."""
    if "core" in metafunc.fixturenames:
        metafunc.parametrize("core", CHOSEN_CORES or list(SERVERS), indirect=True, scope="module")


@pytest.fixture(scope="module")
def core(request: pytest.FixtureRequest) -> str:
    """The name of a row of `SERVERS`, or that of a core of a site."""
    name: str = request.param
    missing = missing_library(_server(name)[0])
    if missing:
        pytest.skip(f"the core {name} needs {missing}, which is not installed")
    return name


@pytest.fixture(scope="module")
def new_site(core: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., LiveSite]:
    """Make sites whose servers have the core, with the arguments of `LiveSite` after the core, and a directory."""
    name, options = _server(core)

    def make(*arguments: Any, directory: Path | None = None, **named: Any) -> LiveSite:
        site = LiveSite(directory or tmp_path_factory.mktemp(core) / "site", name, *arguments, **named)
        for section, values in options.items():
            site.options.setdefault(section, {}).update(values)
        return site

    return make
