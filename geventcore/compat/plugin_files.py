"""``Bcfg2.Server.Plugin.helpers``: objects for files and directories.

The constructors take their arguments as in Bcfg2 1.4, and with the file monitor as second one as in 1.3.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from geventcore.compat.current import get_core
from geventcore.compat.filemonitor import READ_ACTIONS, get_fam, is_file_monitor
from geventcore.compat.plugin_base import Debuggable
from geventcore.errors import PluginExecutionError
from geventcore.regular_files import read_file
from geventcore.specfiles.xmlfile import load_document

__all__ = ["DirectoryBacked", "FileBacked", "XMLDirectoryBacked", "XMLFileBacked"]

log = logging.getLogger(__name__)


def construct(child_class: Any, *arguments: Any, optional: Any) -> Any:
    """Create an object whose class takes one more argument if it was written for Bcfg2 1.3.

    A function with ``*args`` does not say how many arguments the class behind it takes: then that is tried.
    """
    try:
        signature = inspect.signature(child_class)
        signature.bind(*arguments)
    except TypeError:
        return child_class(*arguments, optional)
    if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values()):
        return child_class(*arguments)
    try:
        return child_class(*arguments)
    except TypeError as err:
        if "required positional argument" not in str(err):
            raise
        return child_class(*arguments, optional)


class FileBacked(Debuggable):
    """A file that is read when it appears or changes.

    Attributes:
        name: its path.
        data: its text; bytes if they are not text in the repository's encoding.
    """

    def __init__(self, name: str, fam: Any = None) -> None:
        Debuggable.__init__(self)
        self.name = os.fspath(name)
        self.data: Any = ""
        self.fam = fam or get_fam()

    def HandleEvent(self, event: Any = None) -> None:
        """Read the file, then `Index`."""
        if event is not None and event.code2str() not in READ_ACTIONS:
            return
        try:
            raw = read_file(self.name)
        except OSError as err:
            raise PluginExecutionError(f"{self.name}: cannot be read: {err.strerror}") from err
        try:
            self.data = raw.decode(get_core().encoding)
        except UnicodeDecodeError:
            self.data = raw
        self.Index()

    def Index(self) -> None:
        """Process `data`; a site's class overrides this."""

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.name}"

    __repr__ = __str__


class DirectoryBacked(Debuggable):
    """A directory with an object for each file, in subdirectories, too.

    Class attributes:
        __child__: the class of the objects.
        patterns: the pattern of file names.
        ignore: names that match this are ignored silently.

    Attributes:
        data: the directory.
        entries: relative name -> object.
        handles: handle of a monitor -> relative name of the directory.
    """

    __child__: ClassVar[Any] = FileBacked
    patterns: ClassVar[Any] = re.compile(".*")
    ignore: ClassVar[Any] = None

    def __init__(self, data: str, fam: Any = None) -> None:
        Debuggable.__init__(self)
        self._watch(data, fam)

    def _watch(self, data: str, fam: Any) -> None:
        self.data = os.fspath(data)
        self.fam = fam or get_fam()
        self.entries: dict[str, Any] = {}
        self.handles: dict[Any, str] = {}
        self.add_directory_monitor("")

    def __getitem__(self, key: str) -> Any:
        return self.entries[key]

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(list(self.entries.items()))

    def __len__(self) -> int:
        return len(self.entries)

    def add_directory_monitor(self, relative: str) -> None:
        """Watch a subdirectory, too."""
        if relative not in self.handles.values():
            path = os.path.join(self.data, relative).rstrip("/")
            self.handles[self.fam.AddMonitor(path, self)] = relative

    def add_entry(self, relative: str, event: Any) -> None:
        """Create the object for a file."""
        path = os.path.join(self.data, relative)
        self.entries[relative] = construct(self.__child__, path, optional=self.fam)
        self.entries[relative].HandleEvent(event)

    def HandleEvent(self, event: Any) -> None:
        """Add, update or remove the object of an event's file."""
        action = event.code2str()
        if event.requestID not in self.handles or action == "endExist":
            return
        relative = self.handles[event.requestID]
        if not os.path.isabs(event.filename):
            relative = os.path.join(relative, event.filename)
        elif action != "deleted":
            return
        path = os.path.join(self.data, relative)
        if action == "deleted":
            if not os.path.exists(path):
                self._drop(relative)
        elif os.path.isdir(path):
            self.add_directory_monitor(relative)
        elif relative in self.entries:
            self.entries[relative].HandleEvent(event)
        elif self.patterns.match(os.path.basename(relative)):
            self.add_entry(relative, event)
        elif self.ignore is None or not self.ignore.match(os.path.basename(relative)):
            log.warning("%s: ignoring this file, its name is not valid in this directory", path)

    def _drop(self, relative: str) -> None:
        self.entries = {
            name: child
            for name, child in self.entries.items()
            if relative and name != relative and not name.startswith(f"{relative}/")
        }


