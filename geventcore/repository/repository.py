"""The repository of a server: its directory, version, lock and file events.

Clients must not see half a change. So changes are applied when nobody is making any (`geventcore.repository.settling`),
under the exclusive lock, and renders hold it shared. Parsed files are replaced by new objects, never edited: whatever
was derived from an old object can be kept under that object (`geventcore.repository.derived`).

If the repository vanishes, the last good state is served (`geventcore.repository.presence`). Changes wait until it is
back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from geventcore.file_contents import FILE_CONTENTS
from geventcore.filemonitor import NOTHING, Effect, FileMonitor
from geventcore.included_files import INCLUDED_FILES
from geventcore.repository.lock import RepositoryLock
from geventcore.repository.presence import Presence
from geventcore.repository.settling import Settling

log = logging.getLogger(__name__)

#: The revision that clients are told if no plugin knows the real one; the value is Bcfg2's.
UNKNOWN_REVISION = "-1"
#: How long the file watcher waits before it checks if the server ends, in seconds.
WATCH_INTERVAL_SECONDS = 2.0
#: How often the watcher looks for a repository that has vanished, in seconds.
LOST_INTERVAL_SECONDS = 0.5
#: How long clients wait at most for changes that began while others were being applied, in seconds.
MOST_HELD_SECONDS = 10.0
#: Files that a server writes by itself; machines that serve the same may differ in them.
LEARNT = ("Probes/probed.xml",)
#: The number of versions whose effects are remembered, and of parts that one may touch: more may touch anything.
MOST_VERSIONS = 256
MOST_EFFECTS = 200
#: How often the application of changes begins again because the repository was changed before it had begun.
MOST_ATTEMPTS = 5


class Repository:
    """A directory of configuration, watched for changes.

    Attributes:
        path: the directory.
        file_monitor: notices changed files, and passes them on to plugins.
        lock: shared by renders, exclusive for changes.
        revision: the revision that a version control plugin found, or `UNKNOWN_REVISION`.
        is_read: true when the first file events have been applied.
    """

    def __init__(
        self,
        path: Path,
        file_monitor: FileMonitor,
        find_revision: Callable[[], str],
        plugin_names: Callable[[], Iterable[str]] = tuple,
        quiet_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Watch nothing yet.

        `find_revision` asks the version control plugin, and returns `UNKNOWN_REVISION` if that gives none.
        `plugin_names` returns the names of the plugins, and `quiet_seconds` the value of ``[server] quiet_seconds``.
        """
        self.path = path
        self.file_monitor = file_monitor
        self.lock = RepositoryLock()
        self.revision = UNKNOWN_REVISION
        self.is_read = False
        self._find_revision = find_revision
        self._presence = Presence(path, plugin_names)
        self._settling = Settling(path, file_monitor, quiet_seconds)
        self._applying = threading.Lock()
        self._identity: object = None
        self._effects: dict[int, Effect] = {}
        self._why_lost = ""
        self._lost_at: float | None = None
        self._content: tuple[int, str] | None = None
        INCLUDED_FILES.follow(self)

    @property
    def version(self) -> int:
        """A number that differs from all earlier ones after a file, or the settings, may have changed."""
        return self.lock.changes

    @property
    def content(self) -> str:
        """A digest of the files that are in use, to tell whether two machines serve the same."""
        version = self.version
        if self._content is None or self._content[0] != version:
            self._content = version, FILE_CONTENTS.digest(str(self.path), LEARNT)
        return self._content[1]

    def effect_since(self, version: int) -> Effect:
        """Return what has been changed in configurations since an earlier version; None if anything may have."""
        found: Effect = NOTHING
        for each in range(version + 1, self.version + 1):
            effect = self._effects.get(each)
            if effect is None or found is None:
                return None
            found |= effect
        return found

    def _note_effect(self) -> None:
        """Remember what was changed in this version; the lock is held exclusively."""
        effect = self.file_monitor.take_effect()
        if effect is not None and len(effect) <= MOST_EFFECTS:
            self._effects[self.version] = effect
            while len(self._effects) > MOST_VERSIONS:
                del self._effects[next(iter(self._effects))]

    def note_change(self) -> None:
        """Count a change that was made without a file event."""
        self.lock.note_change()

    @property
    def has_pending_changes(self) -> bool:
        """True if changes are about to be applied: what is read now may be outdated at once."""
        return self.lock.has_waiting_writers

    def has_file_events(self) -> bool:
        """Return true if changes of files have been noticed and not applied."""
        return self._applying.locked() or self.file_monitor.pending()

    def update_revision(self) -> None:
        """Ask for the revision again."""
        self.revision = self._find_revision()

    # -- a repository that has vanished

    def why_not_ready(self) -> str:
        """Return why clients get an old state or none; ``""`` if they get what is in the repository."""
        if not self.is_read:
            return "it is being read"
        if self._why_lost:
            return f"clients get the state of {self.stale_seconds:.0f} s ago: {self._why_lost}"
        return ""

    @property
    def stale_seconds(self) -> float:
        """The age of the state that clients get; 0 if it is current."""
        lost_at = self._lost_at
        return 0.0 if lost_at is None else time.monotonic() - lost_at

    def _is_lost(self) -> bool:
        """Return true if the repository, or a part of it, has vanished; log when that begins and ends."""
        try:
            reason = self._presence.why_lost() if self.is_read else ""
        except OSError as err:
            # Files could not be read, either. The changes are applied when they can be.
            log.debug("changes wait: %s", err)
            return True
        if reason and reason != self._why_lost:
            log.error("%s; clients get the last good state until it is back", reason)
        if reason and self._lost_at is None:
            self._lost_at = time.monotonic()
        elif not reason and self._why_lost:
            log.warning("The repository %s is back after %.0f s; reading it", self.path, self.stale_seconds)
            self.file_monitor.rescan()
            self._lost_at = None
        self._why_lost = reason
        return bool(reason)

    # -- applying changes

    def handle_file_events(self) -> None:
        """Apply the pending file events at once."""
        with self._applying:
            if self.file_monitor.pending() and not self._is_lost():
                self._apply()
            self.is_read = True

    def discount(self, paths: Iterable[str]) -> None:
        """Do not wait for files to settle that another process of the server has written."""
        self.file_monitor.discount(paths)

    def flush(self, wait: bool = True) -> None:
        """Apply the pending file events for a plugin that has changed files.

        If others are changing files, wait until the repository has settled; without `wait`, leave it to the watcher.
        """
        with self._applying:
            is_pending = self.file_monitor.pending()
        if is_pending and (self._settling.wait() if wait else self._settling.is_settled()):
            self.handle_file_events()

    def _apply(self) -> None:
        with self.lock.exclusive():
            self._apply_queued()
            self._note_effect()
            self._presence.remember()
            self._identity = self._presence.identity()

    def _apply_queued(self) -> None:
        self.update_revision()
        INCLUDED_FILES.refresh(self.path)
        # What has happened since the repository was found to be whole has to wait: it may be its end.
        self.file_monitor.handle_events(collect=not self.is_read)

    def watch(self, stop: threading.Event) -> None:
        """Apply changes as they come and settle, until `stop` is set."""
        while not stop.is_set():
            has_changes = self.file_monitor.wait(LOST_INTERVAL_SECONDS if self._why_lost else WATCH_INTERVAL_SECONDS)
            if stop.is_set():
                return
            self._notice_another_directory()
            if self._is_lost():
                stop.wait(LOST_INTERVAL_SECONDS)
                self.file_monitor.look()
            elif has_changes:
                self._apply_settled(stop)

    def _notice_another_directory(self) -> None:
        """Read everything again if another directory has taken a place: a mount does that without an event."""
        identity = self._presence.identity()
        if self._identity is not None and identity != self._identity:
            self._identity = identity
            self.file_monitor.rescan()

    def _apply_settled(self, stop: threading.Event) -> None:
        """Apply changes when the repository has settled, and begin again if somebody changes it before that is done."""
        for _ in range(MOST_ATTEMPTS):
            has_settled = self._settling.wait(stop.is_set)
            if stop.is_set():
                return
            with self._applying:
                try:
                    # Clients are served meanwhile.
                    if not self.file_monitor.prepare() or self._is_lost():
                        return
                    with self.lock.exclusive():
                        if not has_settled or self._settling.is_settled():
                            self._apply_at_rest(stop, has_settled)
                            return
                finally:
                    FILE_CONTENTS.forget_prepared()

    def _apply_at_rest(self, stop: threading.Event, has_settled: bool) -> None:
        """Apply changes. If others begin meanwhile, clients wait for the end of that: files may be of either state."""
        self._apply_queued()
        deadline = time.monotonic() + MOST_HELD_SECONDS

        def is_late() -> bool:
            return stop.is_set() or time.monotonic() >= deadline

        while has_settled and not is_late() and not self._settling.is_unchanged():
            FILE_CONTENTS.forget_prepared()
            if self._settling.wait(is_late) and not self._is_lost():
                self._apply_queued()
        self._note_effect()
        self._presence.remember()
        self._identity = self._presence.identity()
