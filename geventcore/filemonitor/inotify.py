"""The monitor that uses inotify, the change notifications of the Linux kernel.

A kernel event only marks a path; the change itself is found by reading the disk (see `snapshot`). The read is delayed,
because one change causes many kernel events:

* After the first event, the monitor waits for `SETTLE_SECONDS` before it reads the events.
* A file that is open for writing is not read until it is closed, but at the latest after `MAX_WRITING_SECONDS`. So
  handlers rarely see half a file, and yet see the changes of writers that keep their files open.
* A deleted name has another `SETTLE_SECONDS` to come back. Editors and version control delete a file, or rename it
  away, before they write its replacement: handlers get one change.

If the kernel drops events (its queue is bounded), everything is scanned. Directories that cannot be watched are polled.
The kernel does not report changes that other machines make on a network file system, nor a file system that is mounted
over a monitored directory; the monitor misses both.
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
from geventcore.filemonitor.polling import INTERVAL_SECONDS, PROCESSOR_SHARE, SLICE_SECONDS
from geventcore.filemonitor.queue import QueuedMonitor
from geventcore.filemonitor.watches import Place, Subject, Watches

log = logging.getLogger(__name__)

#: The delay between an event and reading the disk, and the time for a deleted name to come back. Version control needs
#: milliseconds between deleting a file and writing its replacement.
SETTLE_SECONDS = 0.1

#: The longest wait for a writer to close a file. After that its content counts as its new state.
MAX_WRITING_SECONDS = 0.5

#: The number of bytes to read from the kernel at once: about a thousand events, which take some milliseconds to mark.
_READ_BYTES = 32768

_VANISHED = flags.DELETE | flags.MOVED_FROM


def check_inotify() -> None:
    """Raise `OSError` if the kernel gives no inotify descriptor.

    Calls the C library that the process has already loaded. It starts no process, so it is safe before a fork.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.close(descriptor)


