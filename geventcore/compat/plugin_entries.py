"""``Bcfg2.Server.Plugin.helpers``: entries from files for all clients, groups or hosts."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, ClassVar

from geventcore.compat.plugin_base import Debuggable, Plugin
from geventcore.compat.plugin_files import construct
from geventcore.compat.plugin_functions import bind_info, default_path_metadata
from geventcore.compat.plugin_interfaces import Generator
from geventcore.compat.plugin_structfiles import InfoFile
from geventcore.compat.specificities import Specificity
from geventcore.errors import PluginExecutionError, SpecificityError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.specificity import SUFFIX
from geventcore.regular_files import read_file
from geventcore.specfiles import legacy_info

__all__ = ["EntrySet", "GroupSpool", "SpecificData", "Specificity"]

_METADATA_FILES = frozenset({"info.xml", *legacy_info.NAMES})


class SpecificData(Debuggable):
    """One file of an `EntrySet`.

    Attributes:
        name: its path.
        specific: the clients that it is for.
        data: its text; bytes if they are not text in the repository's encoding.
    """

    def __init__(self, name: str, specific: Specificity, encoding: str | None = None) -> None:
        Debuggable.__init__(self)
        self.name = name
        self.specific = specific
        self.encoding = encoding or "utf-8"
        self.data: Any = None

    def handle_event(self, event: Any) -> None:
        """Read the file."""
        if event.code2str() == "deleted":
            return
        raw = read_file(self.name)
        try:
            self.data = raw.decode(self.encoding)
        except UnicodeDecodeError:
            self.data = raw

    def bind_entry(self, entry: Any, metadata: ClientMetadata) -> Any:
        """Bind an entry; a site's class overrides this."""
        raise NotImplementedError(f"{type(self).__name__} does not have the method bind_entry")


class EntrySet(Debuggable):
    """The files that an entry can be made from.

    Class attributes:
        basename_is_regex: true if the base name is a regular expression.
        ignore: files whose names match this are no part of it.

    Attributes:
        entries: name of a file -> its object.
        metadata: the attributes that the entry gets before those of ``info.xml``.
        infoxml: the ``info.xml``, or None.
    """

    basename_is_regex = False
    ignore: ClassVar[Any] = re.compile(r"^(\.#.*|.*~|\..*\.(tmp|sw[px])|.*\.(bak|orig)|info\.xml|:?info)$")

    def __init__(self, basename: str, path: str, entry_type: Any, encoding: str | None = None) -> None:
        """Create the set; `entry_type` is the class of the files' objects, like `SpecificData`."""
        Debuggable.__init__(self, name=basename)
        self.path = path
        self.entry_type = entry_type
        self.encoding = encoding or "utf-8"
        self.entries: dict[str, Any] = {}
        self.metadata = default_path_metadata()
        self.infoxml: InfoFile | None = None
        pattern = basename if self.basename_is_regex else re.escape(basename)
        self.specific = re.compile(rf"(?:.*/)?(?P<basename>{pattern}){SUFFIX}\Z")

    def get_matching(self, metadata: ClientMetadata) -> list[Any]:
        """Return the objects for a client."""
        return [entry for entry in self.entries.values() if entry.specific.matches(metadata)]

    def best_matching(self, metadata: ClientMetadata, matching: list[Any] | None = None) -> Any:
        """Return the most specific object; `PluginExecutionError` if there is none."""
        found = self.get_matching(metadata) if matching is None else matching
        if not found:
            raise PluginExecutionError(f"{self.path}: no file is for {metadata.hostname}")
        return min(found, key=lambda entry: (entry.specific, str(entry.name)))

    def handle_event(self, event: Any) -> None:
        """Add, update or remove the object of an event's file."""
        action = event.code2str()
        if event.filename in _METADATA_FILES:
            self.reset_metadata(event) if action == "deleted" else self.update_metadata(event)
        elif action == "deleted":
            self.entries.pop(event.filename, None)
        elif action != "endExist":
            if event.filename not in self.entries:
                self.entry_init(event)
            elif event.filename in self.entries:
                self.entries[event.filename].handle_event(event)

    def entry_init(self, event: Any, entry_type: Any = None, specific: Any = None) -> None:
        """Create the object of a file, if its name is valid."""
        if self.ignore.match(event.filename):
            return
        path = os.path.join(self.path, event.filename)
        try:
            found = self.specificity_from_filename(event.filename, specific=specific)
        except SpecificityError:
            self.logger.error("%s: ignoring this file, its name is not valid in this directory", path)
            return
        entry = construct(entry_type or self.entry_type, path, found, optional=self.encoding)
        self.entries[event.filename] = entry
        entry.handle_event(event)

    def specificity_from_filename(self, fname: str, specific: Any = None) -> Specificity:
        """Return the specificity in a file's name; `SpecificityError` if the name is invalid."""
        match = (specific or self.specific).match(fname)
        if match is None:
            raise SpecificityError(f"{fname} does not fit {(specific or self.specific).pattern}")
        parts = match.groupdict()
        if parts.get("hostname"):
            return Specificity(hostname=parts["hostname"])
        if parts.get("group"):
            return Specificity(group=parts["group"], prio=int(parts.get("priority") or parts.get("prio") or 0))
        return Specificity(all=True)

    def update_metadata(self, event: Any) -> None:
        """Load ``info.xml``, ``:info`` or ``info``, which exists or has changed."""
        if event.filename != "info.xml":
            self.metadata = {
                **default_path_metadata(),
                **dict(legacy_info.parse_info(Path(self.path, event.filename))),
            }
            return
        if self.infoxml is None:
            self.infoxml = InfoFile(os.path.join(self.path, "info.xml"))
        self.infoxml.HandleEvent(event)

    def reset_metadata(self, event: Any) -> None:
        """Drop ``info.xml``, ``:info`` or ``info``, which was deleted."""
        if event.filename == "info.xml":
            self.infoxml = None
        else:
            self.metadata = default_path_metadata()

    def bind_info_to_entry(self, entry: Any, metadata: ClientMetadata) -> None:
        """Set the attributes of an entry."""
        bind_info(entry, metadata, infoxml=self.infoxml, default=self.metadata)

    def bind_entry(self, entry: Any, metadata: ClientMetadata) -> Any:
        """Bind an entry with the most specific file."""
        self.bind_info_to_entry(entry, metadata)
        return self.best_matching(metadata).bind_entry(entry, metadata)

    def __str__(self) -> str:
        return f"{type(self).__name__} of {self.path}"


