"""Becoming a daemon: detach, hold the pid file, drop privileges.

The process that was started waits until the daemon serves or has failed, so its exit status and its messages tell
whether the start succeeded. The pid file is locked by the kernel for as long as the daemon lives: one that is left
behind by a crash does not stand in the way.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import pwd
import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from geventcore.errors import CoreInitError
from geventcore.log import hand_over_log_files
from geventcore.trusted_files import make_directory, open_trusted

log = logging.getLogger(__name__)

#: How long a start waits for an ending server to release the pid file, in seconds.
LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Identity:
    """The rights of a daemon: the numbers of a user and a group, and the bits that new files lack."""

    uid: int
    gid: int
    umask: int


class PidFile:
    """A file that holds the daemon's process number and a lock.

    Attributes:
        path: the file.
        descriptor: the open file, which holds the lock.
    """

    def __init__(self, path: Path, identity: Identity, descriptor: int | None = None) -> None:
        """Make the directory if it is missing, and take the lock; `CoreInitError` if another server has it.

        `descriptor` is that of a server which this one replaces: the lock is shared with it.
        """
        self.path = path
        try:
            make_directory(path.parent, 0o755, identity.uid, identity.gid)
            self.descriptor = self._locked() if descriptor is None else descriptor
        except OSError as err:
            raise CoreInitError(f"the pid file {path} cannot be used: {err.strerror}") from err

    def _locked(self) -> int:
        """A descriptor of the file that holds the lock. The file may be removed by an ending server meanwhile."""
        give_up = time.monotonic() + LOCK_SECONDS
        while True:
            descriptor = open_trusted(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                        return descriptor
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    pid = os.read(descriptor, 32).decode("ascii", "replace").strip()
                    os.close(descriptor)
                    raise CoreInitError(f"a server is running already, as process {pid} of {self.path}") from None
                time.sleep(0.1)
            os.close(descriptor)

    def write(self) -> None:
        """Store this process's number."""
        number = b"%d\n" % os.getpid()
        os.pwrite(self.descriptor, number, 0)
        os.ftruncate(self.descriptor, len(number))

    def remove(self) -> None:
        """Remove the file and let go of the lock, unless a server that replaces this one has written its number.

        The file is empty if the start failed before it was written.
        """
        if os.pread(self.descriptor, 32, 0).strip() in (b"", b"%d" % os.getpid()):
            try:
                self.path.unlink()
            except OSError:
                # Without the right to remove it, at least it names no process that somebody might end.
                os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)


class StartReport:
    """A pipe on which the daemon reports its start to the process that was started: one line, empty for success."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def await_result(self) -> int:
        """Wait in the process that was started, print the failure if any, and return the exit status."""
        os.close(self._write)
        told, piece = b"", b"\0"
        # Until the end of the line, because processes that the daemon has forked hold the other end, too.
        while piece and not told.endswith(b"\n"):
            # A core's preparation may leave closing to its event loop, which runs while select waits, and not while a
            # plain read does: that would wait for an end that this process itself keeps open.
            select.select([self._read], [], [])
            piece = os.read(self._read, 4096)
            told += piece
        if told == b"\n":
            return 0
        message = told.decode("utf-8", "replace").strip() or "the server ended before it was ready"
        print(f"geventcore: error: {message}", file=sys.stderr)
        return 1

    def in_daemon(self) -> None:
        """Keep only the writing end, in the daemon."""
        os.close(self._read)

    def send(self, message: str) -> None:
        """Report the result, once: ``""`` for success, else the reason of the failure."""
        if self._write >= 0:
            os.write(self._write, message.replace("\n", " ").encode("utf-8", "replace") + b"\n")
            os.close(self._write)
            self._write = -1


def fork_into_background() -> None:
    """Go on in a process that has no terminal, no controlling session and no standard streams."""
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    if null > 2:
        os.close(null)


def detach(into_background: Callable[[], None] = fork_into_background) -> StartReport:
    """Go on as a daemon; the process that was started never returns from here, it exits with the result."""
    report = StartReport()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os._exit(report.await_result())
    report.in_daemon()
    into_background()
    os.chdir("/")
    return report


def drop_privileges(identity: Identity) -> None:
    """Become the configured user, with all its groups; `CoreInitError` if that is not allowed.

    Someone other than root stays who it is, unless another user is wanted.
    """
    os.umask(identity.umask)
    if (os.geteuid(), os.getegid()) != (identity.uid, identity.gid):
        try:
            if os.geteuid() == 0:
                hand_over_log_files(identity.uid, identity.gid)
                _set_groups(identity)
                os.setgid(identity.gid)
                os.setuid(identity.uid)
            elif identity.uid not in (0, os.geteuid()):
                raise PermissionError
        except PermissionError as err:
            raise CoreInitError(
                f"cannot become user {identity.uid}, group {identity.gid}; see [server] user and group"
            ) from err
    try:
        os.environ["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        os.environ["HOME"] = "/"


def _set_groups(identity: Identity) -> None:
    try:
        name = pwd.getpwuid(identity.uid).pw_name
    except KeyError:
        os.setgroups([identity.gid])
    else:
        os.initgroups(name, identity.gid)