class _Mark:
    """The kernel events about one subject since its state was last read."""

    __slots__ = ("is_being_written", "is_gone", "is_modified", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.is_being_written = False
        self.is_gone = False
        self.is_modified = False

    def add(self, mask: int) -> None:
        """Add a kernel event."""
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
        """Return true if it is time to read the subject's state."""
        if self.is_gone:
            return now - self.since >= SETTLE_SECONDS
        return not self.is_being_written or now - self.since >= MAX_WRITING_SECONDS


class Inotify(QueuedMonitor):
    """A monitor that waits for change notifications of the kernel."""

    name = "Inotify"
    remote_methods = (*QueuedMonitor.remote_methods, "list_watches", "list_paths")

    def __init__(self, ignore: Sequence[str]) -> None:
        """Open nothing: `start` opens the descriptors."""
        super().__init__(ignore)
        self._inotify: INotify | None = None
        self._watches: Watches | None = None
        self._wakeup: int | None = None
        self._waiting = 0
        self._marks: dict[Subject, _Mark] = {}
        self._read_at: float | None = None
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
                    "inotify does not work here, polling files instead: %s. If this system has inotify, raise "
                    "fs.inotify.max_user_instances with sysctl.",
                    err,
                )
            self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._watches = Watches(self._inotify)
            for handle in list(self._snapshots):
                self._refresh(handle)
            self._wake()

    def shutdown(self) -> None:
        """See `FileMonitor.shutdown`. The last waiter to wake closes the descriptors."""
        super().shutdown()
        with self._changed:
            self._close_if_unused()

    def list_watches(self) -> list[str]:
        """Return the directories that the kernel watches, sorted."""
        with self._changed:
            return [] if self._watches is None else self._watches.directories()

    def list_paths(self) -> list[str]:
        """Return the monitored paths, sorted."""
        with self._changed:
            return sorted(self._snapshots)

    # -- waiting

    def wait(self, timeout: float) -> bool:
        """See `FileMonitor.wait`."""
        self._has_waited = True
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
                is_behind = self._process_due(now)
                if self._queue or self._is_shut_down:
                    return bool(self._queue)
                if not is_behind:
                    poll = self._poll_for_wakeup()
            if now >= deadline:
                return False
            if is_behind:
                time.sleep(0)
                continue
            until = min(deadline, self._next_deadline())
            ready = poll.poll(max(0.0, until - now) * 1000)
            if any(descriptor != self._wakeup for descriptor, _ in ready):
                with self._changed:
                    self._delay_reading()

    def look(self) -> bool:
        """See `FileMonitor.look`."""
        with self._changed:
            if self._inotify is not None and self._read_at is None:
                poll = select.poll()
                poll.register(self._inotify.fileno(), select.POLLIN)
                if poll.poll(0):
                    self._delay_reading()
            return self._process_due(time.monotonic())

    def _poll_for_wakeup(self) -> select.poll:
        """Return a poll object for the wake-up descriptor and, unless reading is delayed, for inotify."""
        assert self._wakeup is not None
        with suppress(BlockingIOError):
            os.eventfd_read(self._wakeup)
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._inotify is not None and self._read_at is None:
            poll.register(self._inotify.fileno(), select.POLLIN)
        return poll

    def _next_deadline(self) -> float:
        """Return the time of the next read or poll that needs no notification, in `time.monotonic` seconds."""
        read_at = math.inf if self._read_at is None else self._read_at
        poll_at = self._poll_at if self._watches is not None and self._watches.has_unwatched else math.inf
        return min(read_at, poll_at)

    def _delay_reading(self) -> None:
        if self._read_at is None:
            self._read_at = time.monotonic() + SETTLE_SECONDS
            self._wake()

    # -- marking subjects

    def _read(self, until: float = math.inf) -> bool:
        """Mark the subjects of the pending kernel events, without waiting; return true if `until` passed first."""
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
            log.warning("The inotify queue overflowed and the kernel dropped events: scanning all files")
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

    # -- reading the disk

    def _process_due(self, now: float) -> bool:
        """Do the reads and polls that are due, for one slice; return true if more are due at once."""
        if self._watches is None:
            return False
        if self._watches.has_unwatched and now >= self._poll_at and self._poll_seconds is None:
            self._poll_seconds = 0.0
            for subject in sorted(
                self._watches.unwatched_subjects(), key=lambda subject: (subject[0], subject[1] or "")
            ):
                self._mark(subject, now)
        elif self._read_at is None or now < self._read_at:
            return False
        is_behind = self._read(now + SLICE_SECONDS)
        is_behind |= self._refresh_settled(now + SLICE_SECONDS)
        ended = time.monotonic()
        if self._poll_seconds is not None:
            self._poll_seconds += ended - now
            if not is_behind:
                self._poll_at = ended + max(INTERVAL_SECONDS, self._poll_seconds / PROCESSOR_SHARE)
                self._poll_seconds = None
        self._read_at = ended if is_behind else None
        if self._marks:
            self._delay_reading()
        return is_behind

    def _collect(self) -> None:
        """Queue the changes that are complete. A change that may be in progress is left to `wait`."""
        self._read()
        self._refresh_settled(None)
        if self._marks:
            self._delay_reading()

    def _refresh_settled(self, until: float | None) -> bool:
        """Refresh the settled subjects, in the order of their marks; return true if `until` passed before the end.

        With `until`, a deleted name that may come back also delays the subjects marked after it.
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
                self._refresh(handle, mark.is_modified)
            else:
                self._refresh_entry(handle, entry, mark.is_modified)
            if until is not None and count < len(settled) and time.monotonic() >= until:
                return True
        return False

    def _seconds_since_last_change(self) -> float:
        is_detecting = bool(self._marks) or self._read_at is not None
        return 0.0 if is_detecting else super()._seconds_since_last_change()

    def _refresh(self, handle: str, is_modified: bool = False) -> None:
        snapshot = self._snapshots[handle]
        if self._watches is None:
            super()._refresh(handle, is_modified)
            return
        subject = (handle, None)
        places: set[Place] = set()
        real = self._watch_way(subject, "/", handle, places)
        if real is not None and os.path.isdir(real):
            places.add((real, None))
            self._want(subject, (real, None), content=True)
        self._watches.keep_only(subject, places)
        links = snapshot.links
        super()._refresh(handle, is_modified)
        for name in sorted(links | snapshot.links):
            self._refresh_entry(handle, name)

    def _refresh_entry(self, handle: str, name: str, is_modified: bool = False) -> None:
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
        """Watch every directory that a path leads through; return the real path, None if there is none."""

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
            self._delay_reading()

    # -- descriptors

    def _wake(self) -> None:
        super()._wake()
        if self._wakeup is not None:
            os.eventfd_write(self._wakeup, 1)

    def _close_if_unused(self) -> None:
        """Close the descriptors once no thread waits on them: the kernel may reuse their numbers."""
        if not self._is_shut_down or self._waiting:
            return
        if self._inotify is not None:
            self._inotify.close()
        if self._wakeup is not None:
            os.close(self._wakeup)
        self._inotify = self._watches = self._wakeup = None
