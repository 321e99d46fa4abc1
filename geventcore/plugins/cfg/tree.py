"""The tree of directories below ``Cfg/``, and their entries.

Each directory is watched separately. A directory with at least one file is an entry, even if no handler accepts the
file. Events are hints: the state on disk when they arrive decides.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from geventcore.errors import RepositoryError
from geventcore.filemonitor import NOTHING, Effect, EventHandler, FileAction, FileEvent, FileMonitor
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Binder
from geventcore.plugins.cfg.deltas import PlainAndDelta
from geventcore.plugins.cfg.entry import CfgEntry
from geventcore.plugins.cfg.handlers import CfgCreator, CfgDelta, CfgHandler, HandlerTable
from geventcore.plugins.cfg.path_settings import PathSettings
from geventcore.plugins.cfg.plaintext import PlaintextGenerator
from geventcore.plugins.cfg.unusable import UnusedDelta, unusable

log = logging.getLogger(__name__)


class _Directory:
    """A directory: its path below the root (``""`` for the root itself), its entry and its subdirectories."""

    __slots__ = ("entry", "relative", "subdirectories")

    def __init__(self, relative: str) -> None:
        self.relative = relative
        self.entry: CfgEntry | None = None
        self.subdirectories: set[str] = set()

    def child(self, name: str) -> str:
        """Return the relative path of a name in the directory."""
        return os.path.join(self.relative, name)


class CfgTree(EventHandler):
    """The entries of a watched directory tree."""

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
        """Return the current binders: entry name -> binder. The mapping itself never changes."""
        if self._snapshot is None:
            # Created on demand: one for each file event would make the start quadratic in the number of files.
            self._snapshot = {name: entry.bind for name, entry in self._entries.items()}
        return self._snapshot

    def _watch(self, relative: str) -> None:
        directory = self._directories[relative] = _Directory(relative)
        self._request_contents(directory)

    def _request_contents(self, directory: _Directory) -> None:
        """Have the file monitor report all files in a directory, even if it was watched before."""
        self._by_handle[self._monitor.add_monitor(self._path(directory.relative), self)] = directory

    def _path(self, relative: str) -> str:
        return os.path.join(self._root, relative) if relative else self._root

    def handle_event(self, event: FileEvent) -> None:
        """Add, reload or remove the file or directory of an event; the file monitor logs a handler's exception."""
        directory = self._by_handle.get(event.handle)
        if directory is None:
            return
        if event.action is FileAction.END_EXIST:
            if directory.entry is not None:
                directory.entry.prepare()
            return
        if not os.path.isabs(event.filename):
            self._refresh_name(directory, event.filename, event)
        elif not os.path.isdir(event.handle):
            self._empty(directory)
        elif event.action is FileAction.CREATED:
            self._request_contents(directory)

    def effect_of(self, event: FileEvent) -> Effect:
        """See `TellsEffect`: the entry of the directory. Entries that appear or vanish change `binders`."""
        directory = self._by_handle.get(event.handle)
        if directory is None or event.action is FileAction.END_EXIST:
            return NOTHING
        if os.path.isabs(event.filename):
            return None if event.action is FileAction.DELETED else NOTHING
        return frozenset({("Path", f"/{directory.relative}")})

    def handlers_of(self, name: str) -> list[CfgHandler | None]:
        """Return the handlers of an entry's files, None for each ignored file; empty if there is no such entry."""
        directory = self._directories.get(name.strip("/"))
        return list(directory.entry.files.values()) if directory is not None and directory.entry is not None else []

    def entry(self, name: str) -> CfgEntry | None:
        """Return the entry called `name`, or None."""
        return self._entries.get(name)

    def announce(self, path: Path) -> None:
        """Load a file before its file event arrives, so that it is used at once, even by renders that are in progress.

        An exception of the file's handler is logged.
        """
        *directories, name = path.relative_to(self._root).parts
        with self._announcing:
            directory = self._directories[""]
            event = FileEvent(self._path(""), name, FileAction.EXISTS)
            for part in directories:
                self._refresh_name(directory, part, event)
                if directory.child(part) not in self._directories:
                    return
                directory = self._directories[directory.child(part)]
            try:
                self._refresh_name(directory, name, event)
            except RepositoryError as err:
                log.error("%s", err)
            self._context.repository_changed()

    def _refresh_name(self, directory: _Directory, name: str, event: FileEvent) -> None:
        """Update a name in a directory from the disk."""
        path = self._path(directory.child(name))
        try:
            mode = os.stat(path).st_mode
        except OSError as err:
            if not isinstance(err, FileNotFoundError | NotADirectoryError):
                log.error("%s: ignoring this path: cannot read its status: %s", path, err.strerror)
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
            log.error("%s: ignoring this path: it is neither a file nor a directory", path)

    def _add_directory(self, parent: _Directory, name: str, path: str, event: FileEvent) -> None:
        relative = parent.child(name)
        if name not in parent.subdirectories:
            if os.path.islink(path) and f"{os.path.realpath(self._path(parent.relative))}/".startswith(
                f"{os.path.realpath(path)}/"
            ):
                log.error("%s: ignoring this link: it leads to a directory that contains it", path)
                return
            parent.subdirectories.add(name)
            if relative not in self._directories:
                self._watch(relative)
                return
        elif event.action is not FileAction.CREATED:
            return
        # The directory has existed before, and its content may have been dropped since.
        self._request_contents(self._directories[relative])

    def _load_file(self, directory: _Directory, name: str, path: str, event: FileEvent) -> None:
        if not directory.relative:
            log.error("%s: ignoring this file: it must be in a directory with the name of the file", path)
            return
        entry = directory.entry
        if entry is None:
            entry = directory.entry = CfgEntry(f"/{directory.relative}", self._settings)
            self._entries[entry.name] = entry
            self._snapshot = None
        if name not in entry.files:
            # Even a file that no handler accepts makes the directory an entry.
            entry.put(name, None)
            new = self._handler(Path(path))
            if new is None:
                return
            if isinstance(new, CfgCreator):
                new.announce = self.announce
            entry.put(name, new)
        handler = entry.files[name]
        if handler is not None:
            handler.handle_event(event)

    def _handler(self, path: Path) -> CfgHandler | None:
        """Create the handler of a file; None if the file is ignored. `RepositoryError` if it has no known name."""
        base = path.parent.name
        delta = self._delta(path, base)
        try:
            found = self._handlers.find(path.name, base)
        except RepositoryError as err:
            if delta is not None:
                return delta
            handler = unusable(path, self._handlers.find_left_out(path.name, base), self._context)
            if handler is None:
                raise RepositoryError(f"{path.parent}/{err}; ignored") from err
            return handler
        if found is None:
            return None
        handler_class, specificity = found
        if delta is not None and handler_class is PlaintextGenerator:
            return PlainAndDelta(path, specificity, self._context, delta)
        return handler_class(path, specificity, self._context)

    def _delta(self, path: Path, base: str) -> CfgDelta | None:
        """Create the handler of a delta; None if the file has not the name of one."""
        found = self._handlers.find_delta(path.name, base)
        if found is None:
            return None
        delta_class, specificity, is_in_use = found
        return (delta_class if is_in_use else UnusedDelta)(path, specificity, self._context)

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
        """Drop the content of a deleted directory. The directory stays watched, because it may come back."""
        self._forget_entry(directory)
        for name in list(directory.subdirectories):
            self._drop_directory(directory, name)

    def __repr__(self) -> str:
        return f"Cfg({self._root})"
