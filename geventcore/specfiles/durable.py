"""Writing files so that a crash at any instant leaves the old or the new file, never half of one.

A method that answers its caller after `GroupCommit.commit` has stored what it was given. Many callers that wait at the
same time share one write.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

#: Matches the temporary files that a crash may leave behind; file monitors ignore them.
TEMPORARY_GLOB = ".*.new"


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_directory(directory: Path) -> int:
    """Wait until no other process writes files of a directory that are replaced; blocks.

    Returns a descriptor for `unlock_directory`. Where the file system cannot lock directories, nobody is kept out.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def unlock_directory(descriptor: int) -> None:
    """Let others write."""
    # Closing would unlock it, too, but where the standard library is patched descriptors are closed some time later.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def write_durably(path: Path, data: bytes) -> os.stat_result:
    """Write beside, sync, rename over, sync the directory; returns the status of the new file, whatever is there now.

    A symbolic link is followed, so that the file it names is replaced and the link stays. Owner and mode of an existing
    file are kept. `OSError` leaves the old file as it was.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            with contextlib.suppress(FileNotFoundError):
                old = os.stat(target)
                os.fchmod(descriptor, old.st_mode & 0o7777)
                # An ordinary user may not give files away; the content matters more than the owner.
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
            status = os.fstat(descriptor)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(target.parent)
    return status


def write_if_different(path: Path, data: bytes) -> bool:
    """Write durably, unless that is what the file holds; whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    write_durably(path, data)
    return True


def create_if_missing(path: Path, data: bytes) -> None:
    """Write a file that a site may have left out, and say so."""
    if not path.exists():
        log.warning("%s does not exist; created", path)
        write_durably(path, data)


class GroupCommit:
    """One write for all who wait.

    `write` stores everything that has been changed so far. Whoever arrives while a write is under way waits for the
    next one, which one of them does for all.
    """

    def __init__(self, write: Callable[[], None]) -> None:
        self._write = write
        self._condition = threading.Condition()
        self._requested = 0
        self._completed = 0
        self._writing = False
        self._failures: dict[int, Exception] = {}

    def commit(self) -> None:
        """Return when a write that began after this call has succeeded; raises what that write raised."""
        with self._condition:
            self._requested += 1
            mine = self._requested
            self._condition.wait_for(lambda: not self._writing or self._completed >= mine)
            if self._completed >= mine:
                self._raise_failure(mine)
                return
            self._writing = True
            target = self._requested
        completed = self._completed
        try:
            self._write()
            completed = target
        except Exception as err:
            for request in range(completed + 1, target + 1):
                if request != mine:
                    self._failures[request] = err
            completed = target
            raise
        finally:
            # A writer that was ended from outside has stored nothing for anybody: the next one in line writes instead.
            with self._condition:
                self._completed = completed
                self._writing = False
                self._condition.notify_all()

    def _raise_failure(self, request: int) -> None:
        failure = self._failures.pop(request, None)
        if failure is not None:
            raise failure
