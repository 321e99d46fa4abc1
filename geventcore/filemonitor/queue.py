"""The common base of all monitors: handlers, initial events, and the event queue.

Every change goes through `QueuedMonitor._refresh`, which compares a monitored path with its last known state and queues
the difference. A queued event covers everything that happens to its file until the event is applied. So an equal event
is not queued again, unless another event about the same file lies in between.

There are two locks. One guards the tables; it is never held while a handler runs, so handlers may add monitors. The
other lets only one thread at a time apply events, which keeps their order.
"""

from __future__ import annotations

import fnmatch
import logging
import math
import os
import re
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence

from geventcore.errors import GeventcoreError
from geventcore.file_contents import FILE_CONTENTS
from geventcore.filemonitor.base import NOTHING, BrokenFile, Effect, EventHandler, FileAction, FileEvent, FileMonitor
from geventcore.filemonitor.broken_files import BrokenFiles
from geventcore.filemonitor.own_writes import OWN_WRITES
from geventcore.filemonitor.snapshot import Snapshot
from geventcore.metrics.definitions import FILE_EVENT_FAILURES, FILE_EVENTS
from geventcore.regular_files import read_with_mode

log = logging.getLogger(__name__)

#: An event, and the only handler that it is for, if not all.
_Queued = tuple[FileEvent, EventHandler | None]

#: The length of one slice of reading ahead, in seconds. Other work waits for at most this long, or for one file.
SLICE_SECONDS = 0.005
#: The pause between two slices, in seconds. A request needs several turns of the event loop, so one turn is not enough.
PAUSE_SECONDS = 0.001

#: After these, a "changed" event adds nothing.
_COVERS_CHANGED = (FileAction.EXISTS, FileAction.CREATED)


def describe_handler(handler: EventHandler) -> str:
    """Return a handler's own description, or else the name of its class."""
    kind = type(handler)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return kind.__name__
    return str(handler)


