"""Files that the server creates once and then keeps: keys and certificates.

Many clients may request a missing file at the same moment. In one process, `PathLocks` lets one request create it while
the others wait. Between processes, the file that is created first stays, and the others use it.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geventcore.filemonitor.own_writes import OWN_WRITES
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import staged, sync_directory

#: The errors of file systems without hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class PathLocks:
    """A lock for each path, which exists while it is held or waited for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Path, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, path: Path) -> Iterator[None]:
        """Hold the lock of `path` in this process. The lock is not reentrant."""
        with self._guard:
            lock, users = self._locks.get(path) or (threading.Lock(), 0)
            self._locks[path] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                _, users = self._locks.pop(path)
                if users > 1:
                    self._locks[path] = (lock, users - 1)


def create_durably(path: Path, data: bytes, mode: int = 0o666) -> bytes:
    """Create a file unless it exists; return its content. The process's umask applies to `mode`.

    A crash leaves the whole file or none. After an `OSError` there is no file, or the one that existed before.
    """
    with staged(path, data, mode) as (temporary, status):
        try:
            os.link(temporary, path)
        except FileExistsError:
            return read_file(path)
        except OSError as err:
            if err.errno not in _NO_LINKS:
                raise
            if path.exists():
                return read_file(path)
            os.rename(temporary, path)
        OWN_WRITES.note(os.path.realpath(path), status)
    sync_directory(path.parent)
    return data
