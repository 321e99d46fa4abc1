"""A `bcfg2.conf` and a set of temporary directories: one for a client, one for a server.

The configuration files are plain Bcfg2 ones; a `ServerSite` serves any implementation of the server. Everything that
a run writes stays below the site's directory.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geventcore.testing.certificates import Certificate

Sections = Mapping[str, Mapping[str, str]]

#: The plugins that the generated and the sample repositories use, all of which 1.3.4 has too.
PLUGINS = ("Bundler", "Cfg", "Decisions", "Metadata", "Probes", "Properties", "Rules")


#: Below those that Linux gives to outgoing connections: a load of clients takes thousands of these at random.
_PORTS = range(15_000, 32_000)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((address, port))
            return port


def write_configuration(path: Path, *layers: Sections) -> None:
    """Write an INI file of sections (name -> option -> value); later layers add options or replace them."""
    merged: dict[str, dict[str, str]] = {}
    for layer in layers:
        for name, options in layer.items():
            merged.setdefault(name, {}).update(options)
    lines: list[str] = []
    for name, options in merged.items():
        lines.append(f"[{name}]")
        lines += [f"{option} = {value.replace('%', '%%')}" for option, value in options.items()]
        lines.append("")
    path.write_text("\n".join(lines))


@dataclass(frozen=True)
class ClientSite:
    """One client machine, played below `directory` (made if missing).

    Paths in a Bcfg2 configuration are absolute and the client has no option for another root. So a repository made for
    a real install names its entries below `root`: `Path name="<root>/etc/motd"`.

    Attributes:
        server_url: `https://host:port`.
        password: the global one, or the client's own.
        user: `root` means the client is known by its address; else its uuid or host name.
        ca: the CA certificate to check the server with; None: no check.
        certificate: a client certificate, or None.
        overrides: options to add or replace: section -> option -> value.
    """

    directory: Path
    server_url: str
    password: str
    user: str = "root"
    ca: Path | None = None
    certificate: Certificate | None = None
    overrides: Sections = field(default_factory=dict)

    def __post_init__(self) -> None:
        for needed in (self.root, self.temporary, self.backups):
            needed.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        """The directory that stands for the machine's `/`."""
        return self.directory / "root"

    @property
    def temporary(self) -> Path:
        """`TMPDIR` of the client: it runs probes from files there."""
        return self.directory / "tmp"

    @property
    def backups(self) -> Path:
        """The directory for copies of files marked `paranoid`, which a client with `-P` makes."""
        return self.directory / "paranoid"

    def write(self) -> Path:
        """Write the client's `bcfg2.conf`; returns its path."""
        communication = {"user": self.user, "password": self.password, "protocol": "xmlrpc/ssl"}
        if self.ca is not None:
            communication["ca"] = str(self.ca)
        if self.certificate is not None:
            communication["certificate"] = str(self.certificate.certificate)
            communication["key"] = str(self.certificate.key)
        path = self.directory / "bcfg2.conf"
        write_configuration(
            path,
            {
                "components": {"bcfg2": self.server_url, "lockfile": str(self.directory / "bcfg2.run")},
                "communication": communication,
                "client": {"drivers": "POSIX,Action"},
                "paranoid": {"path": str(self.backups)},
                "logging": {"syslog": "false"},
            },
            self.overrides,
        )
        return path


@dataclass(frozen=True)
class ServerSite:
    """One server run below `directory` (made if missing) on a loopback address.

    Attributes:
        repository: the Bcfg2 repository; the server writes into it.
        certificate: the server's.
        ca: the CA whose client certificates are accepted; also what clients check the server with.
        password: the global password.
        port: the TCP port.
        plugins: in load order.
        overrides: options to add or replace: section -> option -> value.
    """

    directory: Path
    repository: Path
    certificate: Certificate
    ca: Path
    password: str
    port: int = field(default_factory=free_port)
    plugins: Sequence[str] = PLUGINS
    overrides: Sections = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The server's standard output and standard error."""
        return self.directory / "server.log"

    def write(self, implementation: Sections | None = None) -> Path:
        """Write the server's `bcfg2.conf` with the options its implementation needs; returns its path."""
        path = self.directory / "bcfg2.conf"
        write_configuration(
            path,
            {
                "server": {
                    "repository": str(self.repository),
                    "plugins": ",".join(self.plugins),
                    "fam_blocking": "true",
                },
                "components": {"bcfg2": self.url},
                "communication": {
                    "protocol": "xmlrpc/ssl",
                    "password": self.password,
                    "certificate": str(self.certificate.certificate),
                    "key": str(self.certificate.key),
                    "ca": str(self.ca),
                },
                "database": {"name": str(self.directory / "bcfg2.sqlite")},
                "logging": {"syslog": "false"},
            },
            implementation or {},
            self.overrides,
        )
        path.chmod(0o600)
        return path
