"""The monitor that the Linux kernel tells about changes.

A kernel event only marks what it concerns; what has happened is found by looking at the disk (see `snapshot`). Between
the mark and the look lies a short while, because one change causes many kernel events:

* After the first event, events are left to gather for `SETTLE` seconds.
* A file that is open for writing is left alone until it is closed, but for no longer than `WRITING` seconds, so that
  handlers rarely see half a file, and yet notice writers that keep their files open.
* A name that vanished has another `SETTLE` seconds to come back. Editors and version control delete a file, or rename
  it away, before they write the new one: to a handler that is one change.

If the kernel drops events (its queue is bounded), everything is looked at. Directories that cannot be watched are
looked at at intervals. What the kernel tells nobody is not noticed: changes that other machines make on a network file
system, and a file system that is mounted over a monitored directory.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import select
import time
from collections.abc import Sequence
from contextlib import suppress

from inotify_simple import Event, INotify, flags, parse_events  # type: ignore[import-untyped]

from geventcore.filemonitor.lookup import look_up
from geventcore.filemonitor.polling import INTERVAL, PROCESSOR_SHARE, SLICE
from geventcore.filemonitor.queue import QueuedMonitor
from geventcore.filemonitor.watches import Place, Subject, Watches

log = logging.getLogger(__name__)

#: Seconds for events to gather, and for a vanished name to come back. Version control needs milliseconds between
#: deleting a file and writing it anew.
SETTLE = 0.1

#: Seconds that a file may be written before what it holds is taken for its new state.
WRITING = 0.5

#: How much to read from the kernel at once: about a thousand events, which take some milliseconds to mark.
_READ_BYTES = 32768

_VANISHED = flags.DELETE | flags.MOVED_FROM


def check_inotify() -> None:
    """`OSError` if the kernel gives no inotify descriptor.

    Asks the C library that the process has already loaded: nothing is spawned, so it is safe before a fork.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.close(descriptor)


