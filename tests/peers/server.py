"""Servers as processes of their own: Bcfg2 1.3.4's, the oracle for tests and what benchmarks compare with, and ours."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from geventcore.testing.server_process import ServerProcess
from geventcore.testing.site_files import ServerSite
from tests.peers.environment import (
    REPOSITORY_ROOT,
    Environment,
    clean_environ,
    python2_environment,
    python3_environment,
)

#: The last Python with asyncore, without which 1.3.4 has no file monitor worth the name.
NEWEST_PYTHON_FOR_SERVER = (3, 11)


class Startable:
    """A server that can be started any number of times."""

    #: Seconds the server has to end by itself.
    patience: ClassVar[float]

    def start(self, site: ServerSite) -> ServerProcess:
        """Start it with `site`'s configuration (written now); return when it serves.

        Raises:
            PeerError: it did not start.
        """
        raise NotImplementedError

    @contextlib.contextmanager
    def serving(self, site: ServerSite) -> Iterator[ServerProcess]:
        """Start the server; stop it at the end of the `with` block."""
        running = self.start(site)
        try:
            yield running
        finally:
            running.stop(self.patience)


@dataclass(frozen=True)
class ServerPeer(Startable):
    """The real 1.3.4 server, in one of the environments.

    Attributes:
        environment: where Bcfg2 is installed.
        core: `builtin` or `multiprocessing`.
        children: processes of the multiprocessing core; None: one per processor.
    """

    #: It would like to have 10 s, or 20 s with the multiprocessing core, and needs none.
    patience = 0.5

    environment: Environment
    core: Literal["builtin", "multiprocessing"] = "builtin"
    children: int | None = None

    @property
    def name(self) -> str:
        """`bcfg2-builtin-py311`, …"""
        return f"bcfg2-{self.core}-{self.environment.name}"

    def start(self, site: ServerSite) -> ServerProcess:
        core: dict[str, str] = {"backend": self.core}
        if self.children is not None:
            core["children"] = str(self.children)
        configuration = site.write({"server": core})
        log = site.directory / "bcfg2-server.log"
        command = [*self.environment.command("bcfg2-server"), "-C", str(configuration), "-o", str(log)]
        running = ServerProcess(command, site, {**clean_environ(), "TMPDIR": str(site.directory)})
        running.wait_until_serving()
        return running


@dataclass(frozen=True)
class GeventcoreServer(Startable):
    """This project's server, from the working tree, under the running interpreter.

    Attributes:
        core: `gevent`, `builtin`, …
    """

    patience = 30.0

    core: str = "gevent"

    @property
    def name(self) -> str:
        """`geventcore-gevent`, …"""
        return f"geventcore-{self.core}"

    def start(self, site: ServerSite) -> ServerProcess:
        configuration = site.write({"server": {"core": self.core}})
        command = [sys.executable, "-m", "geventcore", "server", "-C", str(configuration)]
        running = ServerProcess(command, site, {**clean_environ(), "PYTHONPATH": str(REPOSITORY_ROOT)})
        running.wait_until_serving()
        return running


def available_servers(core: Literal["builtin", "multiprocessing"] = "builtin") -> list[ServerPeer]:
    """The servers that this machine can run; environments are built now if need be.

    Raises:
        PeerError: an environment can't be built.
    """
    environments = [python3_environment(), python2_environment()]
    return [
        ServerPeer(environment, core)
        for environment in environments
        if environment is not None and environment.version <= NEWEST_PYTHON_FOR_SERVER
    ]
