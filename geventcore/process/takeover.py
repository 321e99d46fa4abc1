"""Taking over the listening sockets of a running server, so that a new process serves without a pause.

A server offers its sockets on a UNIX socket, its control socket. Each message is a JSON object in one line:

===========================  ==========================================================================
new process: ``take_over``   the version of this protocol, and the process and version that ask
running server: ``pid``      its process, version and core; the names of the sockets and the pid file,
                             whose descriptors come with the line (``SCM_RIGHTS``)
or ``refused``               why not
new process: ``serves``      it serves clients
===========================  ==========================================================================

The running server serves until the last message. If the connection ends without it, nothing has happened.
"""

from __future__ import annotations

import array
import contextlib
import json
import logging
import os
import signal
import socket
import time
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET
from _socket import socket as plain_socket
from pathlib import Path
from typing import Any, cast

import geventcore
from geventcore.errors import CoreInitError
from geventcore.process.signals import REPLACED

log = logging.getLogger(__name__)

#: The version of the protocol.
PROTOCOL = 1
#: The longest message, in bytes.
LONGEST_MESSAGE = 65536
#: The most descriptors of a message; the kernel's limit is 253.
MOST_DESCRIPTORS = 128
#: How long a running server has to answer, in seconds.
ANSWER_SECONDS = 30.0


def encode(message: dict[str, Any]) -> bytes:
    """Return a message as it is sent."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return a received message; empty if it is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


class Predecessor:
    """A running server whose sockets this process takes over.

    The waiting goes through the C class of sockets, which no core replaces: processes are forked later.

    Attributes:
        pid: its main process.
        version, core: what it is.
    """

    def __init__(self, path: Path) -> None:
        """Ask the server at a control socket for its sockets.

        Raises:
            FileNotFoundError, ConnectionRefusedError: no server is there.
            CoreInitError: the server refuses, or does not answer.
        """
        self._sock = plain_socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._descriptors: dict[str, int] = {}
        #: A pidfd, so that the number of a process that has ended stands for no other one. It stays open.
        self._process = -1
        self._has_ended = False
        try:
            self._sock.settimeout(ANSWER_SECONDS)
            self._sock.connect(str(path))
            request = {"take_over": PROTOCOL, "pid": os.getpid(), "version": geventcore.__version__}
            self._sock.sendall(encode(request))
            answer, descriptors = self._receive()
            self._read(path, answer, descriptors)
        except (FileNotFoundError, ConnectionRefusedError):
            self._sock.close()
            raise
        except OSError as err:
            self._sock.close()
            raise CoreInitError(f"the server at {path} does not hand its sockets over: {err.strerror or err}") from err

    def _receive(self) -> tuple[bytes, list[int]]:
        line, descriptors = b"", array.array("i")
        deadline = time.monotonic() + ANSWER_SECONDS
        while not line.endswith(b"\n") and len(line) < LONGEST_MESSAGE and time.monotonic() < deadline:
            piece, ancillary, _, _ = self._sock.recvmsg(
                LONGEST_MESSAGE, CMSG_SPACE(MOST_DESCRIPTORS * descriptors.itemsize), socket.MSG_CMSG_CLOEXEC
            )
            for level, kind, data in ancillary:
                if level == SOL_SOCKET and kind == SCM_RIGHTS:
                    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            if not piece:
                break
            line += piece
        return line, list(descriptors)

    def _read(self, path: Path, answer: bytes, descriptors: list[int]) -> None:
        message = decode(answer)
        names = message.get("descriptors")
        if not isinstance(names, list) or len(names) != len(descriptors) or not isinstance(message.get("pid"), int):
            for descriptor in descriptors:
                os.close(descriptor)
            self._sock.close()
            reason = message.get("refused") or "its answer cannot be understood"
            raise CoreInitError(f"the server at {path} does not hand its sockets over: {reason}")
        self._descriptors = dict(zip(map(str, names), descriptors, strict=True))
        self.pid = int(message["pid"])
        self.version = str(message.get("version", ""))
        self.core = str(message.get("core", ""))
        with contextlib.suppress(ProcessLookupError):
            self._process = os.pidfd_open(self.pid)

    def __str__(self) -> str:
        return f"process {self.pid} (geventcore {self.version}, core {self.core})"

    def take(self, name: str) -> socket.socket | None:
        """Return the listening socket with a name, such as ``127.0.0.1:6789`` or ``unix:/path``; None if it has none.

        A name is taken once. The socket is shared with the server, until that ends.
        """
        descriptor = self._descriptors.pop(name, None)
        if descriptor is None:
            return None
        sock = socket.socket(fileno=descriptor)
        sock.setblocking(False)
        return sock

    def take_file(self, path: Path) -> int | None:
        """Return a descriptor of its locked pid file; None if it has not this one."""
        return self._descriptors.pop(f"pid_file:{path}", None)

    def replace(self) -> None:
        """Have the server end: this process serves."""
        try:
            self._sock.sendall(encode({"serves": os.getpid()}))
            # The process to which this is connected may have ended meanwhile: then there is no answer.
            is_told = bool(decode(self._receive()[0]).get("ends"))
        except OSError:
            is_told = False
        if not is_told and self._process >= 0:
            try:
                cast("Any", signal).pidfd_send_signal(self._process, REPLACED)
            except OSError as err:
                log.error("%s does not end: %s; end it, since both serve", self, err.strerror)
        self._remove_left_over()
        self.leave()

    @property
    def has_ended(self) -> bool:
        """True if its main process has ended. Never waits."""
        if not self._has_ended:
            try:
                cast("Any", signal).pidfd_send_signal(self._process, 0)
                # The number belongs to the process as long as its parent has not asked for its status.
                status = Path(f"/proc/{self.pid}/stat").read_bytes()
                self._has_ended = status.rpartition(b")")[2].split()[0] == b"Z"
            except PermissionError:
                # It runs as somebody else.
                return False
            except OSError:
                self._has_ended = True
        return self._has_ended

    def _remove_left_over(self) -> None:
        """Remove the files of UNIX sockets that this server has no use for: nobody else does."""
        for name in self._descriptors:
            if name.startswith("unix:"):
                with contextlib.suppress(OSError):
                    os.unlink(name.removeprefix("unix:"))

    def leave(self) -> None:
        """End the connection, and close what was not taken. May be called twice."""
        self._sock.close()
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