class _Mark:
    """Why a subject has to be looked at."""

    __slots__ = ("is_being_written", "is_gone", "is_modified", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.is_being_written = False
        self.is_gone = False
        self.is_modified = False

    def add(self, mask: int) -> None:
        """Take one more kernel event into account."""
        if mask & _VANISHED:
            self.is_gone, self.is_being_written = True, False
        elif mask & (flags.CREATE | flags.MOVED_TO):
            self.is_gone = False
            self.is_being_written = bool(mask & flags.CREATE) and not mask & flags.ISDIR
        elif mask & flags.MODIFY:
            self.is_being_written = self.is_modified = True
        elif mask & flags.CLOSE_WRITE:
            self.is_being_written = False

    def is_settled(self, now: float) -> bool:
        """Whether it is time to look."""
        if self.is_gone:
            return now - self.since >= SETTLE
        return not self.is_being_written or now - self.since >= WRITING


class Inotify(QueuedMonitor):
    """Waits for the kernel to tell what has changed."""

    name = "Inotify"
    remote_methods = (*QueuedMonitor.remote_methods, "list_watches", "list_paths")

    def __init__(self, ignore: Sequence[str]) -> None:
        """Nothing is opened before `start`."""
        super().__init__(ignore)
        self._inotify: INotify | None = None
        self._watches: Watches | None = None
        self._wakeup: int | None = None
        self._waiting = 0
        self._marks: dict[Subject, _Mark] = {}
        self._gather_at: float | None = None
        self._poll_at = 0.0
        self._poll_seconds: float | None = None

    def start(self) -> None:
        """See `FileMonitor.start`."""
        with self._changed:
            if self._is_shut_down:
                return
            try:
                self._inotify = INotify(nonblocking=True)
            except OSError as err:
                log.warning(
                    "Everything is looked at at intervals, because inotify cannot be used: %s. If this system has it, "
                    "raise fs.inotify.max_user_instances with sysctl.",
                    err,
                )
            self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._watches = Watches(self._inotify)
            for handle in list(self._snapshots):
                self._look_at(handle)
            self._wake()

    def shutdown(self) -> None:
        """See `FileMonitor.shutdown`. Whoever waits closes the descriptors when it wakes."""
        super().shutdown()
        with self._changed:
            self._close_if_unused()

    def list_watches(self) -> list[str]:
        """The directories that the kernel watches, sorted."""
        with self._changed:
            return [] if self._watches is None else self._watches.directories()

    def list_paths(self) -> list[str]:
        """The monitored paths, sorted."""
        with self._changed:
            return sorted(self._snapshots)

    # -- waiting

    def wait(self, timeout: float) -> bool:
        """See `FileMonitor.wait`."""
        with self._changed:
            is_open = self._wakeup is not None
            self._waiting += is_open
        if not is_open:
            return super().wait(timeout)
        try:
            return self._wait(time.monotonic() + timeout)
        finally:
            with self._changed:
                self._waiting -= 1
                self._close_if_unused()

    def _wait(self, deadline: float) -> bool:
        while True:
            with self._changed:
                now = time.monotonic()
                is_behind = self._notice(now)
                if self._queue or self._is_shut_down:
                    return bool(self._queue)
                if not is_behind:
                    poll = self._poll_for_wakeup()
            if now >= deadline:
                return False
            if is_behind:
                time.sleep(0)
                continue
            until = min(deadline, self._next_look())
            ready = poll.poll(max(0.0, until - now) * 1000)
            if any(descriptor != self._wakeup for descriptor, _ in ready):
                with self._changed:
                    self._gather_later()

    def _poll_for_wakeup(self) -> select.poll:
        """What to wait on: while events gather, only for being woken."""
        assert self._wakeup is not None
        with suppress(BlockingIOError):
            os.eventfd_read(self._wakeup)
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._inotify is not None and self._gather_at is None:
            poll.register(self._inotify.fileno(), select.POLLIN)
        return poll

    def _next_look(self) -> float:
        """When there is something to do without being told, as `time.monotonic` counts."""
        gather_at = math.inf if self._gather_at is None else self._gather_at
        poll_at = self._poll_at if self._watches is not None and self._watches.has_unwatched else math.inf
        return min(gather_at, poll_at)

    def _gather_later(self) -> None:
        if self._gather_at is None:
            self._gather_at = time.monotonic() + SETTLE
            self._wake()

    # -- marking what to look at

    def _read(self, until: float = math.inf) -> bool:
        """Mark what the kernel's events concern; returns whether `until` passed before the last one. Never waits."""
        while self._inotify is not None:
            try:
                data = os.read(self._inotify.fileno(), _READ_BYTES)
            except BlockingIOError:
                return False
            now = time.monotonic()
            for event in parse_events(data):
                self._mark_event(event, now)
            if time.monotonic() >= until:
                return True
        return False

    def _mark_event(self, event: Event, now: float) -> None:
        assert self._watches is not None
        if event.mask & flags.Q_OVERFLOW:
            log.warning("The kernel has dropped events of inotify, so everything is looked at")
            for handle in self._snapshots:
                self._mark((handle, None), now)
        elif event.mask & flags.IGNORED:
            self._watches.ended(event.wd)
        else:
            for handle, entry in self._watches.subjects(event.wd, event.name):
                if entry is None or not self.is_ignored(entry):
                    self._mark((handle, entry), now, event.mask)

    def _mark(self, subject: Subject, now: float, mask: int = 0) -> None:
        self._marks.setdefault(subject, _Mark(now)).add(mask)

    # -- looking

    def _notice(self, now: float) -> bool:
        """Do what is due, for the length of a slice; returns whether there is more to do at once."""
        if self._watches is None:
            return False
        if self._watches.has_unwatched and now >= self._poll_at and self._poll_seconds is None:
            self._poll_seconds = 0.0
            for subject in sorted(
                self._watches.unwatched_subjects(), key=lambda subject: (subject[0], subject[1] or "")
            ):
                self._mark(subject, now)
        elif self._gather_at is None or now < self._gather_at:
            return False
        is_behind = self._read(now + SLICE)
        is_behind |= self._look_at_marked(now + SLICE)
        ended = time.monotonic()
        if self._poll_seconds is not None:
            self._poll_seconds += ended - now
            if not is_behind:
                self._poll_at = ended + max(INTERVAL, self._poll_seconds / PROCESSOR_SHARE)
                self._poll_seconds = None
        self._gather_at = ended if is_behind else None
        if self._marks:
            self._gather_later()
        return is_behind

    def _gather(self) -> None:
        """Queue what is complete. What may be in the middle of a change is left to whoever waits."""
        self._read()
        self._look_at_marked(None)
        if self._marks:
            self._gather_later()

    def _look_at_marked(self, until: float | None) -> bool:
        """Look at what has settled, in the order of the marks; returns whether `until` passed before the end.

        Without `until`, a vanished name holds up only itself.
        """
        now = time.monotonic()
        settled = []
        for subject, mark in self._marks.items():
            if mark.is_settled(now):
                settled.append(subject)
            elif mark.is_gone and until is not None:
                break
        for count, (handle, entry) in enumerate(settled, 1):
            mark = self._marks.pop((handle, entry))
            if entry is None:
                self._look_at(handle, mark.is_modified)
            else:
                self._look_at_entry(handle, entry, mark.is_modified)
            if until is not None and count < len(settled) and time.monotonic() >= until:
                return True
        return False

    def _look_at(self, handle: str, is_modified: bool = False) -> None:
        snapshot = self._snapshots[handle]
        if self._watches is None:
            super()._look_at(handle, is_modified)
            return
        subject = (handle, None)
        places: set[Place] = set()
        real = self._watch_way(subject, "/", handle, places)
        if real is not None and os.path.isdir(real):
            places.add((real, None))
            self._want(subject, (real, None), content=True)
        self._watches.keep_only(subject, places)
        links = snapshot.links
        super()._look_at(handle, is_modified)
        for name in sorted(links | snapshot.links):
            self._look_at_entry(handle, name)

    def _look_at_entry(self, handle: str, name: str, is_modified: bool = False) -> None:
        snapshot = self._snapshots[handle]
        path = os.path.join(handle, name)
        is_link = os.path.islink(path)
        if self._watches is not None and (is_link or name in snapshot.links):
            places: set[Place] = set()
            if is_link:
                self._watch_way((handle, name), os.path.realpath(handle), name, places)
            self._watches.keep_only((handle, name), places)
        self._queue_changes(handle, snapshot.refresh_entry(name, is_modified))

    def _watch_way(self, subject: Subject, start: str, path: str, places: set[Place]) -> str | None:
        """Watch all that a path depends on, except for what lies in a directory; returns what it leads to."""

        def visit(directory: str, name: str) -> None:
            places.add((directory, name))
            self._want(subject, (directory, name))

        real = look_up(start, path, visit)
        if real is not None and not os.path.isdir(real):
            self._want(subject, (os.path.dirname(real), os.path.basename(real)), content=True)
        return real

    def _want(self, subject: Subject, place: Place, content: bool = False) -> None:
        assert self._watches is not None
        for other in self._watches.want(subject, place, content):
            self._mark(other, time.monotonic())
            self._gather_later()

    # -- descriptors

    def _wake(self) -> None:
        super()._wake()
        if self._wakeup is not None:
            os.eventfd_write(self._wakeup, 1)

    def _close_if_unused(self) -> None:
        """Close the descriptors once nobody waits on them: their numbers may get another meaning."""
        if not self._is_shut_down or self._waiting:
            return
        if self._inotify is not None:
            self._inotify.close()
        if self._wakeup is not None:
            os.close(self._wakeup)
        self._inotify = self._watches = self._wakeup = None
