"""A server of its own for a load: a generated repository, certificates, and a process on a loopback port.

For each turn the server starts afresh on a fresh copy of the repository. Everything is below one directory.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from geventcore.errors import ConfigError
from geventcore.simulation.load import Load, LoadError, SimulatedClient, Target
from geventcore.simulation.repository import GeneratedClient, Shape, generate
from geventcore.tls.authority import Authority, KeyType, write_private

HOST = "127.0.0.1"
PASSWORD = "benchmark"
#: Those that the generated repository uses.
PLUGINS = ("Bundler", "Cfg", "Decisions", "Metadata", "Probes", "Properties", "Rules")
#: A server that has died is noticed at once, so this only ends the wait for one that hangs. A machine that is busy
#: may need minutes for what takes seconds otherwise.
START_SECONDS = 600.0
#: For ending by itself; what it has stored is thrown away.
_STOP_SECONDS = 10.0
_ASK_SECONDS = 5.0
_LOG_CHARACTERS = 3000
#: Where the kernel chooses the ports of clients from, and where that usually begins.
_PORT_RANGE, _USUAL_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range"), 32768
_FIRST_PORT = 10_000
_PORT_ATTEMPTS = 50

Sections = Mapping[str, Mapping[str, str]]


def geventcore_server(configuration: Path) -> list[str]:
    """Return the command line of this program's server."""
    return [sys.executable, "-m", "geventcore", "server", "-C", str(configuration)]