class GroupSpool(Plugin, Generator):
    """A directory of directories, with an `EntrySet` for each of those that has files.

    Class attributes:
        filename_pattern: the base name of the files.
        es_cls, es_child_cls: the classes of the sets and of their files.
        entry_type: the tag of the entries.
    """

    filename_pattern = ""
    es_child_cls: ClassVar[Any] = SpecificData
    es_cls: ClassVar[Any] = EntrySet
    entry_type = "Path"

    def __init__(self, core: Any, datastore: str | None = None) -> None:
        Plugin.__init__(self, core, datastore)
        self.fam = core.fam
        self.encoding = core.encoding
        self.entries: dict[str, Any] = {}
        self.handles: dict[Any, str] = {}
        self.Entries[self.entry_type] = {}
        self.AddDirectoryMonitor("")

    def AddDirectoryMonitor(self, relative: str) -> None:
        """Watch a directory."""
        relative = relative.strip("/")
        if relative not in self.handles.values():
            path = os.path.join(self.data, relative).rstrip("/")
            self.handles[self.fam.AddMonitor(path, self)] = relative

    def event_path(self, event: Any) -> str:
        """Return the path of an event."""
        return os.path.join(self.data, self.handles[event.requestID], event.filename)

    def event_id(self, event: Any) -> str:
        """Return the name of the entry of an event."""
        return f"/{self.handles[event.requestID]}"

    def add_entry(self, event: Any) -> None:
        """Create the set of an entry, if it does not exist."""
        ident = self.event_id(event)
        if ident not in self.entries:
            path = os.path.dirname(self.event_path(event))
            arguments = (self.filename_pattern, path, self.es_child_cls)
            self.entries[ident] = construct(self.es_cls, *arguments, optional=self.encoding)
            self.Entries[self.entry_type][ident] = self.entries[ident].bind_entry

    def HandleEvent(self, event: Any) -> None:
        """Forward an event to its set."""
        action = event.code2str()
        if event.requestID not in self.handles or action == "endExist":
            return
        if os.path.isabs(event.filename):
            if action == "deleted":
                self._drop(self.event_id(event))
            return
        if os.path.isdir(self.event_path(event)):
            self.AddDirectoryMonitor(os.path.join(self.handles[event.requestID], event.filename))
        elif self.handles[event.requestID]:
            if action != "deleted":
                self.add_entry(event)
            ident = self.event_id(event)
            if ident in self.entries:
                self.entries[ident].handle_event(event)

    def _drop(self, ident: str) -> None:
        for name in [name for name in self.entries if name == ident or name.startswith(f"{ident}/")]:
            del self.entries[name]
            self.Entries[self.entry_type].pop(name, None)
