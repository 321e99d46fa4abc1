"""Files that the server makes once and then keeps: keys and certificates.

Many clients may ask at the same moment for what does not exist yet. In one process `PathLocks` lets one of them make it
while the others wait; between processes the first file stays, and whoever comes second takes it.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from geventcore.specfiles.durable import sync_directory

#: What file systems say that have no hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class PathLocks:
    """A lock for each path, kept while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Path, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, path: Path) -> Iterator[None]:
        """Be the only one in this process who holds `path`; not to be asked for twice by the same caller."""
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
    """Make a file unless there is one; returns what is in it then. `mode` is less the process's umask.

    A crash leaves the whole file or none. `OSError` leaves none, or the one that was there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return path.read_bytes()
        except OSError as err:
            if err.errno not in _NO_LINKS:
                raise
            if path.exists():
                return path.read_bytes()
            os.rename(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    sync_directory(path.parent)
    return data
