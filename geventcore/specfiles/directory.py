"""A watched directory with an object, its *child*, for each file that matches a pattern.

Children have names relative to the directory (``sub/one.xml``). The mapping is replaced when files appear or vanish, so
an iteration over it sees a single state.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from geventcore.filemonitor import NOTHING, Effect, EventHandler, FileAction, FileEvent, FileMonitor

log = logging.getLogger(__name__)


class Child(Protocol):
    """The object for one file."""

    def handle_event(self, event: FileEvent) -> None:
        """Load the file, which exists or has changed."""


ChildT = TypeVar("ChildT", bound=Child)


class Directory(EventHandler, Generic[ChildT]):
    """A watched directory, with its subdirectories if `recursive`."""

    def __init__(
        self,
        path: Path,
        file_monitor: FileMonitor,
        make_child: Callable[[Path], ChildT],
        pattern: re.Pattern[str],
        *,
        recursive: bool = True,
        ignore: re.Pattern[str] | None = None,
        on_change: Callable[[], None] | None = None,
        effect: Callable[[str], Effect] = lambda _: None,
    ) -> None:
        """Create a child for each file whose whole base name matches `pattern`.

        A file that matches neither `pattern` nor `ignore` is logged once. `on_change` is called after children were
        added, changed or removed. `effect` returns what a change of the file of this name can touch.
        """
        self.path = path
        self._children: dict[str, ChildT] = {}
        self._snapshot: Mapping[str, ChildT] | None = None
        self._file_monitor = file_monitor
        self._make_child = make_child
        self._pattern = pattern
        self._recursive = recursive
        self._ignore = ignore
        self._on_change = on_change
        self._effect = effect
        self._directories: dict[str, str] = {}
        self._add_directory("")

    @property
    def children(self) -> Mapping[str, ChildT]:
        """The current children: relative name -> child. The mapping itself never changes."""
        if self._snapshot is None:
            self._snapshot = dict(self._children)
        return self._snapshot

    def _add_directory(self, relative: str) -> None:
        path = str(self.path / relative) if relative else str(self.path)
        if path not in self._directories.values():
            self._directories[self._file_monitor.add_monitor(path, self)] = relative

    def handle_event(self, event: FileEvent) -> None:
        """Add, reload or remove the child of an event's file."""
        relative = self._directories.get(event.handle)
        if relative is None or event.action is FileAction.END_EXIST:
            return
        if os.path.isabs(event.filename):
            if event.action is FileAction.DELETED:
                self._drop(relative)
            return
        name = os.path.join(relative, event.filename)
        path = self.path / name
        if event.action is FileAction.DELETED and not path.exists():
            self._drop(name)
        elif path.is_dir():
            if name in self._children:
                self._drop(name)
            if self._recursive:
                self._add_directory(name)
        elif path.exists():
            self._load(name, path, event)

    def effect_of(self, event: FileEvent) -> Effect:
        """See `TellsEffect`."""
        relative = self._directories.get(event.handle)
        if relative is None or event.action is FileAction.END_EXIST:
            return NOTHING
        if os.path.isabs(event.filename):
            return None if event.action is FileAction.DELETED else NOTHING
        if event.action is FileAction.DELETED and not self._pattern.fullmatch(event.filename):
            # It may have been a directory.
            return None
        return self._effect(os.path.join(relative, event.filename))

    def _load(self, name: str, path: Path, event: FileEvent) -> None:
        child = self._children.get(name)
        if child is None:
            if not self._pattern.fullmatch(path.name):
                if self._ignore is None or not self._ignore.fullmatch(path.name):
                    log.error("%s: ignoring this file, its name is not valid in this directory", path)
                return
            child = self._make_child(path)
            self._children[name] = child
        try:
            child.handle_event(event)
        finally:
            self._changed()

    def _drop(self, name: str) -> None:
        """Remove the child of a deleted file, or all children in a deleted directory."""
        prefix = f"{name}/"
        gone = [other for other in self._children if other == name or other.startswith(prefix) or not name]
        for other in gone:
            del self._children[other]
        self._changed()

    def _changed(self) -> None:
        self._snapshot = None
        if self._on_change is not None:
            self._on_change()

    def __repr__(self) -> str:
        return f"Directory({self.path})"
