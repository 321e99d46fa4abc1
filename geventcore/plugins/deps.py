"""Deps: entries that other entries need (docs: reference/plugins/deps).

In files like those of Rules, an element names an entry and its children name the prerequisites. Prerequisites that the
client's structures lack are added in a structure ``Independent`` with the name ``Deps``, transitively, each once.
"""

from __future__ import annotations

from collections.abc import Hashable, MutableSequence

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Source
from geventcore.plugin.interfaces import DeclaredDependencies, StructureValidator
from geventcore.specfiles.places import line_of
from geventcore.specfiles.priority_files import PriorityFiles

_BOUND = "Bound"


class Deps(Plugin, StructureValidator, DeclaredDependencies, Explaining):
    """A plugin that adds the prerequisites of entries."""

    sort_order = 750

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._dependencies = PriorityFiles(self.directory, context, nested=False)

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

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
        """Return ``(tag, name)`` of an entry's prerequisites; none if files of one priority conflict."""
        try:
            candidate = self._dependencies.best(etree.Element(tag, name=name), metadata)
        except PluginExecutionError as err:
            self.log.error("%s: cannot determine the prerequisites of %s:%s: %s", metadata.hostname, tag, name, err)
            return []
        if candidate is None:
            return []
        content = candidate.content(metadata)
        return [
            (child.tag, child.get("name", "")) for child in content.iterchildren(tag=etree.Element) if child.get("name")
        ]

    def explain_addition(
        self, entry: etree._Element, metadata: ClientMetadata, structures: MutableSequence[etree._Element]
    ) -> Source | None:
        """See `Explaining`: the entry that needs this one."""
        wanted = (str(entry.tag), entry.get("name", ""))
        present = [
            (entry.tag.removeprefix(_BOUND), entry.get("name", ""))
            for structure in structures
            for entry in structure.iterchildren(tag=etree.Element)
        ]
        seen = set(present)
        # The shortest chain comes first.
        for tag, name in (pending := list(present)):
            for needed in self._prerequisites(tag, name, metadata):
                if needed == wanted:
                    candidate = self._dependencies.best(etree.Element(tag, name=name), metadata)
                    assert candidate is not None
                    children = candidate.content(metadata).iterchildren(wanted[0])
                    child = next((each for each in children if each.get("name") == wanted[1]), candidate.element)
                    line = line_of(child) if candidate.is_lasting else None
                    return Source(self.name, "attribute", str(candidate.path), line, f"needed by {tag}:{name}")
                if needed not in seen:
                    seen.add(needed)
                    pending.append(needed)
        return None
