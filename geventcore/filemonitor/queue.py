"""What every monitor does the same way: handlers, initial events, the queue, and applying it.

Whatever a monitor finds goes through `QueuedMonitor._look_at`, which compares a monitored path with what was known of
it and queues the difference. An event that waits in the queue stands for everything that happens to its file until it
is applied, so an equal one is not queued behind it, unless something else about the same file lies in between.

Two locks: one guards the tables and is never held while a handler runs, so handlers may add monitors; the other lets
one thread at a time apply events, so that they are applied in order.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import re
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence

from geventcore.errors import GeventcoreError
from geventcore.filemonitor.base import EventHandler, FileAction, FileEvent, FileMonitor
from geventcore.filemonitor.snapshot import Snapshot
from geventcore.metrics.definitions import FILE_EVENT_FAILURES, FILE_EVENTS

log = logging.getLogger(__name__)

#: After these, "changed" tells nothing new.
_COVERS_CHANGED = (FileAction.EXISTS, FileAction.CREATED)


def describe_handler(handler: EventHandler) -> str:
    """A handler's own description, or else the name of its class."""
    kind = type(handler)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return kind.__name__
    return str(handler)


class QueuedMonitor(FileMonitor):
    """The base of all monitors: does everything but notice changes."""

    def __init__(self, ignore: Sequence[str]) -> None:
        """`ignore`: globs; a file whose name (as events carry it) or base name matches one has no events."""
        self._ignored = re.compile("|".join(fnmatch.translate(glob) for glob in ignore) or r"(?!)")
        self._changed = threading.Condition(threading.RLock())
        self._applying = threading.RLock()
        self._handlers: dict[str, list[EventHandler]] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._queue: deque[tuple[FileEvent, EventHandler | None]] = deque()
        self._newest: dict[tuple[str, str, int], FileAction] = {}
        self._is_shut_down = False

    def add_monitor(self, path: str, handler: EventHandler) -> str:
        """See `FileMonitor.add_monitor`."""
        if not path or b"\0" in os.fsencode(path):
            raise ValueError(f"{path!r} is not a path")
        handle = (path if os.path.isabs(path) else os.path.join(os.getcwd(), path)).rstrip("/") or "/"
        with self._changed:
            handlers = self._handlers.setdefault(handle, [])
            if handle not in self._snapshots:
                self._snapshots[handle] = Snapshot(handle, self.is_ignored)
            self._look_at(handle)
            if not any(other is handler for other in handlers):
                handlers.append(handler)
            self._queue_initial_events(self._snapshots[handle], handler)
        return handle

    def shutdown(self) -> None:
        """See `FileMonitor.shutdown`."""
        with self._changed:
            self._is_shut_down = True
            self._wake()

    def wait(self, timeout: float) -> bool:
        """See `FileMonitor.wait`."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_shut_down, timeout)
            return bool(self._queue)

    def pending(self) -> bool:
        """See `FileMonitor.pending`."""
        with self._changed:
            self._gather()
            return bool(self._queue)

    def handle_events(self) -> int:
        """See `FileMonitor.handle_events`."""
        applied = 0
        with self._applying:
            with self._changed:
                self._gather()
            while True:
                with self._changed:
                    if not self._queue:
                        return applied
                    event, only = self._queue.popleft()
                    handlers = [only] if only is not None else list(self._handlers.get(event.handle, ()))
                    key = self._key(event, only)
                    if self._newest.get(key) is event.action:
                        del self._newest[key]
                for handler in handlers:
                    self._apply(event, handler)
                FILE_EVENTS.inc(event.action.value)
                applied += 1

    def list_event_handlers(self) -> dict[str, str]:
        """See `FileMonitor.list_event_handlers`."""
        with self._changed:
            return {
                handle: ", ".join(map(describe_handler, handlers))
                for handle, handlers in sorted(self._handlers.items())
            }

    def is_ignored(self, filename: str) -> bool:
        """Whether a file name, as events carry it, matches one of the ignored globs."""
        if self._ignored.match(filename):
            return True
        return "/" in filename and self._ignored.match(os.path.basename(filename)) is not None

    # -- what monitors override; called with the lock held

    @abstractmethod
    def start(self) -> None:
        """See `FileMonitor.start`."""

    def _look_at(self, handle: str, is_modified: bool = False) -> None:
        """Compare a monitored path with what was known of it, and queue the difference."""
        self._queue_changes(handle, self._snapshots[handle].refresh(is_modified))

    def _gather(self) -> None:
        """Queue what can be known now, without waiting."""

    def _wake(self) -> None:
        """Make `wait` look at the queue and whether the monitor is shut down."""
        self._changed.notify_all()

    # -- the queue

    def _queue_changes(self, handle: str, changes: Sequence[tuple[str, FileAction]]) -> None:
        for filename, action in changes:
            self._queue_event(FileEvent(handle, filename, action), None)

    def _queue_initial_events(self, snapshot: Snapshot, handler: EventHandler) -> None:
        if snapshot.state is None:
            return
        handle = snapshot.path
        self._queue_event(FileEvent(handle, handle, FileAction.EXISTS), handler)
        if snapshot.is_directory:
            for name in sorted(snapshot.entries):
                self._queue_event(FileEvent(handle, name, FileAction.EXISTS), handler)
            self._queue_event(FileEvent(handle, handle, FileAction.END_EXIST), handler)

    def _queue_event(self, event: FileEvent, only: EventHandler | None) -> None:
        """Queue an event for one handler, or for all that the path has when the event is applied."""
        if self.is_ignored(event.filename) or not self._handlers[event.handle]:
            return
        key = self._key(event, only)
        newest = self._newest.get(key)
        if newest is event.action or (event.action is FileAction.CHANGED and newest in _COVERS_CHANGED):
            return
        self._newest[key] = event.action
        self._queue.append((event, only))
        if self.debug:
            log.error("%s: %s %r (%s)", self.name, event.action.value, event.filename, event.handle)
        if len(self._queue) == 1:
            self._wake()

    @staticmethod
    def _key(event: FileEvent, only: EventHandler | None) -> tuple[str, str, int]:
        return event.handle, event.filename, 0 if only is None else id(only)

    def _apply(self, event: FileEvent, handler: EventHandler) -> None:
        """The boundary to handlers: whatever one raises harms neither the other handlers nor the events to come."""
        try:
            handler.handle_event(event)
        except GeventcoreError as err:
            self._log_failure(event, handler, err)
            log.debug("The failure in full:", exc_info=True)
        except Exception as err:  # noqa: BLE001 - handlers belong to plugins, which may raise anything
            self._log_failure(event, handler, err, with_traceback=True)

    def _log_failure(
        self, event: FileEvent, handler: EventHandler, err: Exception, with_traceback: bool = False
    ) -> None:
        FILE_EVENT_FAILURES.inc()
        log.error(
            "%s failed at %r (%s): %s",
            describe_handler(handler),
            os.path.join(event.handle, event.filename),
            event.action.value,
            f"{type(err).__name__}: {err}" if with_traceback else err,
            exc_info=with_traceback,
        )