class ServerProcess:
    """A server as a process of its own, on the loopback interface.

    Args:
        command: its command line.
        log: the file that receives what it prints.
    """

    def __init__(self, command: Sequence[str], log: Path, port: int) -> None:
        self._log = log
        self._begin = time.monotonic()
        self.port = port
        self.start_seconds = 0.0
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                # Of its own, so that Ctrl-C is for this process, and all its processes can be ended together.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that was started: the root of the server's tree of processes."""
        return self.process.pid

    @property
    def target(self) -> Target:
        """The address that clients call."""
        return Target(HOST, self.port)

    def log_tail(self) -> str:
        """Return the end of what it has printed."""
        return self._log.read_text(errors="replace")[-_LOG_CHARACTERS:]

    def wait_until_serving(self, ca: Path) -> None:
        """Return when a request gets an HTTP answer, and keep in `start_seconds` how long that took.

        Raises:
            LoadError: the server has ended, or does not answer in time.
        """
        context = ssl.create_default_context(cafile=str(ca))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise LoadError(
                    f"the server ended with exit status {self.process.returncode} at its start:\n{self.log_tail()}"
                )
            try:
                self._ask(context)
            except ssl.SSLCertVerificationError as error:
                raise LoadError(f"the server's certificate is wrong: {error}") from error
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                self.start_seconds = time.monotonic() - self._begin
                return
        raise LoadError(f"the server does not serve after {START_SECONDS:.0f} seconds")

    def _ask(self, context: ssl.SSLContext) -> None:
        """Make a request without a password, which any server refuses with an answer."""
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=_ASK_SECONDS, context=context)
        with contextlib.closing(connection):
            connection.request("POST", "/RPC2", b"", {"Content-Type": "text/xml"})
            connection.getresponse().read()

    def stop(self, seconds: float) -> int:
        """Ask the server to end, and return its exit status; `LoadError` if it does not end in time."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LoadError(f"the server did not stop within {seconds:.0f} seconds of SIGTERM") from None

    def kill(self) -> None:
        """End the server at once, with all processes that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class TestBed:
    """A repository and certificates below `directory`, which exists.

    Attributes:
        clients: those of the repository, which servers tell apart by their addresses.
        ca: the file of the authority's certificate.
        certificate, key: files of the server.
    """

    #: It is no test.
    __test__ = False

    def __init__(
        self,
        directory: Path,
        shape: Shape,
        plugins: Sequence[str] = PLUGINS,
        key_type: KeyType = "ecdsa",
        make_repository: Callable[[Path], Sequence[GeneratedClient]] | None = None,
    ) -> None:
        """Write a repository of a shape, or the one that `make_repository` writes."""
        self._directory = directory
        self._plugins = plugins
        self._repository = directory / "repository"
        generated = generate(self._repository, shape) if make_repository is None else make_repository(self._repository)
        self.clients = [SimulatedClient(client.name, "root", client.address) for client in generated]
        authority = Authority.create("geventcore benchmark")
        issued = authority.issue(
            "localhost", dns_names=("localhost",), ip_addresses=(HOST,), server=True, key_type=key_type
        )
        self.ca, self.certificate, self.key = (directory / name for name in ("ca.crt", "server.crt", "server.key"))
        self.ca.write_bytes(authority.certificate_pem)
        self.certificate.write_bytes(issued.certificate_pem)
        write_private(self.key, issued.key_pem)

    @contextmanager
    def serving(
        self, options: Sections, command: Callable[[Path], list[str]] = geventcore_server
    ) -> Iterator[ServerProcess]:
        """Start a server on a fresh copy of the repository, and stop it at the end of the `with` block.

        Args:
            options: section -> option -> value, besides the common ones.
            command: makes the server's command line from the path of its configuration file.

        Raises:
            LoadError: it does not start, or has ended before the end of the block.
        """
        with tempfile.TemporaryDirectory(dir=self._directory) as name:
            directory = Path(name)
            shutil.copytree(self._repository, directory / "repository")
            configuration, port = directory / "bcfg2.conf", free_port()
            self._write(configuration, port, options)
            server = ServerProcess(command(configuration), directory / "server.log", port)
            try:
                server.wait_until_serving(self.ca)
                yield server
                if server.process.poll() is not None:
                    raise LoadError(f"the server has ended under load:\n{server.log_tail()}")
                with contextlib.suppress(LoadError):
                    server.stop(_STOP_SECONDS)
            finally:
                server.kill()

    def load(self, server: ServerProcess) -> Load:
        """Return a load of one run of each client; `dataclasses.replace` makes others of it."""
        return Load(server.target, self.ca, PASSWORD, self.clients)

    def _write(self, path: Path, port: int, options: Sections) -> None:
        directory = path.parent
        sections: dict[str, dict[str, str]] = {
            "server": {
                "repository": str(directory / "repository"),
                "plugins": ",".join(self._plugins),
                "fam_blocking": "true",
            },
            "components": {"bcfg2": f"https://{HOST}:{port}"},
            "communication": {
                "protocol": "xmlrpc/ssl",
                "password": PASSWORD,
                "certificate": str(self.certificate),
                "key": str(self.key),
                "ca": str(self.ca),
            },
            "database": {"name": str(directory / "bcfg2.sqlite")},
            "logging": {"syslog": "false"},
        }
        for section, given in options.items():
            sections.setdefault(section, {}).update(given)
        lines = []
        for section, values in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value.replace('%', '%%')}" for key, value in values.items()]
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)


def parse_options(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return section -> option -> value from texts such as ``section.option=value``; `ConfigError` if one is none."""
    options: dict[str, dict[str, str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        section, dot, option = name.partition(".")
        if not (equals and dot and section and option):
            raise ConfigError(f"{text}: an option of a server is SECTION.OPTION=VALUE")
        options.setdefault(section, {})[option] = value
    return options


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on, and that the kernel gives to no client.

    Thousands of clients take ports of the range that the kernel chooses from, perhaps the one that a server was about
    to take.
    """
    try:
        end = int(_PORT_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        end = _USUAL_PORT_RANGE
    candidates = range(_FIRST_PORT, end)
    for port in random.sample(candidates, min(len(candidates), _PORT_ATTEMPTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    # Little is left below the kernel's range here: any port of it will do.
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        chosen: int = probe.getsockname()[1]
        return chosen
