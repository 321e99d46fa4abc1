"""``Bcfg2.Server.Plugin.helpers``: a directory of XML files with priorities, from which entries are bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from lxml import etree

from geventcore.compat.plugin_base import Plugin
from geventcore.compat.plugin_files import XMLDirectoryBacked
from geventcore.compat.plugin_interfaces import Generator
from geventcore.compat.plugin_structfiles import PriorityStructFile
from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.specfiles.conditions import is_conditional
from geventcore.specfiles.priority_files import apply

__all__ = ["PrioDir"]


class PrioDir(Plugin, Generator, XMLDirectoryBacked):
    """A plugin that binds entries from the element with the same tag and name in the file with the highest priority."""

    __child__: ClassVar[Any] = PriorityStructFile
    patterns: ClassVar[Any] = re.compile(r".*\.xml$")

    def __init__(self, core: Any, datastore: str | None = None) -> None:
        Plugin.__init__(self, core, datastore)
        self._watch(self.data, core.fam)

    def HandleEvent(self, event: Any) -> None:
        """See `DirectoryBacked`; afterwards `Entries` has the unconditional elements."""
        XMLDirectoryBacked.HandleEvent(self, event)
        entries: dict[str, dict[str, Any]] = {}
        for child in self.entries.values():
            if child.xdata is None:
                continue
            for element in child.xdata.iterchildren(tag=etree.Element):
                if not is_conditional(element):
                    entries.setdefault(element.tag, {})[element.get("name")] = self.BindEntry
        self.Entries = entries

    def _matches(self, entry: Any, metadata: ClientMetadata, candidate: Any) -> bool:
        """Return true if an element with the same tag matches an entry."""
        name, other = entry.get("name"), candidate.get("name")
        return bool(name == other or (entry.tag == "Path" and name.rstrip("/") == (other or "").rstrip("/")))

    def _candidates(self, entry: Any, metadata: ClientMetadata) -> Iterator[tuple[int, Any]]:
        for _, child in sorted(self.entries.items()):
            if child.xdata is not None:
                for candidate in child.XMLMatch(metadata).iterdescendants(entry.tag):
                    if self._matches(entry, metadata, candidate):
                        yield child.priority, candidate

    def HandlesEntry(self, entry: Any, metadata: ClientMetadata) -> bool:
        return any(True for _ in self._candidates(entry, metadata))

    def HandleEntry(self, entry: Any, metadata: ClientMetadata) -> Any:
        return self.BindEntry(entry, metadata)

    def BindEntry(self, entry: Any, metadata: ClientMetadata) -> Any:
        """Copy text, children and missing attributes to the entry; return the entry."""
        apply(self._best(entry, metadata), entry, replace_name=False)
        return entry

    def get_attrs(self, entry: Any, metadata: ClientMetadata) -> dict[str, str]:
        """Return the attributes for the entry."""
        return dict(self._best(entry, metadata).items())

    def _best(self, entry: Any, metadata: ClientMetadata) -> Any:
        what = f"{entry.tag}:{entry.get('name')}"
        found = list(self._candidates(entry, metadata))
        if not found:
            raise PluginExecutionError(f"{self.name} has no entry {what} for {metadata.hostname}")
        best = max(priority for priority, _ in found)
        chosen = [candidate for priority, candidate in found if priority == best]
        if len(chosen) > 1:
            raise PluginExecutionError(
                f"{self.name} has several entries {what} with priority {best} for {metadata.hostname}"
            )
        return chosen[0]