class QueuedMonitor(FileMonitor):
    """The base of all monitors. It does everything except detect changes."""

    def __init__(self, ignore: Sequence[str]) -> None:
        """Ignore each file whose name (as events carry it) or base name matches one of the globs in `ignore`."""
        self._ignored = re.compile("|".join(fnmatch.translate(glob) for glob in ignore) or r"(?!)")
        self._changed = threading.Condition(threading.RLock())
        self._applying = threading.RLock()
        self._handlers: dict[str, list[EventHandler]] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._queue: deque[tuple[FileEvent, EventHandler | None]] = deque()
        self._newest: dict[tuple[str, str, int], FileAction] = {}
        self._is_shut_down = False
        self._effect: Effect = NOTHING
        #: True in a process that serves: before that nobody waits, and a process that forks must not run an event loop.
        self._has_waited = False
        self._last_change = -math.inf
        #: Path without symbolic links -> moment of the last change that is not applied.
        self._unsettled: dict[str, float] = {}
        self._last_applied_change = -math.inf
        self._reads: dict[int, dict[str, int]] = {}
        self._broken = BrokenFiles()

    def add_monitor(self, path: str, handler: EventHandler) -> str:
        """See `FileMonitor.add_monitor`."""
        if not path or b"\0" in os.fsencode(path):
            raise ValueError(f"{path!r} is not a valid path")
        handle = (path if os.path.isabs(path) else os.path.join(os.getcwd(), path)).rstrip("/") or "/"
        with self._changed:
            handlers = self._handlers.setdefault(handle, [])
            if handle not in self._snapshots:
                self._snapshots[handle] = Snapshot(handle, self.is_ignored)
            self._refresh(handle)
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
        self._has_waited = True
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_shut_down, timeout)
            return bool(self._queue)

    def pending(self) -> bool:
        """See `FileMonitor.pending`."""
        with self._changed:
            self._collect()
            return bool(self._queue)

    def look(self) -> bool:
        """See `FileMonitor.look`."""
        return False

    def rescan(self) -> None:
        """See `FileMonitor.rescan`."""
        with self._changed:
            for handle in list(self._snapshots):
                self._refresh(handle)

    def quiet_for(self) -> float:
        """See `FileMonitor.quiet_for`."""
        with self._changed:
            return self._seconds_since_last_change()

    @property
    def unsettled_changes(self) -> int:
        """See `FileMonitor.unsettled_changes`."""
        return len(self._unsettled)

    def discount(self, paths: Iterable[str]) -> None:
        """See `FileMonitor.discount`."""
        with self._changed:
            own = [path for path in paths if path in self._unsettled and OWN_WRITES.has(path)]
            for path in own:
                del self._unsettled[path]
            if own:
                self._last_change = max(self._unsettled.values(), default=self._last_applied_change)

    def prepare(self) -> int:
        """See `FileMonitor.prepare`."""
        with self._applying:
            with self._changed:
                self._collect()
                taken, self._queue = self._queue, deque()
                self._newest.clear()
            try:
                kept = self._prepared(taken)
            except BaseException:
                kept = taken
                raise
            finally:
                with self._changed:
                    for event, only in kept:
                        self._newest.setdefault(self._key(event, only), event.action)
                    self._queue.extendleft(reversed(kept))
                    if not self._queue:
                        self._forget_unsettled()
            return len(kept)

    def _prepared(self, taken: Iterable[_Queued]) -> deque[_Queued]:
        """Read the files of events ahead, in slices; return the events without those that change nothing."""
        kept: deque[_Queued] = deque()
        files: dict[str, tuple[bytes, int] | None] = {}
        prepared: set[str] = set()
        slice_ends = time.monotonic() + SLICE_SECONDS
        for event, only in taken:
            path = os.path.join(event.handle, event.filename)
            if event.action in (FileAction.CHANGED, FileAction.CREATED) and path not in files:
                try:
                    files[path] = read_with_mode(path)
                except OSError:
                    files[path] = None
            found = files.get(path)
            if found is not None and event.action is FileAction.CHANGED and self._is_known(event, only, path, found):
                continue
            kept.append((event, only))
            if found is not None and path not in prepared:
                prepared.add(path)
                FILE_CONTENTS.prepare(path, *found)
            if time.monotonic() >= slice_ends:
                time.sleep(PAUSE_SECONDS)
                slice_ends = time.monotonic() + SLICE_SECONDS
        return kept

    def _is_known(self, event: FileEvent, only: EventHandler | None, path: str, content: tuple[bytes, int]) -> bool:
        """Return true if every handler has used this content, and no other since."""
        handlers = [only] if only is not None else self._handlers.get(event.handle, ())
        return all(
            FILE_CONTENTS.is_current(path, self._reads.get(id(handler), {}).get(path), *content) for handler in handlers
        )

    def handle_events(self, collect: bool = True) -> int:
        """See `FileMonitor.handle_events`."""
        applied = 0
        slice_ends = time.monotonic() + SLICE_SECONDS
        with self._applying:
            with self._changed:
                if collect:
                    self._collect()
                self._forget_unsettled()
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
                    self._note_effect(event, handler)
                FILE_EVENTS.inc(event.action.value)
                applied += 1
                if self._has_waited and time.monotonic() >= slice_ends:
                    # A new directory tree has thousands of events; requests that need no configuration go on meanwhile.
                    time.sleep(PAUSE_SECONDS)
                    slice_ends = time.monotonic() + SLICE_SECONDS

    def broken_files(self) -> list[BrokenFile]:
        """See `FileMonitor.broken_files`."""
        return self._broken.list()

    def take_effect(self) -> Effect:
        """See `FileMonitor.take_effect`."""
        with self._applying:
            effect, self._effect = self._effect, NOTHING
            return effect

    def effect_of(self, path: str) -> Effect:
        """See `FileMonitor.effect_of`."""
        found: Effect = NOTHING
        directory, name = os.path.split(path)
        with self._changed:
            pairs = [(path, path, each) for each in self._handlers.get(path, ())]
            pairs += [(directory, name, each) for each in self._handlers.get(directory, ())]
        for handle, filename, handler in pairs:
            effect_of = getattr(handler, "effect_of", None)
            effect = None if effect_of is None else effect_of(FileEvent(handle, filename, FileAction.CHANGED))
            found = None if effect is None or found is None else found | effect
        return found if pairs else None

    def _note_effect(self, event: FileEvent, handler: EventHandler) -> None:
        # `TellsEffect`: not every handler has this method.
        effect_of = getattr(handler, "effect_of", None)
        effect = None if effect_of is None else effect_of(event)
        self._effect = None if effect is None or self._effect is None else self._effect | effect

    def list_event_handlers(self) -> dict[str, str]:
        """See `FileMonitor.list_event_handlers`."""
        with self._changed:
            return {
                handle: ", ".join(map(describe_handler, handlers))
                for handle, handlers in sorted(self._handlers.items())
            }

    def is_ignored(self, filename: str) -> bool:
        """Return true if a file name, as events carry it, matches one of the ignored globs."""
        if self._ignored.match(filename):
            return True
        return "/" in filename and self._ignored.match(os.path.basename(filename)) is not None

    # -- methods that monitors override; called with the lock held

    @abstractmethod
    def start(self) -> None:
        """See `FileMonitor.start`."""

    def _refresh(self, handle: str, is_modified: bool = False) -> None:
        """Compare a monitored path with its last known state, and queue the difference."""
        self._queue_changes(handle, self._snapshots[handle].refresh(is_modified))

    def _collect(self) -> None:
        """Queue the changes that can be detected now, without waiting."""

    def _seconds_since_last_change(self) -> float:
        """See `FileMonitor.quiet_for`."""
        return time.monotonic() - self._last_change

    def _forget_unsettled(self) -> None:
        self._unsettled.clear()
        self._last_applied_change = self._last_change

    def _wake(self) -> None:
        """Make `wait` check for queued events and for a shutdown."""
        self._changed.notify_all()

    # -- the queue

    def _queue_changes(self, handle: str, changes: Sequence[tuple[str, FileAction]]) -> None:
        for filename, action in changes:
            path = os.path.join(handle, filename)
            if not self.is_ignored(filename) and not OWN_WRITES.has(path):
                self._last_change = self._unsettled[os.path.realpath(path)] = time.monotonic()
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
        """Queue an event for the handler `only`, or for all handlers that the path has when the event is applied."""
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
        """Call a handler and log what it raises, so that other handlers and later events are not affected."""
        known = self._reads.setdefault(id(handler), {})
        with FILE_CONTENTS.recording() as reads:
            try:
                handler.handle_event(event)
            except GeventcoreError as err:
                self._log_failure(event, handler, err)
                log.debug("Traceback of this failure:", exc_info=True)
            except Exception as err:  # noqa: BLE001 - handlers belong to plugins, which may raise anything
                self._log_failure(event, handler, err, with_traceback=True)
            else:
                path = os.path.join(event.handle, event.filename)
                self._broken.note_success(handler, path, reads, is_gone=event.action is FileAction.DELETED)
                if not getattr(handler, "needs_every_event", False):
                    known.update(reads)
                return
        for path in reads:
            known.pop(path, None)

    def _log_failure(
        self, event: FileEvent, handler: EventHandler, err: Exception, with_traceback: bool = False
    ) -> None:
        FILE_EVENT_FAILURES.inc()
        path = os.path.join(event.handle, event.filename)
        reason = f"{type(err).__name__}: {err}" if with_traceback else str(err)
        if event.action is not FileAction.DELETED:
            self._broken.note_failure(handler, path, reason)
        if with_traceback:
            text = "%s failed at %r (%s): %s"
            log.error(text, describe_handler(handler), path, event.action.value, reason, exc_info=True)
        else:
            # Most errors begin with the file; a message names it once.
            log.error("%s: %s (not used by %s)", path, reason.removeprefix(f"{path}: "), describe_handler(handler))
