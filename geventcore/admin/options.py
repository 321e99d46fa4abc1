"""The options of the admin listener.

The listener shows how busy a server is and, to local users with the rights, the stacks of its program. So the default
is a UNIX socket for the user and group of the server. Addresses that other machines can reach need a second option.
"""

from __future__ import annotations

from typing import Any

from geventcore.options import types
from geventcore.options.listen_address import ListenAddress, parse_address
from geventcore.options.option import Option

AUTOMATIC = "auto"
NOWHERE = "none"


class AdminAddressesType(types.ValueType[tuple[ListenAddress, ...] | None]):
    """Addresses with commas between them; None for the automatic one, an empty tuple for none."""

    accepts = "auto, none, or addresses such as unix:/run/geventcore/admin.sock, 127.0.0.1:6780 or [::1]:6780"
    metavar = "ADDRESSES"

    def parse(self, text: str) -> tuple[ListenAddress, ...] | None:
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


LISTEN: Option[tuple[ListenAddress, ...] | None] = Option(
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

HOSTS = Option(
    "admin",
    "hosts",
    types.ListType(",", "host names and addresses with commas between them"),
    (),
    "Further names of this machine by which requests may ask on a TCP port, such as ``bcfg2.example.com``. Others are "
    "refused (status 421), so that no page in a browser on this network reads the listener under a name of its own. "
    "The address that receives the request, and ``localhost`` for a loopback address, are always accepted.",
    at_start=True,
)


class ControlAddressType(types.ValueType[ListenAddress | None]):
    """The path of a UNIX socket; None for the automatic one, an address without a path for none."""

    accepts = "auto, none, or a path such as unix:/run/geventcore/control.sock"
    metavar = "ADDRESS"

    def parse(self, text: str) -> ListenAddress | None:
        word = text.strip().lower()
        if word == AUTOMATIC:
            return None
        if word == NOWHERE:
            return ListenAddress()
        address = parse_address(text.strip())
        if address.path is None:
            raise ValueError(f"{text}: sockets are handed over on a UNIX socket only")
        return address

    def format(self, value: Any) -> str:
        if value is None:
            return AUTOMATIC
        return NOWHERE if value.path is None else str(value)


CONTROL: Option[ListenAddress | None] = Option(
    "admin",
    "control",
    ControlAddressType(),
    None,
    "The UNIX socket on which ``geventcore server --replace`` takes the listening sockets over from a running server. "
    "Only root and the user of the server may connect.\n\n"
    "``auto`` is ``control-<port>.sock`` in the directory of the automatic admin socket. There is none with [admin] "
    "listen = none, or if it cannot be made there.",
    at_start=True,
)

#: All of them, in the order of the manual.
ADMIN_OPTIONS: tuple[Option[Any], ...] = (LISTEN, ALLOW_REMOTE, SOCKET_MODE, HOSTS, CONTROL)
