"""One contract for all: each test of this directory runs against a real server process with each core of the table."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geventcore.cores import CORES
from tests.support.live_server import LiveSite

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
    """The library that a core needs and that is not installed, or nothing.

    Found out in a process of its own: a core's library may change the one that it is imported into.
    """
    module = CORES[core].partition(":")[0]
    command = [sys.executable, "-c", _FIND_MISSING, module]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


#: The cores as they are tested: name of the tests -> core, options. The gevent core is two: one process, or several.
SERVERS: dict[str, tuple[str, dict[str, dict[str, str]]]] = {
    **{name: (name, {}) for name in sorted(CORES)},
    "gevent": ("gevent", {"gevent": {"workers": "1"}}),
    "gevent-workers": ("gevent", {"gevent": {"workers": "2"}}),
}


@pytest.fixture(scope="module", params=SERVERS)
def core(request: pytest.FixtureRequest) -> str:
    """The name of a row of `SERVERS`."""
    name: str = request.param
    missing = missing_library(SERVERS[name][0])
    if missing:
        pytest.skip(f"the core {name} needs {missing}, which is not installed")
    return name


@pytest.fixture(scope="module")
def new_site(core: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., LiveSite]:
    """Makes sites whose servers have the core; takes what `LiveSite` takes after the core, and a directory."""
    name, options = SERVERS[core]

    def make(*arguments: Any, directory: Path | None = None, **named: Any) -> LiveSite:
        site = LiveSite(directory or tmp_path_factory.mktemp(core) / "site", name, *arguments, **named)
        for section, values in options.items():
            site.options.setdefault(section, {}).update(values)
        return site

    return make
