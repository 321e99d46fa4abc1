"""The servers that can be compared, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from geventcore.cores import CORES
from tests.peers.environment import PeerError, python2_environment, python3_environment
from tests.peers.server import GeventcoreServer, ServerPeer, Startable


def _bcfg2(core: Literal["builtin", "multiprocessing"], python: Literal[2, 3]) -> ServerPeer:
    environment = python3_environment() if python == 3 else python2_environment()
    if environment is None:
        raise PeerError("there is no Python 2.7 on this machine")
    return ServerPeer(environment, core)


#: Name -> a function that makes the server startable, building what it needs.
SERVERS: Mapping[str, Callable[[], Startable]] = {
    "geventcore": GeventcoreServer,
    **{f"geventcore-{core}": partial(GeventcoreServer, core) for core in CORES},
    "bcfg2-builtin": partial(_bcfg2, "builtin", 3),
    "bcfg2-multiprocessing": partial(_bcfg2, "multiprocessing", 3),
    "bcfg2-builtin-py27": partial(_bcfg2, "builtin", 2),
    "bcfg2-multiprocessing-py27": partial(_bcfg2, "multiprocessing", 2),
}
