"""The last known state of a monitored path, and its difference from the state on disk.

Monitors do not translate notifications into events. A notification, or the end of an interval, only names the path to
check; events come from comparing the state on disk with the last known state. So a lost notification delays an event
but never loses it, and one change is one event, however many notifications it causes.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from typing import NamedTuple

from geventcore.filemonitor.base import FileAction

log = logging.getLogger(__name__)

#: A file name as events carry it, and the kind of change.
Change = tuple[str, FileAction]

#: File systems stamp changes with a clock that ticks every 1 to 10 ms. A file that was younger than this when its state
#: was read may change again without a new timestamp.
_TIMESTAMP_NANOSECONDS = 50_000_000

_DOES_NOT_EXIST = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class FileState(NamedTuple):
    """The attributes that differ between two states of a file. For a directory: only identity and permissions.

    `is_fresh` means that the file changed a moment before its state was read.
    """

    mode: int
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    link_count: int
    is_fresh: bool

    @property
    def is_directory(self) -> bool:
        """Return true for a directory."""
        return stat.S_ISDIR(self.mode)

    def differs_from(self, known: FileState) -> bool:
        """Return true if the file may have changed since it was in the state `known`.

        A different change time alone means different permissions (an access list, a security label). It is ignored if
        the number of hard links differs, too: otherwise a backup made of hard links would change every file.
        """
        if known.is_fresh or self[:5] != known[:5]:
            return True
        return self.ctime_ns != known.ctime_ns and self.link_count == known.link_count


#: The state of a file that is listed in its directory, but cannot be read otherwise.
_UNREADABLE = FileState(0, 0, 0, 0, 0, 0, 0, False)


def _state(status: os.stat_result) -> FileState:
    if stat.S_ISDIR(status.st_mode):
        return FileState(status.st_mode, status.st_dev, status.st_ino, 0, 0, 0, 0, False)
    age = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
    return FileState(
        status.st_mode,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_nlink,
        abs(age) < _TIMESTAMP_NANOSECONDS,
    )


def _read_state(path: str) -> FileState | None:
    """Return the state of the file at a path, or None if there is none; `OSError` if the state cannot be read."""
    try:
        return _state(os.stat(path))
    except OSError as err:
        if err.errno in _DOES_NOT_EXIST:
            return None
        raise


def _compare(name: str, known: FileState | None, now: FileState | None, is_modified: bool) -> list[Change]:
    if known is None:
        return [] if now is None else [(name, FileAction.CREATED)]
    if now is None:
        return [(name, FileAction.DELETED)]
    if known.is_directory != now.is_directory:
        return [(name, FileAction.DELETED), (name, FileAction.CREATED)]
    if now.differs_from(known) or (is_modified and not now.is_directory):
        return [(name, FileAction.CHANGED)]
    return []


class Snapshot:
    """The last known state of a monitored path.

    A file that cannot be read (no permission, an I/O error) keeps its last known state: an error is not a deletion.

    Attributes:
        path: the monitored path.
        state: its state; None if it does not exist.
        entries: if it is a directory, the states of its entries.
        links: names of the symbolic links among the entries, including dangling ones.
    """

    __slots__ = ("_ignores", "_logged_error", "entries", "links", "path", "state")

    def __init__(self, path: str, ignores: Callable[[str], bool]) -> None:
        """Start with an empty state. Entries for which `ignores` returns true are left out."""
        self.path = path
        self.state: FileState | None = None
        self.entries: dict[str, FileState] = {}
        self.links: set[str] = set()
        self._ignores = ignores
        self._logged_error = ""

    @property
    def is_directory(self) -> bool:
        """Return true if the path was a directory when it was last read."""
        return self.state is not None and self.state.is_directory

    def refresh(self, is_modified: bool = False) -> list[Change]:
        """Read the path and its entries again; return the changes.

        `is_modified` means that a file's content has changed, even if its state does not show that.
        """
        try:
            state = _read_state(self.path)
        except OSError as err:
            self._log_once(err)
            return []
        entries: dict[str, FileState] = {}
        links: set[str] = set()
        error: OSError | None = None
        if state is not None and state.is_directory:
            try:
                entries, links = self._read_directory()
            except OSError as err:
                error = err
                entries, links = self.entries, self.links
        self._log_once(error)

        gone = [(name, FileAction.DELETED) for name in sorted(self.entries.keys() - entries.keys())]
        own = _compare(self.path, self.state, state, is_modified)
        came_or_changed = [
            change
            for name in sorted(entries)
            for change in _compare(name, self.entries.get(name), entries[name], is_modified=False)
        ]
        self.state, self.entries, self.links = state, entries, links
        return gone + own + came_or_changed

    def refresh_entry(self, name: str, is_modified: bool = False) -> list[Change]:
        """Read one entry of the directory again; return the changes."""
        if not self.is_directory:
            return []
        known = self.entries.get(name)
        path = os.path.join(self.path, name)
        try:
            state = _read_state(path)
        except OSError:
            state = known or _UNREADABLE
        if state is None:
            self.entries.pop(name, None)
        else:
            self.entries[name] = state
        if os.path.islink(path):
            self.links.add(name)
        else:
            self.links.discard(name)
        return _compare(name, known, state, is_modified)

    def _read_directory(self) -> tuple[dict[str, FileState], set[str]]:
        entries = {}
        links = set()
        with os.scandir(self.path) as found:
            for entry in found:
                if self._ignores(entry.name):
                    continue
                if entry.is_symlink():
                    links.add(entry.name)
                try:
                    entries[entry.name] = _state(entry.stat())
                except OSError as err:
                    if err.errno not in _DOES_NOT_EXIST:
                        entries[entry.name] = self.entries.get(entry.name, _UNREADABLE)
        return entries, links

    def _log_once(self, err: OSError | None) -> None:
        """Log an error unless it was the last one logged. A vanished file is no error: it becomes an event."""
        message = "" if err is None or err.errno in _DOES_NOT_EXIST else str(err)
        if message and message != self._logged_error:
            log.error("Cannot read %r, its last known content stays in use: %s", self.path, err)
        self._logged_error = message
