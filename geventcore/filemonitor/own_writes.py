"""The files that the server itself has written, so that their events do not count as somebody's change.

Changes of others are applied when they have come to rest (`geventcore.repository.settling`). A server whose clients
keep it writing, such as keys of hosts and results of probes, would otherwise never find the repository at rest.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

#: How many of the newest writes are remembered. Their events come within a second.
_MOST = 10_000

#: The path, inode, size and modification time (ns) of a file that was written.
OwnWrite = tuple[str, int, int, int]

#: Stands for size and time of a directory, which change with what is put into it.
_DIRECTORY = (-1, -1)


class OwnWrites:
    """The newest writes of all processes of this server. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signatures: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        self._untold: list[OwnWrite] = []

    def note(self, path: str, status: os.stat_result) -> None:
        """Remember that this process has written a file; `path` is free of symbolic links."""
        write = (path, status.st_ino, status.st_size, status.st_mtime_ns)
        with self._lock:
            self._remember(write)
            del self._untold[:-_MOST]
            self._untold.append(write)

    def note_directory(self, path: str) -> None:
        """Remember that this process has made a directory; `path` is free of symbolic links.

        What others change in it counts as theirs.
        """
        write = (path, os.stat(path).st_ino, *_DIRECTORY)
        with self._lock:
            self._remember(write)
            self._untold.append(write)

    def take_untold(self) -> list[OwnWrite]:
        """Return the writes of this process since the last call, for its other processes."""
        with self._lock:
            untold, self._untold = self._untold, []
            return untold

    def others_wrote(self, writes: Iterable[Sequence[str | int]] | None) -> None:
        """Remember the writes of another process of this server, also as they come back from JSON."""
        with self._lock:
            for path, inode, size, mtime_ns in writes or ():
                self._remember((str(path), int(inode), int(size), int(mtime_ns)))

    def has(self, path: str) -> bool:
        """Return true if a file is just as this server has written it."""
        if not self._signatures:
            return False
        real = os.path.realpath(path)
        known = self._signatures.get(real)
        if known is None:
            return False
        try:
            status = os.stat(real)
        except OSError:
            return False
        if stat.S_ISDIR(status.st_mode):
            return known == (status.st_ino, *_DIRECTORY)
        return known == (status.st_ino, status.st_size, status.st_mtime_ns)

    def _remember(self, write: OwnWrite) -> None:
        path, *signature = write
        self._signatures.pop(path, None)
        self._signatures[path] = (signature[0], signature[1], signature[2])
        while len(self._signatures) > _MOST:
            self._signatures.popitem(last=False)


#: The writes of this server.
OWN_WRITES = OwnWrites()
