"""A directory of reports that wait for the database: bounded, and durable at once.

A file holds the lines of one or more reports. It is written beside, synced and renamed; those who come at the same time
share a file, so that many reports cost one sync. The names of files sort by the time of their writing.

Any number of processes may write to a directory. One at a time takes files out of it: whoever holds the lock, which the
kernel releases if that process dies. A file is removed after its reports are stored, so a crash in between makes them
come twice and never get lost; the database knows them by client and time.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from geventcore.reporting.batching import Batcher

log = logging.getLogger(__name__)

#: Reports in one file at most: reading one into memory must stay cheap.
MAX_REPORTS = 500
#: How old a number of bytes may be before they are counted again, in seconds: other processes write and remove, too.
COUNT_SECONDS = 5.0
#: After a look at what waits nobody looks again for this many times as long as it took.
LOOK_PAUSE = 20.0
#: A file that was being written for longer than this belongs to a process that has died.
ABANDONED_SECONDS = 3600.0

SUFFIX = ".reports"
_WRITING = ".writing"
#: Where lines go that are no reports.
REFUSED = "refused"


class Offload(Protocol):
    """Calls something that blocks, without holding up others."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


class SpoolFull(OSError):
    """The spool holds as much as it may."""


@dataclass(frozen=True)
class Waiting:
    """What waits in a spool.

    Attributes:
        files: how many files.
        bytes: what they hold.
        limit: what they may hold.
        oldest_seconds: for how long the oldest one has waited; 0 if there is none.
    """

    files: int
    bytes: int
    limit: int
    oldest_seconds: float


class Spool:
    """The reports in one directory, which is made when it is first needed."""

    def __init__(self, directory: Path, limit: Callable[[], int], offload: Offload) -> None:
        """`limit` says how many bytes the directory may hold."""
        self.directory = directory
        self._limit = limit
        self._offload = offload
        self._batcher: Batcher[bytes] = Batcher(self._write, MAX_REPORTS)
        self._numbers = itertools.count()
        self._last_name = 0
        self._counted = float("-inf")
        self._bytes = 0
        self._waiting: Waiting | None = None
        self._look_again = 0.0
        self._lock_file = -1
        self._lock = threading.Lock()

    # -- putting reports in

    def put(self, line: bytes) -> None:
        """Store a report, a line with its end; when this returns it is durable. `OSError` if it cannot be stored."""
        self._batcher.put(line)

    def _write(self, lines: list[bytes]) -> Sequence[Exception | None]:
        self._offload(self._write_file, b"".join(lines))
        return [None] * len(lines)

    def _write_file(self, data: bytes) -> None:
        self._make_directory()
        held = self.size()
        if held + len(data) > self._limit():
            raise SpoolFull(f"{self.directory} holds {held} bytes, and may not hold more than {self._limit()}")
        self._last_name = max(time.time_ns(), self._last_name + 1)
        path = self.directory / f"{self._last_name:020}-{os.getpid()}-{next(self._numbers)}{SUFFIX}"
        temporary = self.directory / f".{path.name}{_WRITING}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(descriptor)
            os.rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(self.directory)
        self._bytes += len(data)

    def _make_directory(self) -> None:
        missing = [path for path in (self.directory, *self.directory.parents) if not path.is_dir()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
            _sync_directory(path.parent)

    def size(self) -> int:
        """How many bytes the directory holds, as of a few seconds ago."""
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._bytes = sum(status.st_size for _, status in self._files())
            self._counted = time.monotonic()
        return self._bytes

    def waiting(self) -> Waiting:
        """What waits now; a large directory is looked at less often. `OSError` if it cannot be looked at."""
        started = time.monotonic()
        if self._waiting is None or started > self._look_again:
            statuses = [status for _, status in self._offload(self._files)]
            self._waiting = Waiting(
                len(statuses),
                sum(status.st_size for status in statuses),
                self._limit(),
                max(0.0, time.time() - min((status.st_mtime for status in statuses), default=math.inf)),
            )
            ended = time.monotonic()
            self._look_again = ended + LOOK_PAUSE * (ended - started)
        return self._waiting

    # -- taking reports out

    def lock(self) -> bool:
        """Become the one process that takes reports out, and stay so until `unlock`; false if another one does."""
        with self._lock:
            if self._lock_file >= 0:
                return True
            self._make_directory()
            descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._lock_file = descriptor
        self._remove_abandoned()
        return True

    def unlock(self) -> None:
        """Let another process take reports out."""
        with self._lock:
            if self._lock_file >= 0:
                # Where the standard library is patched, closing alone may happen some time later.
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
                os.close(self._lock_file)
                self._lock_file = -1

    def files(self) -> list[Path]:
        """The files with reports, oldest first."""
        return sorted(path for path, _ in self._files())

    def is_empty(self) -> bool:
        """Whether no reports wait."""
        return next(iter(self._files()), None) is None

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX):
                        # Somebody may remove it meanwhile.
                        with contextlib.suppress(FileNotFoundError):
                            found.append((Path(entry.path), entry.stat()))
        except FileNotFoundError:
            return []
        return found

    def remove(self, path: Path) -> None:
        """Remove a file whose reports are stored."""
        size = path.stat().st_size
        path.unlink()
        self._bytes = max(0, self._bytes - size)

    def refuse(self, lines: Sequence[bytes]) -> Path:
        """Keep lines that are no reports where nobody tries to store them again; returns the file."""
        directory = self.directory / REFUSED
        directory.mkdir(mode=0o700, exist_ok=True)
        path = directory / f"{time.time_ns():020}-{os.getpid()}"
        with open(path, "xb") as stream:
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())
        _sync_directory(directory)
        return path

    def _remove_abandoned(self) -> None:
        for path in self.directory.glob(f".*{_WRITING}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    path.unlink()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
