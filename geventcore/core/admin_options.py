"""The options of the admin listener.

It gives away how busy a server is and, to whoever has an account on the machine and the rights, where its program
stands. So the default is a UNIX socket for the server's own user and group; addresses that other machines reach need a
second option.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geventcore.options import types
from geventcore.options.option import Option

AUTOMATIC = "auto"
NOWHERE = "none"


@dataclass(frozen=True)
class AdminAddress:
    """Where the admin listener is: a UNIX socket at `path`, or else a TCP port of an IP address."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.path is not None or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AdminAddressesType(types.ValueType[tuple[AdminAddress, ...] | None]):
    """Addresses with commas between them; None for the automatic one, nothing for none."""

    accepts = "auto, none, or addresses such as unix:/run/geventcore/admin.sock, 127.0.0.1:6780 or [::1]:6780"
    metavar = "ADDRESSES"

    def parse(self, text: str) -> tuple[AdminAddress, ...] | None:
        word = text.strip().lower()
        if word == AUTOMATIC:
            return None
        if word == NOWHERE:
            return ()
        return tuple(parse_address(item.strip()) for item in text.split(","))

    def format(self, value: Any) -> str:
        if value is None:
            return AUTOMATIC
        return ", ".join(map(str, value)) if value else NOWHERE


def parse_address(text: str) -> AdminAddress:
    """The address that a text names; `ValueError` if it is none."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/") or "\0" in path:
            raise ValueError(f"{text}: the path of a UNIX socket begins with /")
        if len(path.encode()) > 107:
            raise ValueError(f"{text}: the path of a UNIX socket has at most 107 bytes")
        return AdminAddress(path=Path(path))
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]]+)):([0-9]{1,5})", text)
    if match is None:
        raise ValueError
    host = "127.0.0.1" if match[2] == "localhost" else match[1] or match[2]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{text}: {host} is not an IP address") from None
    if int(match[3]) > 65535:
        raise ValueError(f"{text}: a port is a number up to 65535")
    return AdminAddress(host=host, port=int(match[3]))


LISTEN: Option[tuple[AdminAddress, ...] | None] = Option(
    "admin",
    "listen",
    AdminAddressesType(),
    None,
    "Where health checks, metrics and ``geventcore status`` ask.\n\n"
    "``auto`` is the UNIX socket ``admin-<port>.sock``, with the port of [components] bcfg2, in the directory that "
    "systemd names in ``RUNTIME_DIRECTORY``; without that in ``/run/geventcore``, or in ``XDG_RUNTIME_DIR``. If it "
    "cannot be made there, nothing listens. A Prometheus server needs a TCP "
    "port: ``127.0.0.1:6780``.",
    at_start=True,
)
ALLOW_REMOTE = Option(
    "admin",
    "allow_remote",
    types.BOOLEAN,
    False,
    "Whether [admin] listen may name addresses that other machines reach. There is neither TLS nor a password: put a "
    "firewall or a proxy in front. Stack traces are not shown there.",
    at_start=True,
)
SOCKET_MODE = Option(
    "admin",
    "socket_mode",
    types.OCTAL,
    0o660,
    "The permissions of the UNIX socket: who may connect. It belongs to the user and group that the server becomes.",
    at_start=True,
)

#: All of them, in the order of the manual.
ADMIN_OPTIONS: tuple[Option[Any], ...] = (LISTEN, ALLOW_REMOTE, SOCKET_MODE)
