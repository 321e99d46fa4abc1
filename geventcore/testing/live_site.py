"""A server process of its own for tests: a site with a repository, an authority and a core, and what can be seen of the
process from outside (its log, its descriptors, threads and children)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from geventcore.testing.certificates import Certificate
from geventcore.testing.contract_repository import write_repository
from geventcore.testing.server_process import ServerProcess
from geventcore.testing.site_files import PLUGINS, Sections, ServerSite
from geventcore.testing.wire_client import Client
from geventcore.tls.authority import Authority, IssuedCertificate

#: Directories in which servers find plugins and cores, before those in which this process does.
PYTHON_PATH: list[str] = []

GLOBAL_PASSWORD = "password-of-all"

#: Far more than anything takes; what waits longer hangs.
PATIENCE_SECONDS = 60.0

_LINE = re.compile(r"\S+ (?P<level>[A-Z]+) (?P<logger>[\w.]+)\[(?P<pid>\d+)\](?: \(.*?\))?: (?P<message>.*)")
_GRAVE = frozenset({"WARNING", "ERROR", "CRITICAL"})


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return when the condition is true; an AssertionError that says what was missing at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class LogLine:
    """One record of a server's log."""

    level: str
    logger: str
    pid: int
    message: str

    @property
    def is_grave(self) -> bool:
        """True if somebody should look at it: level WARNING or above."""
        return self.level in _GRAVE


def parse_log(text: str) -> list[LogLine]:
    """The records of a log, without the indented lines that belong to the one before."""
    found = map(_LINE.fullmatch, text.splitlines())
    return [LogLine(line["level"], line["logger"], int(line["pid"]), line["message"]) for line in found if line]


@dataclass(frozen=True)
class Resources:
    """The resources of a server and its children."""

    processes: int
    threads: int
    descriptors: int

    def within(self, other: Resources) -> bool:
        """Return true if this is no more than `other`. A pool may have ended idle threads meanwhile."""
        return (
            self.processes <= other.processes
            and self.threads <= other.threads
            and self.descriptors <= other.descriptors
        )


def process_tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name of the program, in parentheses, may hold anything.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    tree = [pid]
    for member in tree:
        tree += children.get(member, [])
    return tree


def state_of(task: Path) -> str:
    """The letter that the kernel has for what a process or thread does; nothing if it does not exist."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Return true if a process exists and is no zombie."""
    return state_of(Path(f"/proc/{pid}")) not in ("", "Z")


