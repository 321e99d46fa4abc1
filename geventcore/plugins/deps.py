"""Deps: entries that other entries need (docs: reference/plugins/deps).

In files like those of Rules, an element stands for an entry and its children for its prerequisites. What the client's
structures need and do not have is added as a structure ``Independent`` of the name ``Deps``, transitively and once.
"""

from __future__ import annotations

from collections.abc import MutableSequence

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import StructureValidator
from geventcore.specfiles.priority_files import PriorityFiles

_BOUND = "Bound"


class Deps(Plugin, StructureValidator):
    """Adds prerequisites."""

    sort_order = 750

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._dependencies = PriorityFiles(self.directory, context, nested=False)

    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        """See `StructureValidator`."""
        present = {
            (entry.tag.removeprefix(_BOUND), entry.get("name", ""))
            for structure in structures
            for entry in structure.iterchildren(tag=etree.Element)
        }
        pending = sorted(present)
        added = etree.Element("Independent", name=self.name)
        while pending:
            for needed in self._prerequisites(*pending.pop(), metadata):
                if needed not in present:
                    present.add(needed)
                    pending.append(needed)
                    etree.SubElement(added, needed[0], name=needed[1])
            self.context.breathe()
        structures.append(added)

    def _prerequisites(self, tag: str, name: str, metadata: ClientMetadata) -> list[tuple[str, str]]:
        """``(tag, name)`` of what an entry needs; nothing if files of one priority contradict each other."""
        try:
            candidate = self._dependencies.best(etree.Element(tag, name=name), metadata)
        except PluginExecutionError as err:
            self.log.error("%s: the prerequisites of %s:%s are not known: %s", metadata.hostname, tag, name, err)
            return []
        if candidate is None:
            return []
        content = candidate.content(metadata)
        return [
            (child.tag, child.get("name", "")) for child in content.iterchildren(tag=etree.Element) if child.get("name")
        ]
