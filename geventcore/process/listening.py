"""The sockets that a server listens on, for every core alike.

They are opened before privileges are dropped and before the process detaches, so that a taken port is one clear line on
the terminal. Sockets that systemd passes on (``LISTEN_FDS``) take precedence over the configuration.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from geventcore.errors import CoreInitError

log = logging.getLogger(__name__)

#: How many connections the kernel keeps waiting; it takes the smaller of this and ``net.core.somaxconn`` (4096 on
#: current Linux). Clients wait 90 s for an answer and give up after three quick errors, so a long queue serves them.
BACKLOG = 16384
#: A kernel that keeps fewer than this waiting, as Linux before 5.4 does, makes clients of a herd try again and again.
FEW_WAITING = 1024
_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")

_FIRST_PASSED_DESCRIPTOR = 3
#: Where the kernel's ``struct tcp_info`` has the queue of a listening socket: how many wait in it, and how many may.
_QUEUE = struct.Struct("24xII")


def passed_sockets() -> list[socket.socket]:
    """The listening sockets that systemd has passed to this process; the environment is cleared of them.

    `CoreInitError` if what was passed is something else.
    """
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    sockets = []
    for descriptor in range(_FIRST_PASSED_DESCRIPTOR, _FIRST_PASSED_DESCRIPTOR + int(count)):
        try:
            sock = socket.socket(fileno=descriptor)
        except OSError as err:
            raise CoreInitError(f"LISTEN_FDS: descriptor {descriptor} is no socket: {err.strerror}") from err
        sock.set_inheritable(False)
        sock.setblocking(False)
        sockets.append(sock)
    return sockets


def open_sockets(
    host: str, port: int, listen_all: bool, take: Callable[[str], socket.socket | None] = lambda _: None
) -> list[socket.socket]:
    """Listening sockets for every address of a host, or for all addresses; `CoreInitError` says why there are none.

    `take` returns a socket that listens on an address already; see `geventcore.process.takeover.Predecessor.take`.
    """
    passed = passed_sockets()
    if passed:
        return passed
    where = f"port {port} of every address" if listen_all else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(
            None if listen_all else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE if listen_all else 0
        )
    except OSError as err:
        raise CoreInitError(f"cannot listen on {where}: [components] bcfg2: {err.strerror or err}") from err
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                where_exactly = (address[0], sockets[0].getsockname()[1] if sockets else port)
                sockets.append(take(address_text(*where_exactly)) or _listen(family, where_exactly))
            except OSError as err:
                if err.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                failure = err
                log.debug("cannot listen on %s: %s", address[0], err)
    except OSError as err:
        for sock in sockets:
            sock.close()
        raise CoreInitError(f"cannot listen on {where}: {err.strerror or err}") from err
    if not sockets:
        raise CoreInitError(f"cannot listen on {where}: {failure}")
    _warn_about_short_queue()
    return sockets


def _warn_about_short_queue() -> None:
    try:
        longest = int(_SOMAXCONN.read_text())
    except (OSError, ValueError):
        return
    if longest < FEW_WAITING:
        log.warning(
            "The kernel keeps only %d connections waiting: raise net.core.somaxconn with sysctl, to %d for instance",
            *(longest, BACKLOG),
        )


def _listen(family: int, address: tuple[str | int, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own, so addresses look the same to access control everywhere.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def waiting_connections(sock: socket.socket) -> tuple[int, int]:
    """Return the length and the limit of the accept queue; zeros if the kernel does not tell."""
    try:
        waiting, limit = _QUEUE.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUEUE.size))
    except OSError:
        return 0, 0
    return waiting, limit


def socket_name(sock: socket.socket) -> str:
    """The address of a listening socket, for the log."""
    name = sock.getsockname()
    return address_text(name[0], name[1]) if isinstance(name, tuple) else str(name)


def address_text(host: str | int, port: int) -> str:
    """An IP address and a port, as one text."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
