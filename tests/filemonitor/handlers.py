"""Handlers for tests of file monitors, and a loop that applies events until something is true."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from geventcore.filemonitor import FileAction, FileEvent, FileMonitor

#: Globs of names that mean nothing, as a server has them.
IGNORE = ("*~", "*#", ".#*", "*.swp", "*.swpx", ".*.swx", "SCCS", ".svn", "4913", ".gitignore")

#: Seconds after which a condition that is not met is a failure.
DEADLINE = 15.0


class Recorder:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[FileEvent] = []

    def handle_event(self, event: FileEvent) -> None:
        self.events.append(event)

    def seen(self) -> list[tuple[str, str]]:
        """(action, file name) of every event."""
        return [(event.action.value, event.filename) for event in self.events]

    def has(self, action: str, filename: str | Path) -> bool:
        return (action, str(filename)) in self.seen()


class Mirror(Recorder):
    """Knows the content of every file below a directory, from events alone."""

    def __init__(self, monitor: FileMonitor) -> None:
        super().__init__()
        self.files: dict[str, str] = {}
        self._monitor = monitor
        self._directories: set[str] = set()

    def follow(self, directory: str | Path) -> None:
        path = str(directory)
        if path not in self._directories:
            self._directories.add(path)
            self._monitor.add_monitor(path, self)

    def handle_event(self, event: FileEvent) -> None:
        super().handle_event(event)
        if event.action is FileAction.END_EXIST:
            return
        path = os.path.join(event.handle, event.filename)
        if os.path.isdir(path):
            self.files.pop(path, None)
            self.follow(path)
            return
        for known in [known for known in self.files if known == path or known.startswith(f"{path}/")]:
            del self.files[known]
        if os.path.isfile(path):
            try:
                self.files[path] = Path(path).read_text()
            except FileNotFoundError:
                return


def tree(directory: str | Path) -> dict[str, str]:
    """The content of every file below a directory."""
    return {
        os.path.join(top, name): Path(top, name).read_text()
        for top, _, names in os.walk(directory, followlinks=True)
        for name in names
    }


def apply_until(monitor: FileMonitor, condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Wait for events and apply them, as a server does, until the condition is met."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline has passed"
        if monitor.wait(0.2):
            monitor.handle_events()
