"""The difference between a repository that has vanished and one whose files an administrator deletes.

A directory that is moved away or unmounted causes the same events as the deletion of everything in it. Clients that got
the configuration that is left would remove what they have. So the events are not applied if, since the files were last
read,

* the repository, or a plugin's directory that had files, has vanished or cannot be read;
* a plugin's directory that had several entries has none, or one that had any is another one (a mount, a new directory)
  and has none.

Whoever wants an empty directory leaves a file such as ``.gitkeep`` in it, or restarts the server.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

#: Errors of a system that is short of something, which say nothing about the repository.
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True)
class _Directory:
    """A plugin's directory as it was: how many entries it had, and which directory it was."""

    entries: int
    identity: tuple[int, int]


class Presence:
    """The directories of a repository as they were when its files were last read."""

    def __init__(self, path: Path, names: Callable[[], Iterable[str]]) -> None:
        """`names` returns the names of the plugins' directories."""
        self._path = path
        self._names = names
        self._known: dict[str, _Directory] = {}

    def remember(self) -> None:
        """Take the directories as they are for what the repository has."""
        found = {}
        for name in self._names():
            try:
                found[name] = _read(self._path / name)
            except OSError:
                continue
        self._known = found

    def why_lost(self) -> str:
        """Return what is missing of all that the repository had, for a message; ``""`` if nothing is.

        `OSError` if the system is short of descriptors or memory, so that nobody can tell.
        """
        try:
            with os.scandir(self._path) as entries:
                is_empty = next(entries, None) is None
        except OSError as err:
            _raise_shortage(err)
            return f"the repository {self._path} cannot be read: {err.strerror}"
        lost = [
            reason for name, known in sorted(self._known.items()) if (reason := self._why_directory_lost(name, known))
        ]
        if lost and is_empty:
            return f"the repository {self._path} is empty"
        return "; ".join(lost)

    def identity(self) -> tuple[tuple[int, int] | None, ...]:
        """Return what differs when another directory takes the place of the repository or of a plugin's directory."""
        return tuple(_identity(path) for path in (self._path, *(self._path / name for name in sorted(self._names()))))

    def _why_directory_lost(self, name: str, known: _Directory) -> str:
        if not known.entries:
            return ""
        path = self._path / name
        try:
            now = _read(path)
        except OSError as err:
            _raise_shortage(err)
            return f"{path} cannot be read: {err.strerror}"
        if not now.entries and (known.entries > 1 or now.identity != known.identity):
            return f"{path} is empty"
        return ""


def has_content(path: Path, names: Iterable[str]) -> bool:
    """Return true if the repository has any file in the directories of plugins; `OSError` if it cannot be read."""
    os.stat(path)
    return any((path / name).is_dir() and any((path / name).iterdir()) for name in names)


def _raise_shortage(err: OSError) -> None:
    if err.errno in _SHORTAGES:
        raise err


def _read(path: Path) -> _Directory:
    with os.scandir(path) as entries:
        count = sum(1 for _ in entries)
    status = os.stat(path)
    return _Directory(count, (status.st_dev, status.st_ino))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
