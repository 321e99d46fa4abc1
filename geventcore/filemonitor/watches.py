"""The directories that the kernel watches, and the subjects that each of them affects.

A *subject* is a monitored path, or one entry of a monitored directory. It depends on *places*: a name in a directory,
or everything in the directory. A directory is watched as long as a subject depends on a place in it.

The kernel watches the directory that a path led to when the watch was added, so a watch is renewed whenever its subject
is refreshed. `Watches.unwatched_subjects` lists the subjects in directories that cannot be watched (too many watches,
no permission); the monitor polls them.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import suppress

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

#: A monitored path, and the name of an entry in it or None for the path itself.
Subject = tuple[str, str | None]

#: A directory, and a name in it or None for all names.
Place = tuple[str, str | None]

#: The events after which a name may lead elsewhere.
_NAMES = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.ATTRIB | flags.ONLYDIR | flags.MASK_ADD

#: The same, and the events about the content of files.
_CONTENT = _NAMES | flags.MODIFY | flags.CLOSE_WRITE | flags.EXCL_UNLINK


class _Directory:
    """A directory that subjects depend on; `watch` is None if it cannot be watched."""

    __slots__ = ("mask", "subjects", "watch")

    def __init__(self) -> None:
        self.watch: int | None = None
        self.mask = 0
        self.subjects: dict[str | None, set[Subject]] = {}


class Watches:
    """The watches of one inotify descriptor. Not safe for use by several threads."""

    def __init__(self, inotify: INotify | None) -> None:
        """Use the descriptor `inotify`; without one, no directory is watched."""
        self._inotify = inotify
        self._directories: dict[str, _Directory] = {}
        self._paths: dict[int, set[str]] = {}
        self._places: dict[Subject, set[Place]] = {}
        self._unwatched: set[str] = set()
        self._is_limit_reported = False

    def want(self, subject: Subject, place: Place, content: bool = False) -> set[Subject]:
        """Watch a place for a subject, and with `content` also the content of files there.

        Returns other subjects that have to be refreshed, because another directory has taken the watched one's path.
        """
        path, name = place
        directory = self._directories.setdefault(path, _Directory())
        directory.subjects.setdefault(name, set()).add(subject)
        self._places.setdefault(subject, set()).add(place)
        directory.mask |= _CONTENT if content else _NAMES
        watch = self._add_watch(path, directory.mask)
        is_another = watch != directory.watch
        if is_another:
            self._detach(path, directory)
            directory.watch = watch
        if watch is None:
            self._unwatched.add(path)
        else:
            self._unwatched.discard(path)
            self._paths.setdefault(watch, set()).add(path)
        return set().union(*directory.subjects.values()) - {subject} if is_another else set()

    def keep_only(self, subject: Subject, places: set[Place]) -> None:
        """Remove a subject's dependency on all other places."""
        known = self._places.get(subject, set())
        for place in known - places:
            path, name = place
            directory = self._directories[path]
            directory.subjects[name].discard(subject)
            if not directory.subjects[name]:
                del directory.subjects[name]
            if not directory.subjects:
                self._detach(path, directory)
                del self._directories[path]
                self._unwatched.discard(path)
        if places:
            self._places[subject] = known & places
        else:
            self._places.pop(subject, None)

    def subjects(self, watch: int, name: str) -> Iterator[Subject]:
        """Yield the subjects that an event affects; an empty name stands for the watched directory itself."""
        for path in self._paths.get(watch, ()):
            subjects = self._directories[path].subjects
            if name:
                yield from subjects.get(name, ())
            for handle, _ in subjects.get(None, ()):
                yield handle, name or None

    def ended(self, watch: int) -> None:
        """Remove a watch that the kernel has ended, because the directory was deleted or unmounted."""
        for path in self._paths.pop(watch, ()):
            self._directories[path].watch = None
            self._unwatched.add(path)

    def unwatched_subjects(self) -> set[Subject]:
        """Return the subjects in directories that cannot be watched."""
        subjects: set[Subject] = set()
        for path in self._unwatched:
            subjects.update(*self._directories[path].subjects.values())
        return subjects

    @property
    def has_unwatched(self) -> bool:
        """Return true if any directory cannot be watched."""
        return bool(self._unwatched)

    def directories(self) -> list[str]:
        """Return the watched directories, sorted."""
        return sorted(self._directories.keys() - self._unwatched)

    def _add_watch(self, path: str, mask: int) -> int | None:
        if self._inotify is None:
            return None
        try:
            watch: int = self._inotify.add_watch(path, mask)
        except OSError as err:
            self._report(path, err)
            return None
        return watch

    def _report(self, path: str, err: OSError) -> None:
        """Log once why a directory is not watched. A directory that has just vanished is not logged."""
        if err.errno == errno.ENOSPC:
            if not self._is_limit_reported:
                self._is_limit_reported = True
                log.warning(
                    "inotify has no watches left (%d in use here): polling the remaining directories, such as %r. "
                    "Raise fs.inotify.max_user_watches with sysctl.",
                    len(self._paths),
                    path,
                )
        elif err.errno not in (errno.ENOENT, errno.ENOTDIR) and path not in self._unwatched:
            log.warning("Cannot watch %r, polling it instead: %s", path, err)

    def _detach(self, path: str, directory: _Directory) -> None:
        watch, directory.watch = directory.watch, None
        if watch is None:
            return
        self._paths[watch].discard(path)
        if not self._paths[watch]:
            del self._paths[watch]
            if self._inotify is not None:
                with suppress(OSError):  # the kernel has already removed it
                    self._inotify.rm_watch(watch)