class XMLFileBacked(FileBacked):
    """An XML file with its includes.

    Class attributes:
        __identifier__: the attribute of the root whose value is `label`.
        create: the root of an empty file to create if the file is missing: a tag or an element.

    Attributes:
        xdata: the root.
        entries: its children.
        extras: the paths of included files.
    """

    __identifier__: ClassVar[str | None] = "name"
    create: ClassVar[Any] = None

    def __init__(self, filename: str, *arguments: Any, **named: Any) -> None:
        """1.4: ``(filename, should_monitor=False, create=None)``; 1.3 has the argument `fam` after the file's name."""
        rest = list(arguments)
        fam = named.pop("fam", None)
        if rest and (rest[0] is None or is_file_monitor(rest[0])):
            fam = rest.pop(0)
        should_monitor = named.pop("should_monitor", rest.pop(0) if rest else False)
        create = named.pop("create", rest.pop(0) if rest else None)
        if rest or named:
            raise TypeError(f"{type(self).__name__}: unknown arguments {rest or sorted(named)}")
        super().__init__(filename, fam)
        self.should_monitor = bool(should_monitor)
        self.label: str | None = ""
        self.entries: list[Any] = []
        self.extras: list[str] = []
        self.extra_monitors: list[str] = []
        self.xdata: Any = None
        self._create(self.create if create is None else create)
        if self.should_monitor:
            self.fam.AddMonitor(self.name, self)

    def _create(self, root: Any) -> None:
        if root is None or os.path.exists(self.name):
            return
        element = etree.Element(root) if isinstance(root, str) else root
        self.logger.warning("created the missing file %s", self.name)
        Path(self.name).write_bytes(etree.tostring(element, pretty_print=True))

    def HandleEvent(self, event: Any = None) -> None:
        """Reload the file after a change of the file or of an include."""
        action = None if event is None else event.code2str()
        if action != "endExist" and os.path.exists(self.name):
            super().HandleEvent(None)

    def Index(self) -> None:
        """Parse the file; after an error keep the last good version."""
        document = load_document(Path(self.name))
        self.extras = [str(path) for path in document.includes]
        self.watch(document.watch)
        self.take_over(document.root)

    def watch(self, paths: Any) -> None:
        """Watch included files."""
        for path in map(str, paths):
            if path not in self.extra_monitors:
                self.extra_monitors.append(path)
                self.fam.AddMonitor(path, self)

    def take_over(self, root: Any) -> None:
        """Use a new root."""
        self.xdata = root
        self.entries = list(root.iterchildren())
        if self.__identifier__ is not None:
            self.label = root.get(self.__identifier__)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.entries)


class XMLDirectoryBacked(DirectoryBacked):
    """A directory of XML files."""

    patterns: ClassVar[Any] = re.compile(r"^.*\.xml$")
    __child__: ClassVar[Any] = XMLFileBacked
