"""A directory of reports that wait for the database: bounded, and durable at once.

A file holds the lines of one or more reports. It is written beside, synced and renamed; those who come at the same time
share a file, so that many reports cost one sync. The names of files sort by the time of their writing.

Any number of processes may write to a directory. One at a time takes files out of it: whoever holds the lock, which the
kernel releases if that process dies. A file is removed after its reports are stored, so a crash in between makes them
come twice and never get lost; the database knows them by client and time. A file that cannot be read, or cannot be
removed, is passed over for a while and holds up no other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import logging
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from geventcore.errors import DatabaseUnavailable
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
#: For how long a file is passed over that cannot be used, in seconds: somebody may mend it meanwhile.
PASS_OVER_SECONDS = 60.0

SUFFIX = ".reports"
_WRITING = ".writing"
#: Where lines go that are no reports.
REFUSED = "refused"


class Offload(Protocol):
    """Calls something that blocks, without holding up others."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


class SpoolFull(OSError):
    """The spool holds as much as it may."""


class SpoolUnusable(DatabaseUnavailable):
    """The directory cannot be looked at, or nothing can be taken out of it; the text names it."""


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
        #: Until when files are passed over.
        self._passed_over: dict[Path, float] = {}
        #: What has such a name and is no file.
        self._strangers: set[str] = set()

    # -- putting reports in

    def put(self, line: bytes) -> None:
        """Store a report, a line with its end; when this returns it is durable. `OSError` if it cannot be stored."""
        self._batcher.put(line)

    def _write(self, lines: list[bytes]) -> Sequence[Exception | None]:
        self._offload(self._write_file, b"".join(lines))
        return [None] * len(lines)

    def _write_file(self, data: bytes) -> None:
        _make_directory(self.directory)
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
        """Become the one process that takes reports out, and stay so until `unlock`; false if another one does.

        `SpoolUnusable` if nobody can.
        """
        with self._lock, self._usable():
            _make_directory(self.directory)
            if not os.access(self.directory, os.W_OK | os.X_OK):
                # What was stored could not be removed.
                raise OSError(errno.EACCES, "it may not be written by this user", str(self.directory))
            if self._lock_file >= 0:
                return True
            descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as err:
                os.close(descriptor)
                if isinstance(err, BlockingIOError):
                    return False
                raise
            self._lock_file = descriptor
        self._remove_abandoned()
        return True

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            raise SpoolUnusable(f"{err.filename or self.directory} cannot be used: {err.strerror or err}") from err

    def unlock(self) -> None:
        """Let another process take reports out."""
        with self._lock:
            if self._lock_file >= 0:
                # Where the standard library is patched, closing alone may happen some time later.
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
                os.close(self._lock_file)
                self._lock_file = -1

    def files(self) -> list[Path]:
        """The files with reports that are not passed over, oldest first. `SpoolUnusable` if that cannot be told."""
        with self._usable():
            found = {path for path, _ in self._files()}
        for path in [*self._passed_over]:
            if path not in found:
                self._passed_over.pop(path, None)
        return sorted(path for path in found if self._is_due(path))

    def is_empty(self) -> bool:
        """Whether no reports wait that could be taken out. `SpoolUnusable` if that cannot be told."""
        with self._usable():
            return not any(self._is_due(path) for path, _ in self._files())

    def pass_over(self, path: Path, reason: str) -> None:
        """Leave a file where it is for now; the log says why, once."""
        if path not in self._passed_over:
            log.error("%s %s", path, reason)
        self._passed_over[path] = time.monotonic() + PASS_OVER_SECONDS

    def _is_due(self, path: Path) -> bool:
        return self._passed_over.get(path, 0.0) <= time.monotonic()

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX):
                        # Somebody may remove it meanwhile.
                        with contextlib.suppress(FileNotFoundError):
                            status = entry.stat(follow_symlinks=False)
                            # The server writes nothing else, and whoever read a pipe could wait for ever.
                            if stat.S_ISREG(status.st_mode):
                                found.append((Path(entry.path), status))
                            elif entry.path not in self._strangers:
                                self._strangers.add(entry.path)
                                log.error("%s is no plain file: it is left alone", entry.path)
        except FileNotFoundError:
            return []
        return found

    def remove(self, path: Path) -> None:
        """Remove a file whose reports are stored; somebody else may have done so. `OSError` if it is still there."""
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            self._bytes = max(0, self._bytes - size)

    def refuse(self, lines: Sequence[bytes]) -> Path:
        """Keep lines that are no reports where nobody tries to store them again; returns the file.

        Each gets an end. They may take as many bytes as the reports that wait. `OSError` if they cannot be kept.
        """
        directory = self.directory / REFUSED
        _make_directory(directory)
        data = b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines)
        held = sum(path.lstat().st_size for path in directory.iterdir())
        if held + len(data) > self._limit():
            raise SpoolFull(f"{directory} holds {held} bytes, and may not hold more than {self._limit()}")
        path = directory / f"{time.time_ns():020}-{os.getpid()}-{next(self._numbers)}"
        try:
            with open(path, "xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        _sync_directory(directory)
        return path

    def _remove_abandoned(self) -> None:
        for path in self.directory.glob(f".*{_WRITING}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    path.unlink()


def _make_directory(directory: Path) -> None:
    missing = [path for path in (directory, *directory.parents) if not path.is_dir()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
