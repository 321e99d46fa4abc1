"""From the directories below ``Cfg/`` to entries.

Each directory is watched by itself. One that holds at least one file is an entry, whether or not a handler knows the
file. Events are taken as hints: what counts is what is on the disk when they arrive.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from geventcore.errors import RepositoryError
from geventcore.filemonitor import EventHandler, FileAction, FileEvent, FileMonitor
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Binder
from geventcore.plugins.cfg.entry import CfgEntry
from geventcore.plugins.cfg.handlers import CfgCreator, CfgHandler, HandlerTable
from geventcore.plugins.cfg.path_settings import PathSettings

log = logging.getLogger(__name__)


class _Directory:
    """A directory: its path below the root (``""`` for the root itself), its entry and its subdirectories."""

    __slots__ = ("entry", "relative", "subdirectories")

    def __init__(self, relative: str) -> None:
        self.relative = relative
        self.entry: CfgEntry | None = None
        self.subdirectories: set[str] = set()

    def child(self, name: str) -> str:
        """The relative path of what lies in it."""
        return os.path.join(self.relative, name)


class CfgTree(EventHandler):
    """The entries of a directory tree, kept up to date."""

    def __init__(
        self, root: Path, handlers: HandlerTable, settings: Callable[[], PathSettings], context: PluginContext
    ) -> None:
        self._root = str(root)
        self._handlers = handlers
        self._settings = settings
        self._context = context
        self._monitor: FileMonitor = context.file_monitor
        self._directories: dict[str, _Directory] = {}
        self._by_handle: dict[str, _Directory] = {}
        self._entries: dict[str, CfgEntry] = {}
        self._snapshot: Mapping[str, Binder] | None = None
        self._announcing = threading.Lock()
        self._watch("")

    @property
    def binders(self) -> Mapping[str, Binder]:
        """Entry name -> binder, as of now; never changed later."""
        if self._snapshot is None:
            # Made on demand: one for each file event would make the start quadratic in the number of files.
            self._snapshot = {name: entry.bind for name, entry in self._entries.items()}
        return self._snapshot

    def _watch(self, relative: str) -> None:
        directory = self._directories[relative] = _Directory(relative)
        self._ask_for_contents(directory)

    def _ask_for_contents(self, directory: _Directory) -> None:
        """Have the file monitor tell everything that is in a directory, whether or not it was watched before."""
        self._by_handle[self._monitor.add_monitor(self._path(directory.relative), self)] = directory

    def _path(self, relative: str) -> str:
        return os.path.join(self._root, relative) if relative else self._root

    def handle_event(self, event: FileEvent) -> None:
        """Create, renew or drop what an event is about; what a file's handler raises goes to the file monitor."""
        directory = self._by_handle.get(event.handle)
        if directory is None:
            return
        if event.action is FileAction.END_EXIST:
            if directory.entry is not None:
                directory.entry.prepare()
            return
        if not os.path.isabs(event.filename):
            self._look_at(directory, event.filename, event)
        elif not os.path.isdir(event.handle):
            self._empty(directory)
        elif event.action is FileAction.CREATED:
            self._ask_for_contents(directory)

    def handlers_of(self, name: str) -> list[CfgHandler | None]:
        """The handlers of an entry's files, None for files that are left alone; empty if there is no such entry."""
        directory = self._directories.get(name.strip("/"))
        return list(directory.entry.files.values()) if directory is not None and directory.entry is not None else []

    def entry(self, name: str) -> CfgEntry | None:
        """The entry of a name, or None."""
        return self._entries.get(name)

    def announce(self, path: Path) -> None:
        """Take a file of which no event has come yet, so that it counts at once, also for renders that are under way.

        What the file's handler raises goes to the log.
        """
        *directories, name = path.relative_to(self._root).parts
        with self._announcing:
            directory = self._directories[""]
            event = FileEvent(self._path(""), name, FileAction.EXISTS)
            for part in directories:
                self._look_at(directory, part, event)
                if directory.child(part) not in self._directories:
                    return
                directory = self._directories[directory.child(part)]
            try:
                self._look_at(directory, name, event)
            except RepositoryError as err:
                log.error("%s", err)
            self._context.repository_changed()

    def _look_at(self, directory: _Directory, name: str, event: FileEvent) -> None:
        """Compare what is known of a name in a directory with the disk."""
        path = self._path(directory.child(name))
        try:
            mode = os.stat(path).st_mode
        except OSError as err:
            if not isinstance(err, FileNotFoundError | NotADirectoryError):
                log.error("%s: cannot be looked at: %s", path, err.strerror)
            mode = 0
        if not stat.S_ISREG(mode):
            self._drop_file(directory, name)
        if not stat.S_ISDIR(mode):
            self._drop_directory(directory, name)
        if stat.S_ISREG(mode):
            self._load_file(directory, name, path, event)
        elif stat.S_ISDIR(mode):
            self._add_directory(directory, name, path, event)
        elif mode:
            log.error("%s: neither a file nor a directory; ignored", path)

    def _add_directory(self, parent: _Directory, name: str, path: str, event: FileEvent) -> None:
        relative = parent.child(name)
        if name not in parent.subdirectories:
            if os.path.islink(path) and f"{os.path.realpath(self._path(parent.relative))}/".startswith(
                f"{os.path.realpath(path)}/"
            ):
                log.error("%s: this link leads to a directory that it is in; ignored", path)
                return
            parent.subdirectories.add(name)
            if relative not in self._directories:
                self._watch(relative)
                return
        elif event.action is not FileAction.CREATED:
            return
        # It has been here before, and what was in it may have been forgotten since.
        self._ask_for_contents(self._directories[relative])

    def _load_file(self, directory: _Directory, name: str, path: str, event: FileEvent) -> None:
        if not directory.relative:
            log.error("%s: ignored: files belong into a directory that is called as they are", path)
            return
        entry = directory.entry
        if entry is None:
            entry = directory.entry = CfgEntry(f"/{directory.relative}", self._settings)
            self._entries[entry.name] = entry
            self._snapshot = None
        if name not in entry.files:
            # The file counts from now on, even if it is not of use: it decides whether there is an entry.
            entry.put(name, None)
            try:
                found = self._handlers.find(name, os.path.basename(directory.relative))
            except RepositoryError as err:
                log.error("%s/%s; ignored", os.path.dirname(path), err)
                return
            if found is None:
                return
            handler_class, specificity = found
            new = handler_class(Path(path), specificity, self._context)
            if isinstance(new, CfgCreator):
                new.announce = self.announce
            entry.put(name, new)
        handler = entry.files[name]
        if handler is not None:
            handler.handle_event(event)

    def _drop_file(self, directory: _Directory, name: str) -> None:
        entry = directory.entry
        if entry is None or name not in entry.files:
            return
        entry.drop(name)
        if not entry.files:
            self._forget_entry(directory)

    def _forget_entry(self, directory: _Directory) -> None:
        if directory.entry is not None:
            del self._entries[directory.entry.name]
            directory.entry = None
            self._snapshot = None

    def _drop_directory(self, parent: _Directory, name: str) -> None:
        if name in parent.subdirectories:
            parent.subdirectories.discard(name)
            self._empty(self._directories[parent.child(name)])

    def _empty(self, directory: _Directory) -> None:
        """A directory is gone, and so is what was in it. It stays watched: it may come back."""
        self._forget_entry(directory)
        for name in list(directory.subdirectories):
            self._drop_directory(directory, name)

    def __repr__(self) -> str:
        return f"Cfg({self._root})"
