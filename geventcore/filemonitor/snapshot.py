"""What is known of a monitored path, and how a new look at the disk differs from that.

Monitors do not translate notifications into events. A notification, or a passed interval, only says where to look;
events come from comparing what is there with what was known. So a lost notification costs time, never an event, and
however many notifications a change causes, it is one event.
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

#: A file name as events carry it, and what happened to it.
Change = tuple[str, FileAction]

#: File systems stamp changes with a clock that ticks every 1 to 10 ms. A file that was younger than this when it was
#: looked at may change again without a new timestamp.
_TIMESTAMP_NANOSECONDS = 50_000_000

_DOES_NOT_EXIST = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class FileState(NamedTuple):
    """What tells one state of a file from another. Of a directory only its identity and its permissions matter.

    `is_fresh` means that the file changed a moment before it was looked at.
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
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    def differs_from(self, known: FileState) -> bool:
        """Whether the file may have changed since it was in the state `known`.

        A new change time alone tells of new permissions (an access list, a security label), unless a hard link has come
        or gone: backups made of hard links would otherwise touch every file.
        """
        if known.is_fresh or self[:5] != known[:5]:
            return True
        return self.ctime_ns != known.ctime_ns and self.link_count == known.link_count


#: The state of something whose name can be read, but nothing else.
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
    """The state of what a path leads to, or None if there is nothing; `OSError` if that cannot be told."""
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
    """A monitored path as it was when it was last looked at.

    What cannot be read (no permission, an I/O error) is taken to be as it was: an error is not a deletion.

    Attributes:
        path: the monitored path.
        state: its state; None if it does not exist.
        entries: if it is a directory, the states of its entries.
        links: names of the symbolic links among the entries, also of those that lead nowhere.
    """

    __slots__ = ("_complaint", "_ignores", "entries", "links", "path", "state")

    def __init__(self, path: str, ignores: Callable[[str], bool]) -> None:
        """Nothing is known at first. `ignores` tells which entries do not matter."""
        self.path = path
        self.state: FileState | None = None
        self.entries: dict[str, FileState] = {}
        self.links: set[str] = set()
        self._ignores = ignores
        self._complaint = ""

    @property
    def is_directory(self) -> bool:
        """Whether the path is known to be a directory."""
        return self.state is not None and self.state.is_directory

    def refresh(self, is_modified: bool = False) -> list[Change]:
        """Look at everything again; returns what has changed.

        `is_modified` says that a file's content is known to have changed, even if its state does not show that.
        """
        try:
            state = _read_state(self.path)
        except OSError as err:
            self._complain(err)
            return []
        entries: dict[str, FileState] = {}
        links: set[str] = set()
        complaint: OSError | None = None
        if state is not None and state.is_directory:
            try:
                entries, links = self._read_directory()
            except OSError as err:
                complaint = err
                entries, links = self.entries, self.links
        self._complain(complaint)

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
        """Look at one entry of the directory again; returns what has changed."""
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

    def _complain(self, err: OSError | None) -> None:
        """Log an error, but not again with every look. What vanished a moment ago is noticed in another way."""
        complaint = "" if err is None or err.errno in _DOES_NOT_EXIST else str(err)
        if complaint and complaint != self._complaint:
            log.error("%r cannot be read, what was known of it stays in use: %s", self.path, err)
        self._complaint = complaint
