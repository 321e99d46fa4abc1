"""The sockets of the admin listener: opened once, before privileges are dropped, and shared by all processes.

An address that the configuration names must be free, or the server does not start. The automatic address never stops a
start: if another server has it, or no directory is writable, there is no admin listener, and the log says so.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from geventcore.admin.options import ALLOW_REMOTE, LISTEN, SOCKET_MODE
from geventcore.core.network_options import PID_FILE
from geventcore.errors import ConfigError, CoreInitError
from geventcore.options.listen_address import ListenAddress
from geventcore.options.server import GROUP, SERVER_URL, UMASK, USER
from geventcore.options.settings import LoadedSettings
from geventcore.process.daemon import Identity
from geventcore.process.takeover import Predecessor
from geventcore.trusted_files import make_directory, open_directory

log = logging.getLogger(__name__)

RUN_DIRECTORY = Path("/run/geventcore")
#: How many connections wait in the kernel: few peers connect at a time.
BACKLOG = 64


def automatic_paths(settings: LoadedSettings, kind: str = "admin") -> Iterator[Path]:
    """Yield the possible paths of an automatic socket, the best one first, for the server and for its clients."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    for directory in [given] if given else [str(RUN_DIRECTORY), os.environ.get("XDG_RUNTIME_DIR", "")]:
        if directory:
            yield Path(directory) / f"{kind}-{settings[SERVER_URL].port}.sock"


class AdminSockets:
    """The open sockets."""

    def __init__(self, predecessor: Callable[[], Predecessor | None] = lambda: None) -> None:
        """`predecessor` returns the server whose sockets are taken over."""
        self.sockets: list[socket.socket] = []
        self.names: list[str] = []
        self._predecessor = predecessor
        self._paths: list[Path] = []
        self._owner = os.getpid()

    def open(self, settings: LoadedSettings) -> None:
        """Open the configured sockets; `ConfigError` or `CoreInitError` if that fails."""
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
                make_run_directory_if_root(path.parent, settings)
                self._open(ListenAddress(path=path), settings)
            except OSError as err:
                reasons.append(f"{path}: {err.strerror or err}")
            else:
                return
        log.info("There is no admin listener (%s); see %s", "; ".join(reasons) or "no directory for it", LISTEN.label)

    def _open(self, address: ListenAddress, settings: LoadedSettings) -> None:
        predecessor = self._predecessor()
        sock = predecessor.take(str(address)) if predecessor is not None else None
        if sock is None:
            sock = self._bound(address, settings)
        if address.path is not None:
            self._paths.append(address.path)
        self.sockets.append(sock)
        self.names.append(str(address))

    def _bound(self, address: ListenAddress, settings: LoadedSettings) -> socket.socket:
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
                bind_path(sock, address.path, settings[SOCKET_MODE], settings)
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        return sock

    def adopt(self) -> None:
        """Make this process remove the UNIX sockets in the end; called after it has detached."""
        self._owner = os.getpid()

    def close(self, *, leave_files: bool = False) -> None:
        """Close the sockets. The process that owns them removes the files of UNIX sockets, or leaves them."""
        for sock in self.sockets:
            sock.close()
        self.sockets = []
        self.names = []
        if os.getpid() == self._owner and not leave_files:
            for path in self._paths:
                with contextlib.suppress(OSError):
                    path.unlink()
        self._paths = []


def _identity(settings: LoadedSettings) -> Identity:
    """Return the user and group that the server will run as: only a daemon changes them."""
    if os.geteuid() == 0 and settings[PID_FILE] is not None:
        return Identity(settings[USER], settings[GROUP], settings[UMASK])
    return Identity(os.geteuid(), os.getegid(), settings[UMASK])


def make_run_directory_if_root(directory: Path, settings: LoadedSettings) -> None:
    """Make `RUN_DIRECTORY` for the user that the server will run as, if it is meant and this process may."""
    if directory == RUN_DIRECTORY and os.geteuid() == 0:
        identity = _identity(settings)
        make_directory(RUN_DIRECTORY, 0o755, identity.uid, identity.gid)


def bind_path(sock: socket.socket, path: Path, mode: int, settings: LoadedSettings) -> None:
    """Bind to a path. A socket that a crash has left there is replaced; `OSError` if a server listens on it.

    The directory may belong to the user that the server will run as, who must not have root change another file.
    """
    identity = _identity(settings)
    directory = open_directory(path.parent)
    try:
        # By the descriptor, the path means this directory whatever happens to its names.
        here = f"/proc/self/fd/{directory}/{path.name}"
        _remove_left_over(here, path.name, directory)
        # Nobody may connect who has no right to, not even for a moment.
        before = os.umask(0o777 & ~mode)
        try:
            sock.bind(here)
        finally:
            os.umask(before)
        if (os.geteuid(), os.getegid()) != (identity.uid, identity.gid):
            _give_away(path.name, directory, identity)
    finally:
        os.close(directory)


def _remove_left_over(here: str, name: str, directory: int) -> None:
    try:
        if not stat.S_ISSOCK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.settimeout(1.0)
        try:
            other.connect(here)
        except ConnectionRefusedError:
            os.unlink(name, dir_fd=directory)
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _give_away(name: str, directory: int, identity: Identity) -> None:
    """Give the socket that was just made to the user that the server will run as, but never another file."""
    opened = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        status = os.fstat(opened)
        if not stat.S_ISSOCK(status.st_mode) or status.st_nlink != 1 or status.st_uid != os.geteuid():
            raise OSError(errno.EEXIST, "another process has replaced the socket")
        os.chown(f"/proc/self/fd/{opened}", identity.uid, identity.gid)
    finally:
        os.close(opened)


def addresses_to_try(settings: LoadedSettings) -> Sequence[ListenAddress]:
    """Return the possible admin addresses of a configured server, the most likely one first."""
    addresses = settings[LISTEN]
    return [ListenAddress(path=path) for path in automatic_paths(settings)] if addresses is None else addresses
