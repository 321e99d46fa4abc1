"""A bounded directory of reports that wait for the database. A stored report is durable at once.

A file holds the lines of one or more reports. It is written under a temporary name, synced and renamed. Reports that
arrive at the same time share a file, so many reports cost one sync. File names sort by time.

Any number of processes may write to a directory. Only the process with the lock reads files; the kernel releases the
lock if the process dies. A file is removed after its reports are stored. A crash in between may store them twice, but
loses nothing; the database recognises them by client and time. Files that cannot be read or removed are skipped for a
while.
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
from geventcore.group_commit import GroupCommit
from geventcore.repository.durable_writes import TEMPORARY_GLOB, sync_directory, write_durably
from geventcore.units import size_text

log = logging.getLogger(__name__)

#: The most reports in one file: a file must fit into memory easily.
MAX_REPORTS = 500
#: Seconds after which the directory's size is measured again: other processes write and remove files, too.
COUNT_SECONDS = 5.0
#: The listing of waiting files is reused for this many times the duration of making it.
LOOK_PAUSE = 20.0
#: An unfinished file older than this belongs to a dead process, in seconds.
ABANDONED_SECONDS = 3600.0
#: Seconds for which an unusable file is skipped. An administrator may fix it meanwhile.
PASS_OVER_SECONDS = 60.0

SUFFIX = ".reports"
#: The subdirectory for lines that are not reports.
REFUSED = "refused"


class Offload(Protocol):
    """Calls a blocking function without blocking other requests."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


class SpoolFull(OSError):
    """The spool has reached its size limit."""


class SpoolUnusable(DatabaseUnavailable):
    """The directory cannot be listed, or files cannot be removed. The text names it."""


@dataclass(frozen=True)
class Waiting:
    """The contents of a spool.

    Attributes:
        files: number of files.
        bytes: total size of the files.
        limit: largest allowed size in bytes.
        oldest_seconds: age of the oldest file; 0 if there is none.
    """

    files: int
    bytes: int
    limit: int
    oldest_seconds: float


class Spool:
    """The reports in one directory, which is created at first use."""

    def __init__(self, directory: Path, limit: Callable[[], int], offload: Offload) -> None:
        """Set up a spool; `limit` returns the largest allowed size in bytes."""
        self.directory = directory
        self._limit = limit
        self._offload = offload
        self._group = GroupCommit.storing(self._write, MAX_REPORTS)
        self._numbers = itertools.count()
        self._last_name = 0
        self._counted = float("-inf")
        self._bytes = 0
        self._waiting: Waiting | None = None
        self._look_again = 0.0
        self._lock_file = -1
        self._lock = threading.Lock()
        #: File -> time until which it is skipped.
        self._passed_over: dict[Path, float] = {}
        #: Names of reports that are not regular files.
        self._ignored: set[str] = set()

    # -- putting reports in

    def put(self, line: bytes) -> None:
        """Store a report, a line with its line end. It is durable when this returns.

        Raises:
            OSError: the report cannot be stored.
        """
        self._group.put(line)

    def _write(self, lines: list[bytes]) -> Sequence[Exception | None]:
        self._offload(self._write_file, b"".join(lines))
        return [None] * len(lines)

    def _write_file(self, data: bytes) -> None:
        _make_directory(self.directory)
        self._require_room(self.directory, self.size(), data)
        self._last_name = max(time.time_ns(), self._last_name + 1)
        path = self.directory / f"{self._last_name:020}-{os.getpid()}-{next(self._numbers)}{SUFFIX}"
        write_durably(path, data, 0o600)
        self._bytes += len(data)

    def _require_room(self, directory: Path, held_bytes: int, data: bytes) -> None:
        limit = self._limit()
        if held_bytes + len(data) > limit:
            raise SpoolFull(f"{directory} is full: {size_text(held_bytes)} of {size_text(limit)}")

    def size(self) -> int:
        """Return the directory's size in bytes, as of a few seconds ago."""
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._bytes = sum(status.st_size for _, status in self._files())
            self._counted = time.monotonic()
        return self._bytes

    def waiting(self) -> Waiting:
        """Return what waits. Large directories are listed less often.

        Raises:
            OSError: the directory cannot be listed.
        """
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
        """Try to become the only process that takes reports out, until `unlock`. Return false if another one is.

        Raises:
            SpoolUnusable: no process can take reports out.
        """
        with self._lock, self._usable():
            _make_directory(self.directory)
            if not os.access(self.directory, os.W_OK | os.X_OK):
                # Stored reports could not be removed.
                raise OSError(errno.EACCES, "this user may not write to it", str(self.directory))
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
        """Release the lock, so that another process can take reports out."""
        with self._lock:
            if self._lock_file >= 0:
                # With a patched standard library, close alone may take effect later.
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
                os.close(self._lock_file)
                self._lock_file = -1

    def files(self) -> list[Path]:
        """Return the files with reports, oldest first, without skipped ones.

        Raises:
            SpoolUnusable: the directory cannot be listed.
        """
        with self._usable():
            found = {path for path, _ in self._files()}
        for path in [*self._passed_over]:
            if path not in found:
                self._passed_over.pop(path, None)
        return sorted(path for path in found if self._is_due(path))

    def is_empty(self) -> bool:
        """Return whether there are no reports to take out.

        Raises:
            SpoolUnusable: the directory cannot be listed.
        """
        with self._usable():
            return not any(self._is_due(path) for path, _ in self._files())

    def pass_over(self, path: Path, reason: str) -> None:
        """Skip a file for a while. Log the reason once."""
        if path not in self._passed_over:
            log.error("%s: %s", path, reason)
        self._passed_over[path] = time.monotonic() + PASS_OVER_SECONDS

    def _is_due(self, path: Path) -> bool:
        return self._passed_over.get(path, 0.0) <= time.monotonic()

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX):
                        # Another process may have removed it.
                        with contextlib.suppress(FileNotFoundError):
                            status = entry.stat(follow_symlinks=False)
                            # The server writes only regular files. Reading a pipe could block for ever.
                            if stat.S_ISREG(status.st_mode):
                                found.append((Path(entry.path), status))
                            elif entry.path not in self._ignored:
                                self._ignored.add(entry.path)
                                log.error("%s is not a regular file: ignored", entry.path)
        except FileNotFoundError:
            return []
        return found

    def remove(self, path: Path) -> None:
        """Remove a file whose reports are stored, unless it is gone already.

        Raises:
            OSError: the file cannot be removed.
        """
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            self._bytes = max(0, self._bytes - size)

    def refuse(self, lines: Sequence[bytes]) -> Path:
        """Move invalid lines to a separate file that nobody reads again, and return the file.

        Line ends are added. Invalid lines may take as many bytes as waiting reports.

        Raises:
            OSError: the lines cannot be written.
        """
        directory = self.directory / REFUSED
        _make_directory(directory)
        data = b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines)
        self._require_room(directory, sum(path.lstat().st_size for path in directory.iterdir()), data)
        path = directory / f"{time.time_ns():020}-{os.getpid()}-{next(self._numbers)}"
        write_durably(path, data, 0o600)
        return path

    def _remove_abandoned(self) -> None:
        for path in self.directory.glob(TEMPORARY_GLOB):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    path.unlink()


def _make_directory(directory: Path) -> None:
    missing = [path for path in (directory, *directory.parents) if not path.is_dir()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)