class LiveSite:
    """A site below `directory`: its authority, certificates and repository are made at once.

    Attributes:
        authority: issues certificates; `ca` is the file of its own, `tls` the directory of all.
        repository: made by `write_repository`.
        options: what the configuration has beyond the necessary: section -> option -> value; written at each start.
        server_site: the configuration, see `ServerSite`.
    """

    def __init__(
        self, directory: Path, core: str, options: Sections | None = None, plugins: Sequence[str] = PLUGINS
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.core = core
        self.directory = directory
        self.repository = directory / "repository"
        write_repository(self.repository)
        self.authority = Authority.create("CA of the site")
        self.tls = directory / "tls"
        self.tls.mkdir()
        self.ca = self.tls / "ca.crt"
        self.ca.write_bytes(self.authority.certificate_pem)
        self.options: dict[str, dict[str, str]] = {
            "server": {"core": core, "children": "2"},
            # Servers of tests are to leave nothing in the directories of the system's own.
            "admin": {"listen": "none"},
        }
        for section, values in (options or {}).items():
            self.options.setdefault(section, {}).update(values)
        self.server_site = ServerSite(
            directory,
            self.repository,
            self.write_certificate("server", self.issue_server_certificate()),
            self.ca,
            GLOBAL_PASSWORD,
            plugins=plugins,
            overrides=self.options,
        )

    def issue_server_certificate(self) -> IssuedCertificate:
        """A new certificate for the server."""
        return self.authority.issue("localhost", dns_names=["localhost"], ip_addresses=["127.0.0.1", "::1"])

    def write_certificate(self, name: str, issued: IssuedCertificate) -> Certificate:
        """Write the files of a certificate, or replace them."""
        pair = Certificate(self.tls / f"{name}.crt", self.tls / f"{name}.key")
        pair.key.touch(mode=0o600)
        pair.key.write_bytes(issued.key_pem)
        pair.certificate.write_bytes(issued.certificate_pem)
        return pair

    def client_certificate(self, common_name: str) -> Certificate:
        """A certificate for a client."""
        path = self.tls / f"{common_name}.crt"
        if path.exists():
            return Certificate(path, path.with_suffix(".key"))
        return self.write_certificate(common_name, self.authority.issue(common_name, client=True, server=False))

    @property
    def port(self) -> int:
        """The TCP port."""
        return self.server_site.port

    @property
    def configuration(self) -> Path:
        """The server's configuration file."""
        return self.directory / "bcfg2.conf"

    def command(self, *arguments: str) -> list[str]:
        """The command line that starts the server, after the configuration has been written."""
        return [
            *(sys.executable, "-W", "error", "-m", "geventcore", "server"),
            *("-C", str(self.server_site.write()), *arguments),
        ]

    @staticmethod
    def environ() -> dict[str, str]:
        """Return the environment variables of a server."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
        return {**kept, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*PYTHON_PATH, *map(os.path.abspath, sys.path)]))}

    def launch(self, *arguments: str, starter: Sequence[str] = ()) -> LiveServer:
        """Start the server, and return at once; `starter` is the command that executes it, if any."""
        command = [*starter, *self.command(*arguments)]
        return LiveServer(self, ServerProcess(command, self.server_site, self.environ()))

    def start(self) -> LiveServer:
        """Start the server; return when it serves."""
        server = self.launch()
        server.wait_for_log("listens on")
        return server

    def client(self, user: str = "", password: str = GLOBAL_PASSWORD, **details: object) -> Client:
        """Somebody who calls this site's server; see `Client`."""
        return Client(self.port, self.ca, user, password, **details)  # type: ignore[arg-type]


class LiveServer:
    """A server that runs. As a context it is stopped at the end, in an orderly way if that works.

    Attributes:
        site: what it serves.
        process: the process.
    """

    def __init__(self, site: LiveSite, process: ServerProcess) -> None:
        self.site = site
        self.process = process

    def __enter__(self) -> LiveServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(patience=10.0)

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        os.kill(self.pid, number)

    def stop(self) -> int:
        """End it in an orderly way and return its exit status; an AssertionError if it does not end."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit status of a server that ends; an AssertionError if it does not."""
        try:
            return self.process.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server does not end:\n{self.process.log_tail()}") from None

    # -- the log

    def log_text(self) -> str:
        """Everything that the server has printed."""
        return self.site.server_site.log.read_text()

    def log(self) -> list[LogLine]:
        """The records of the log."""
        return parse_log(self.log_text())

    def grave(self) -> list[LogLine]:
        """The records of level WARNING or above."""
        return [line for line in self.log() if line.is_grave]

    def wait_for_log(self, text: str, times: int = 1) -> None:
        """Return when the log has the text that often; an AssertionError if the server has ended or takes too long."""

        def is_there() -> bool:
            ended = self.process.process.poll() is not None
            if self.log_text().count(text) >= times:
                return True
            assert not ended, f"the server has ended without {text!r} in its log:\n{self.process.log_tail()}"
            return False

        wait_until(is_there, f"{text!r} in the log")

    # -- the process

    def resources(self) -> Resources:
        """The current resources of the server and its children."""
        pids = process_tree(self.pid)
        threads = descriptors = 0
        for pid in pids:
            threads += len(os.listdir(f"/proc/{pid}/task"))
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        return Resources(len(pids), threads, descriptors)

    def settled_resources(self, quiet_seconds: float = 1.0) -> Resources:
        """The resources once they do not change any more."""
        found = self.resources()
        since = started = time.monotonic()
        while time.monotonic() - since < quiet_seconds:
            assert time.monotonic() - started < PATIENCE_SECONDS, "the server's resources keep changing"
            time.sleep(0.1)
            current = self.resources()
            if current != found:
                found, since = current, time.monotonic()
        return found

    def describe_descriptors(self) -> str:
        """Every open descriptor, for messages."""
        lines = []
        for pid in process_tree(self.pid):
            for name in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
                try:
                    lines.append(f"{pid}: {name} {os.readlink(f'/proc/{pid}/fd/{name}')}")
                except OSError:
                    continue
        return "\n".join(lines)
