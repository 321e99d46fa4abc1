"""The servers that can be compared, each behind the same small adapter."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from tests.peers.environment import REPOSITORY_ROOT, PeerError, python2_environment, python3_environment
from tests.peers.server import ServerPeer, ServerProcess
from tests.peers.sites import ServerSite


class BenchServer(Protocol):
    """One implementation of the server, ready to be started any number of times."""

    def start(self, site: ServerSite) -> ServerProcess:
        """Start it; return when it serves.

        Raises:
            PeerError: it did not start.
        """
        ...


@dataclass(frozen=True)
class Geventcore:
    """This project's server, from the working tree, under this interpreter."""

    core: str

    def start(self, site: ServerSite) -> ServerProcess:
        command = [
            sys.executable,
            "-m",
            "geventcore",
            "server",
            "-C",
            str(site.write({"server": {"backend": self.core}})),
        ]
        running = ServerProcess(command, site, {**os.environ, "PYTHONPATH": str(REPOSITORY_ROOT)})
        running.wait_until_serving()
        return running


def _bcfg2(core: Literal["builtin", "multiprocessing"], python: Literal[2, 3]) -> ServerPeer:
    environment = python3_environment() if python == 3 else python2_environment()
    if environment is None:
        raise PeerError("there is no Python 2.7 on this machine")
    return ServerPeer(environment, core)


#: Name -> a function that makes the adapter, building what it needs.
SERVERS: Mapping[str, Callable[[], BenchServer]] = {
    "geventcore": lambda: Geventcore("gevent"),
    "geventcore-builtin": lambda: Geventcore("builtin"),
    "geventcore-multiprocessing": lambda: Geventcore("multiprocessing"),
    "geventcore-cherrypy": lambda: Geventcore("cherrypy"),
    "bcfg2-builtin": lambda: _bcfg2("builtin", 3),
    "bcfg2-multiprocessing": lambda: _bcfg2("multiprocessing", 3),
    "bcfg2-builtin-py27": lambda: _bcfg2("builtin", 2),
    "bcfg2-multiprocessing-py27": lambda: _bcfg2("multiprocessing", 2),
}
