"""Where servers are measured: a generated repository, certificates, and any of the known servers on copies of it."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contrib.bench.servers import SERVERS
from geventcore.errors import GeventcoreError
from geventcore.fleet.connection import Target
from geventcore.fleet.load.crew import Load
from geventcore.fleet.load.job import LoadClient, Pace
from geventcore.fleet.load.own_server import free_port
from geventcore.fleet.repository import Shape, generate
from tests.peers.certificates import CertificateFiles
from tests.peers.environment import PeerError
from tests.peers.server import ServerProcess, Startable
from tests.peers.sites import PLUGINS, Sections, ServerSite

PASSWORD = "benchmark"
HOST = "127.0.0.1"
#: Time for a server to stop by itself; what it has stored is thrown away.
_STOP_SECONDS = 2.0


class BenchError(GeventcoreError):
    """The benchmark can't go on; the text says why."""


@dataclass(frozen=True)
class Contestant:
    """A server to measure.

    Attributes:
        name: as given, with its options.
        server: how it is started.
        options: section -> option -> value, on top of the common ones.
    """

    name: str
    server: Startable
    options: Sections


def parse_contestant(text: str) -> Contestant:
    """A contestant from the command line: `NAME[,section.option=value…]`.

    Raises:
        BenchError: there is no such server, or an option is malformed.
    """
    name, *settings = text.split(",")
    if name not in SERVERS:
        raise BenchError(f"{name} is not a known server; there are: {', '.join(SERVERS)}")
    options: dict[str, dict[str, str]] = defaultdict(dict)
    for setting in settings:
        key, equals, value = setting.partition("=")
        section, dot, option = key.partition(".")
        if not (equals and dot and section and option):
            raise BenchError(f"{setting}: an option of a server is section.option=value")
        options[section][option] = value
    try:
        return Contestant(text, SERVERS[name](), options)
    except PeerError as error:
        raise BenchError(f"{name}: {error}") from error


class Arena:
    """A repository and certificates in `directory`, which exists: the same for all contestants.

    Attributes:
        clients: those of the repository, who are known by their addresses.
    """

    def __init__(self, directory: Path, shape: Shape, plugins: Sequence[str] = PLUGINS) -> None:
        self._directory = directory
        self._plugins = plugins
        self._repository = directory / "repository"
        self.clients = [LoadClient(client.name, "root", client.address) for client in generate(self._repository, shape)]
        self._authority = CertificateFiles(directory / "certificates")
        self._certificate = self._authority.server()

    @property
    def ca(self) -> Path:
        """The CA certificate that the servers' is checked with."""
        return self._authority.ca

    @contextmanager
    def serving(self, contestant: Contestant) -> Iterator[ServerProcess]:
        """A server, started afresh on a fresh copy of the repository, until the end of the `with` block.

        Raises:
            BenchError: it does not start, or has ended before the end of the block.
        """
        with tempfile.TemporaryDirectory(dir=self._directory) as directory:
            repository = Path(directory) / "repository"
            shutil.copytree(self._repository, repository)
            site = ServerSite(
                Path(directory) / "server",
                repository,
                self._certificate,
                self._authority.ca,
                PASSWORD,
                port=free_port(),
                plugins=self._plugins,
                overrides=contestant.options,
            )
            try:
                running = contestant.server.start(site)
            except PeerError as error:
                raise BenchError(f"{contestant.name}: {error}") from error
            try:
                yield running
                if running.process.poll() is not None:
                    raise BenchError(f"{contestant.name} ended under load:\n{running.log_tail()}")
            finally:
                running.stop(patience=_STOP_SECONDS)

    def load(self, running: ServerProcess, pace: Pace, seconds: float, processes: int = 0) -> Load:
        """A load of all clients on a running server."""
        target = Target(HOST, running.site.port)
        return Load(target, self._authority.ca, PASSWORD, self.clients, pace, seconds, processes=processes)
