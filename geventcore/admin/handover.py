"""The running server's part of ``geventcore server --replace``: it hands its listening sockets to a new process.

See `geventcore.process.takeover` for the messages. Every process that serves clients answers, with the sockets that all
share. The server goes on serving until the new process says that it does.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import logging
import os
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import geventcore
from geventcore.admin.options import CONTROL, LISTEN
from geventcore.admin.sockets import BACKLOG, automatic_paths, bind_path, make_run_directory_if_root
from geventcore.errors import CoreInitError, GeventcoreError
from geventcore.options.listen_address import ListenAddress
from geventcore.options.settings import LoadedSettings
from geventcore.process.daemon import PidFile
from geventcore.process.listening import socket_name
from geventcore.process.supervision import Supervision
from geventcore.process.takeover import LONGEST_MESSAGE, PROTOCOL, Predecessor, decode, encode

log = logging.getLogger(__name__)

#: Only the server's own user and root may have the sockets.
SOCKET_MODE = 0o600
#: How long a peer may take to send its request, in seconds.
ASK_SECONDS = 5.0
#: How long the end of the listener waits for its thread, in seconds.
STOP_SECONDS = 5.0
#: ``struct ucred``: process, user and group of the other end of a UNIX socket.
_CREDENTIALS = struct.Struct("3i")


class Server(Protocol):
    """The server as its handover sees it; see `geventcore.core.network.NetworkCore`."""

    @property
    def name(self) -> str:
        """The name in ``[server] core``."""

    @property
    def listeners(self) -> Sequence[socket.socket]:
        """The sockets on which clients connect."""

    @property
    def supervision(self) -> Supervision:
        """The supervisors and the pid file."""

    @property
    def predecessor(self) -> Predecessor | None:
        """The server whose sockets this one has taken over."""

    @property
    def is_replaced(self) -> bool:
        """True if the server ends because another process serves in its place."""

    def hand_over(self) -> None:
        """End, because another process serves; returns at once."""


def control_paths(settings: LoadedSettings) -> list[Path]:
    """Return the possible paths of the control socket, the best one first."""
    address = settings[CONTROL]
    if address is not None:
        return [address.path] if address.path is not None else []
    if settings[LISTEN] == ():
        return []
    return list(automatic_paths(settings, "control"))


def find_predecessor(settings: LoadedSettings) -> Predecessor | None:
    """Connect to the server that runs with this configuration; None if there is none.

    Raises:
        CoreInitError: it does not hand its sockets over, or the configuration turns the control socket off.
    """
    paths = control_paths(settings)
    if not paths:
        raise CoreInitError(f"--replace needs the control socket of the running server; see {CONTROL.label}")
    for path in paths:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return Predecessor(path)
    log.warning("No server is there to replace (%s); starting without one", ", ".join(map(str, paths)))
    return None


class HandoverListener:
    """Hands the listening sockets to a new process: a `geventcore.core.side_services.SideService`."""

    def __init__(self, server: Server, admin_sockets: Callable[[], Sequence[tuple[str, socket.socket]]]) -> None:
        """`admin_sockets` returns the names and sockets of the admin listener."""
        self._server = server
        self._admin_sockets = admin_sockets
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._main_process = os.getpid()
        self._pid_file: PidFile | None = None
        self._turn = _Turn()
        self._end: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._connections: set[socket.socket] = set()

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The open socket, if any."""
        return [self._socket] if self._socket is not None else []

    def open(self, settings: LoadedSettings) -> None:
        """Open the control socket. If that is not possible where no option asks for it, there is none."""
        reasons = []
        for path in control_paths(settings):
            try:
                self._open(path, settings)
            except OSError as err:
                if settings[CONTROL] is not None:
                    raise CoreInitError(
                        f"{settings.source_of(CONTROL)}: {CONTROL.label}: cannot listen on {path}: "
                        f"{err.strerror or err}"
                    ) from err
                reasons.append(f"{path}: {err.strerror or err}")
            else:
                return
        if reasons:
            log.info("There is no control socket (%s); see %s", "; ".join(reasons), CONTROL.label)

    def _open(self, path: Path, settings: LoadedSettings) -> None:
        predecessor = self._server.predecessor
        sock = predecessor.take(str(ListenAddress(path=path))) if predecessor is not None else None
        if sock is None:
            make_run_directory_if_root(path.parent, settings)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                bind_path(sock, path, SOCKET_MODE, settings)
                sock.listen(BACKLOG)
                sock.setblocking(False)
            except OSError:
                sock.close()
                raise
        self._socket, self._path = sock, path

    def adopt(self) -> None:
        """Make this process the main one; called after it has detached."""
        self._main_process = os.getpid()
        self._pid_file = self._server.supervision.pid_file

    def start(self) -> None:
        """Answer from now on, in a process that serves."""
        if self._socket is not None and self._thread is None:
            self._end, end_of_acceptor = socket.socketpair()
            arguments = (self._socket, end_of_acceptor)
            self._thread = threading.Thread(target=self._accept, args=arguments, name="control socket", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        if self._thread is not None and self._end is not None:
            self._end.close()
            self._thread.join(STOP_SECONDS)
            self._thread = None
            for sock in list(self._connections):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; the main process removes its file, unless another server has taken it over."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            if os.getpid() == self._main_process and self._path is not None and not self._server.is_replaced:
                with contextlib.suppress(OSError):
                    self._path.unlink()

    def _accept(self, listener: socket.socket, end: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, end:
            selector.register(end, selectors.EVENT_READ)
            selector.register(listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is end:
                        return
                    try:
                        sock, _ = listener.accept()
                    except OSError as err:
                        if err.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                            log.error("The control socket accepts nothing more: %s", err.strerror)
                            return
                        continue
                    threading.Thread(target=self._serve, args=(sock,), name="handover", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self._connections.add(sock)
        try:
            with sock:
                self._hand_over(sock)
        except (OSError, GeventcoreError) as err:
            log.warning("The sockets are not handed over: %s", err)
        finally:
            self._connections.discard(sock)

    def _hand_over(self, sock: socket.socket) -> None:
        sock.settimeout(ASK_SECONDS)
        request = decode(_line(sock))
        if request.get("take_over") != PROTOCOL:
            raise GeventcoreError("the request cannot be understood")
        with self._turn.taken() as is_taken:
            refusal = self._why_refused(sock, is_taken)
            if refusal:
                sock.sendall(encode({"refused": refusal}))
                raise GeventcoreError(refusal)
            successor = f"process {request.get('pid')} (geventcore {request.get('version')})"
            self._send_descriptors(sock)
            log.info("Handing the sockets over to %s, which starts", successor)
            # It may load for as long as it takes: this server serves meanwhile.
            sock.settimeout(None)
            try:
                answer = decode(_line(sock))
            except ConnectionError:
                # A process that is killed may reset the connection instead of closing it.
                answer = {}
            if "serves" not in answer:
                log.warning("%s has ended before it served clients; this server goes on", successor.capitalize())
                return
            log.info("Ending, because %s serves in the place of this server", successor)
            self._server.hand_over()
            sock.sendall(encode({"ends": self._main_process}))

    def _why_refused(self, sock: socket.socket, is_taken: bool) -> str:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        user = _CREDENTIALS.unpack(credentials)[1]
        if user not in (0, os.geteuid()):
            return f"user {user} is neither root nor the user of the server"
        if self._server.supervision.has_service_manager:
            return "a service manager runs this server: restart the service; see the documentation of its socket"
        return "" if is_taken else "another process is about to take them over"

    def _send_descriptors(self, sock: socket.socket) -> None:
        assert self._socket is not None
        named = [(socket_name(listener), listener.fileno()) for listener in self._server.listeners]
        named += [(name, listener.fileno()) for name, listener in self._admin_sockets()]
        named.append((str(ListenAddress(path=self._path)), self._socket.fileno()))
        if self._pid_file is not None:
            named.append((f"pid_file:{self._pid_file.path}", self._pid_file.descriptor))
        header = encode(
            {
                "pid": self._main_process,
                "version": geventcore.__version__,
                "core": self._server.name,
                "descriptors": [name for name, _ in named],
            }
        )
        descriptors = array.array("i", [descriptor for _, descriptor in named])
        sent = sock.sendmsg([header], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        sock.sendall(header[sent:])


class _Turn:
    """One handover at a time, in all processes of a server. Made before they are forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file = os.memfd_create("handover", os.MFD_CLOEXEC)

    @contextlib.contextmanager
    def taken(self) -> Iterator[bool]:
        """Yield true if it is this caller's turn, until the block ends."""
        if not self._lock.acquire(blocking=False):
            yield False
            return
        try:
            try:
                # Of POSIX, so it belongs to a process.
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            try:
                yield True
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        finally:
            self._lock.release()


def _line(sock: socket.socket) -> bytes:
    """Return the next message; without its end if the connection ends."""
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST_MESSAGE:
        piece = sock.recv(4096)
        if not piece:
            break
        line += piece
    return line
