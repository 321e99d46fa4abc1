"""Svcmgr: services from files with priorities, as in Bcfg2 1.2 (docs: reference/plugins/legacy)."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Sources
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.specfiles.priority_files import PriorityFiles
from geventcore.specfiles.priority_places import PriorityPlaces


class Svcmgr(Plugin, Generator, Explaining):
    """A plugin that binds entries as Rules does, from ``Svcmgr/*.xml``."""

    deprecated = True

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._files = PriorityFiles(self.directory, context)

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # computed when files change
        """See `Generator`: the unconditional services."""
        return {tag: dict.fromkeys(names, self.bind_entry) for tag, names in self._files.names.items()}

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true if a service for the entry applies to the client."""
        return bool(self._files.candidates(entry, metadata))

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Complete the entry from the file with the highest priority."""
        self._files.complete(entry, metadata, replace_name=False)

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the services for the entry."""
        return PriorityPlaces(self._files, metadata, self.name).sources(entry)
