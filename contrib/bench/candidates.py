"""The servers that can be compared, by name, each with options of its own.

Bcfg2's are those of ``$BCFG2_SERVER``, a command line; by default ``bcfg2-server``. Names that end in ``-py27`` take
``$BCFG2_SERVER_PY27``. In a source tree whose tests have installed Bcfg2 1.3.4::

    BCFG2_SERVER=".cache/peers/py311/bin/python tests/peers/launchers/run_server.py"
    BCFG2_SERVER_PY27=.cache/peers/py27/bin/bcfg2-server
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from geventcore.cores import CORES
from geventcore.errors import GeventcoreError
from geventcore.simulation.test_bed import Sections, geventcore_server, parse_options

_BCFG2_CORES = ("builtin", "multiprocessing")


@dataclass(frozen=True)
class Candidate:
    """A server to measure.

    Attributes:
        name: as given, with its options.
        options: section -> option -> value.
        command: makes its command line from the path of its configuration file.
    """

    name: str
    options: Sections
    command: Callable[[Path], list[str]] = geventcore_server


def bcfg2_server(variable: str) -> Callable[[Path], list[str]]:
    """Return a function that makes the command line of Bcfg2's server, as an environment variable names it."""
    program = shlex.split(os.environ.get(variable) or "bcfg2-server")

    def command(configuration: Path) -> list[str]:
        directory = configuration.parent
        # Its interpreter is another one.
        clean = ["env", "-u", "PYTHONPATH", "-u", "PYTHONHOME", "-u", "VIRTUAL_ENV", f"TMPDIR={directory}"]
        return [*clean, *program, "-C", str(configuration), "-o", str(directory / "bcfg2-server.log")]

    return command


def _geventcore(core: str) -> Candidate:
    return Candidate("", {"server": {"core": core}})


def _bcfg2(core: str, variable: str) -> Candidate:
    return Candidate("", {"server": {"backend": core}}, bcfg2_server(variable))


#: Name -> the server.
SERVERS: Mapping[str, Candidate] = {
    "geventcore": _geventcore("gevent"),
    **{f"geventcore-{core}": _geventcore(core) for core in CORES},
    **{f"bcfg2-{core}": _bcfg2(core, "BCFG2_SERVER") for core in _BCFG2_CORES},
    **{f"bcfg2-{core}-py27": _bcfg2(core, "BCFG2_SERVER_PY27") for core in _BCFG2_CORES},
}


class BenchError(GeventcoreError):
    """The benchmark cannot go on; the text says why."""


def parse_candidate(text: str) -> Candidate:
    """Parse ``NAME[,section.option=value…]``; `BenchError` or `ConfigError` if that is no server."""
    name, *settings = text.split(",")
    if name not in SERVERS:
        raise BenchError(f"{name} is not a known server; there are: {', '.join(SERVERS)}")
    server = SERVERS[name]
    given = parse_options(settings)
    sections = {*server.options, *given}
    options = {section: {**server.options.get(section, {}), **given.get(section, {})} for section in sections}
    return Candidate(text, options, server.command)
