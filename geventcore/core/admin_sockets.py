"""The sockets of the admin listener: opened once, before privileges are dropped, and shared by all processes.

An address that the configuration names has to be free, or the start stops. The automatic one must never stop a start:
if another server has it, or no directory can be written to, there is no admin listener, and the log says so.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from geventcore.core.admin_options import ALLOW_REMOTE, LISTEN, SOCKET_MODE, AdminAddress
from geventcore.core.daemon import Identity
from geventcore.core.network_options import PID_FILE
from geventcore.errors import ConfigError, CoreInitError
from geventcore.options.common import GROUP, SERVER_URL, UMASK, USER
from geventcore.options.settings import LoadedSettings

log = logging.getLogger(__name__)

RUN_DIRECTORY = Path("/run/geventcore")
#: Few ask at a time; the kernel lets the others wait.
BACKLOG = 64


def automatic_paths(settings: LoadedSettings) -> Iterator[Path]:
    """Where the automatic socket may be, the best place first; for the server and for those who look for it."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    for directory in [given] if given else [str(RUN_DIRECTORY), os.environ.get("XDG_RUNTIME_DIR", "")]:
        if directory:
            yield Path(directory) / f"admin-{settings[SERVER_URL].port}.sock"


class AdminSockets:
    """The open sockets."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self._paths: list[Path] = []
        self._owner = os.getpid()

    def open(self, settings: LoadedSettings) -> None:
        """Open what the configuration says; `ConfigError` or `CoreInitError` if that is not possible."""
        addresses = settings[LISTEN]
        if addresses is None:
            self._open_automatic(settings)
            return
        remote = [str(address) for address in addresses if not address.is_local]
        if remote and not settings[ALLOW_REMOTE]:
            raise ConfigError(
                f"{settings.source_of(LISTEN)}: {LISTEN.label}: other machines reach {', '.join(remote)}; if that is "
                f"wanted, set {ALLOW_REMOTE.label} = yes, else use 127.0.0.1, [::1] or unix:/path"
            )
        if remote:
            log.warning("The admin listener can be reached from other machines, without a password: %s", *remote[:1])
        for address in addresses:
            try:
                self._open(address, settings)
            except OSError as err:
                self.close()
                raise CoreInitError(
                    f"{settings.source_of(LISTEN)}: {LISTEN.label}: cannot listen on {address}: {err.strerror or err}"
                ) from err

    def _open_automatic(self, settings: LoadedSettings) -> None:
        reasons = []
        for path in automatic_paths(settings):
            try:
                if path.parent == RUN_DIRECTORY and os.geteuid() == 0:
                    _make_run_directory(_identity(settings))
                self._open(AdminAddress(path=path), settings)
            except OSError as err:
                reasons.append(f"{path}: {err.strerror or err}")
            else:
                return
        log.info("There is no admin listener (%s); see %s", "; ".join(reasons) or "no directory for it", LISTEN.label)

    def _open(self, address: AdminAddress, settings: LoadedSettings) -> None:
        if address.path is None:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
        else:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if address.path is None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address.host, address.port))
            else:
                _bind_path(sock, address.path, settings[SOCKET_MODE], _identity(settings))
                self._paths.append(address.path)
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        self.sockets.append(sock)

    def adopt(self) -> None:
        """Make this process the one that removes the UNIX sockets in the end; called after it has detached."""
        self._owner = os.getpid()

    def close(self) -> None:
        """Close the sockets; the process that has opened them removes the files of UNIX sockets."""
        for sock in self.sockets:
            sock.close()
        self.sockets = []
        if os.getpid() == self._owner:
            for path in self._paths:
                with contextlib.suppress(OSError):
                    path.unlink()
        self._paths = []


def _identity(settings: LoadedSettings) -> Identity:
    """Who the server will be: only a daemon becomes somebody else."""
    if os.geteuid() == 0 and settings[PID_FILE] is not None:
        return Identity(settings[USER], settings[GROUP], settings[UMASK])
    return Identity(os.geteuid(), os.getegid(), settings[UMASK])


def _make_run_directory(identity: Identity) -> None:
    if not RUN_DIRECTORY.is_dir():
        RUN_DIRECTORY.mkdir(mode=0o755)
        os.chown(RUN_DIRECTORY, identity.uid, identity.gid)


def _bind_path(sock: socket.socket, path: Path, mode: int, identity: Identity) -> None:
    """Bind to a path; what a crash has left there is replaced, a socket that somebody listens on is not."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.settimeout(1.0)
            try:
                other.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    # Nobody else may connect before the permissions are what they should be.
    before = os.umask(0o777)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    if (os.geteuid(), os.getegid()) != (identity.uid, identity.gid):
        os.chown(path, identity.uid, identity.gid)
    path.chmod(mode)


def addresses_to_try(settings: LoadedSettings) -> Sequence[AdminAddress]:
    """Where the server of a configuration can be asked, the most likely place first."""
    addresses = settings[LISTEN]
    return [AdminAddress(path=path) for path in automatic_paths(settings)] if addresses is None else addresses
