"""Servers as processes of their own: Bcfg2 1.3.4's, the oracle for tests and what benchmarks compare with, and ours."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from tests.peers.environment import (
    REPOSITORY_ROOT,
    Environment,
    PeerError,
    clean_environ,
    python2_environment,
    python3_environment,
)
from tests.peers.sites import ServerSite

#: The last Python with asyncore, without which 1.3.4 has no file monitor worth the name.
NEWEST_PYTHON_FOR_SERVER = (3, 11)


class ServerProcess:
    """A server started as a process of its own, whatever its implementation: `site` says where it listens.

    Args:
        command: the whole command line.
        site: its log file receives what the process prints.
        environ: all environment variables.
    """

    def __init__(self, command: Sequence[str], site: ServerSite, environ: Mapping[str, str]) -> None:
        self.site = site
        with site.log.open("wb") as log:
            # A session of its own, so that stop() can end whatever children it leaves behind, and nothing else.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=site.directory,
                env=dict(environ),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that was started: the root of the server's tree of processes."""
        return self.process.pid

    def log_tail(self, characters: int = 3000) -> str:
        """The end of what the server printed."""
        return self.site.log.read_text(errors="replace")[-characters:]

    def wait_until_serving(self, timeout: float = 60.0) -> None:
        """Return when a request gets an HTTP answer (401: it carries no password).

        Raises:
            PeerError: the process ended, or `timeout` seconds passed.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise PeerError(f"the server ended with status {self.process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._ask(max(0.1, min(5.0, deadline - time.monotonic())))
                return
            time.sleep(0.05)
        self.stop(patience=1.0)
        raise PeerError(f"the server did not answer within {timeout:g} s:\n{self.log_tail()}")

    def stop(self, patience: float = 30.0) -> int:
        """Ask the server to end; after `patience` seconds end it and its children. Returns the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def _ask(self, timeout: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.site.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", self.site.port, timeout=timeout, context=context)
        with contextlib.closing(connection):
            connection.request("POST", "/RPC2", b"", {"Content-Type": "text/xml"})
            connection.getresponse().read()


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
