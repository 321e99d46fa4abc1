"""A server of the benchmark's own: a generated repository, certificates, and a process on a loopback port.

For each turn the server starts afresh on a fresh copy of the repository. Everything is below one directory.
"""

from __future__ import annotations

import contextlib
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geventcore.errors import ConfigError
from geventcore.fleet.connection import Target, client_context
from geventcore.fleet.load.engine import LoadError
from geventcore.fleet.load.job import LoadClient
from geventcore.fleet.repository import Shape, generate
from geventcore.tls.authority import Authority, write_private

HOST = "127.0.0.1"
PASSWORD = "benchmark"
#: Those that the generated repository uses.
PLUGINS = "Bundler,Cfg,Decisions,Metadata,Probes,Properties,Rules"
_START_SECONDS = 120.0
#: For ending by itself; what it has stored is thrown away.
_STOP_SECONDS = 10.0
_LOG_CHARACTERS = 3000
#: Where the kernel chooses the ports of clients from, and where that usually begins.
_PORT_RANGE, _USUAL_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range"), 32768
_FIRST_PORT = 10_000
_PORT_ATTEMPTS = 50

Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class RunningServer:
    """A server that serves.

    Attributes:
        pid: its main process.
        start_seconds: from the start of the process until it served.
    """

    pid: int
    target: Target
    start_seconds: float
    process: subprocess.Popen[bytes]
    log: Path

    def log_tail(self) -> str:
        """The end of what it has printed."""
        return self.log.read_text(errors="replace")[-_LOG_CHARACTERS:]


class OwnSite:
    """A repository and certificates below `directory`, which exists.

    Attributes:
        clients: those of the repository, who are known by their addresses.
        ca: the file of the authority's certificate.
    """

    def __init__(self, directory: Path, shape: Shape) -> None:
        self._directory = directory
        self._repository = directory / "repository"
        self.clients = [LoadClient(client.name, "root", client.address) for client in generate(self._repository, shape)]
        authority = Authority.create("geventcore benchmark")
        certificate = authority.issue("localhost", dns_names=("localhost",), ip_addresses=(HOST,))
        self.ca, self._certificate, self._key = (directory / name for name in ("ca.crt", "server.crt", "server.key"))
        self.ca.write_bytes(authority.certificate_pem)
        self._certificate.write_bytes(certificate.certificate_pem)
        write_private(self._key, certificate.key_pem)

    @contextmanager
    def serving(self, core: str, options: Sections) -> Iterator[RunningServer]:
        """A server until the end of the `with` block.

        Raises:
            LoadError: it does not start, or has ended before the end of the block.
        """
        with tempfile.TemporaryDirectory(dir=self._directory) as name:
            directory = Path(name)
            shutil.copytree(self._repository, directory / "repository")
            port = free_port()
            configuration = directory / "bcfg2.conf"
            self._write(configuration, directory, port, core, options)
            log = directory / "server.log"
            begin = time.monotonic()
            with log.open("wb") as stream:
                process = subprocess.Popen(
                    [sys.executable, "-m", "geventcore", "server", "-C", str(configuration)],
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    # Of its own, so that Ctrl-C is for this process, and all its processes can be ended together.
                    start_new_session=True,
                )
            try:
                self._wait_until_serving(process, port, log)
                running = RunningServer(process.pid, Target(HOST, port), time.monotonic() - begin, process, log)
                yield running
                if process.poll() is not None:
                    raise LoadError(f"the server has ended under load:\n{running.log_tail()}")
            finally:
                _stop(process)

    def _write(self, path: Path, directory: Path, port: int, core: str, options: Sections) -> None:
        sections: dict[str, dict[str, str]] = {
            "server": {"repository": str(directory / "repository"), "plugins": PLUGINS, "core": core},
            "components": {"bcfg2": f"https://{HOST}:{port}"},
            "communication": {
                "password": PASSWORD,
                "certificate": str(self._certificate),
                "key": str(self._key),
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

    def _wait_until_serving(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        context = client_context(self.ca)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise LoadError(f"the server did not start:\n{log.read_text(errors='replace')[-_LOG_CHARACTERS:]}")
            try:
                with socket.create_connection((HOST, port), timeout=1) as plain, context.wrap_socket(plain):
                    return
            except ssl.SSLCertVerificationError as error:
                raise LoadError(f"the server's certificate is wrong: {error}") from error
            except OSError:
                time.sleep(0.05)
        raise LoadError(f"the server does not serve after {_START_SECONDS:.0f} seconds")


def parse_options(settings: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Sections of a configuration file from ``section.option`` -> value; `ConfigError` if a name has no dot."""
    options: dict[str, dict[str, str]] = {}
    for name, value in settings.items():
        section, dot, option = name.partition(".")
        if not (dot and section and option):
            raise ConfigError(f"{name}={value}: an option of a server is SECTION.OPTION=VALUE")
        options.setdefault(section, {})[option] = value
    return options


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, and that the kernel gives to no client's connection.

    Thousands of clients take ports of the range that the kernel chooses from, perhaps the one that a server was about
    to listen on.
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
