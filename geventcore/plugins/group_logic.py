"""GroupLogic: groups that depend on other groups, with templates (docs: reference/plugins/grouplogic).

In ``groups.xml``, a ``Group`` with children is a condition, and one without children is a result. A result with a
``category`` declares the group. The plugin is called after the other connectors, so it sees the groups that they add.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, GroupReason
from geventcore.plugin.interfaces import Connector
from geventcore.repository.durable_writes import create_if_missing
from geventcore.specfiles.conditions import is_conditional
from geventcore.specfiles.places import StructPlaces, matched_nodes
from geventcore.specfiles.structfile import GENSHI_NAMESPACE, StructFile, xml_match_in_place
from geventcore.specfiles.xmlfile import XMLDocument


def _is_condition(element: etree._Element) -> bool:
    return is_conditional(element) and (element.tag != "Group" or len(element) > 0)


class GroupLogic(Plugin, Connector, Explaining):
    """A plugin that adds groups depending on a client's groups."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0
    sort_order = 1000

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        path = self.directory / "groups.xml"
        default = f'<GroupLogic xmlns:py="{GENSHI_NAMESPACE}"/>\n'.encode()
        create_if_missing(path, default, context.read_only)
        self._file = StructFile(path, context, self._loaded, default=default)
        self._computing = threading.local()

    def _loaded(self, document: XMLDocument) -> None:
        self.context.expire_metadata()

    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        """See `Connector`.

        A template may query the metadata of clients, even of this one. This client's metadata then lack these groups.
        """
        computing: set[str] = self._computing.__dict__.setdefault("hosts", set())
        if metadata.hostname in computing:
            return []
        computing.add(metadata.hostname)
        try:
            return self._groups(metadata)
        finally:
            computing.discard(metadata.hostname)

    def _groups(self, metadata: ClientMetadata) -> list[str | MetadataGroup]:
        # The groups may change until the metadata are complete, so this rendering must not be cached.
        struct = self._file.struct(metadata.copy())
        root = etree.fromstring(etree.tostring(struct.root))
        xml_match_in_place(root, metadata, _is_condition)
        found: list[str | MetadataGroup] = []
        for element in root.iterchildren("Group"):
            name = element.get("name")
            if name:
                category = element.get("category")
                found.append(MetadataGroup(name, category=category) if category else name)
        return found

    def explain_groups(self, metadata: ClientMetadata) -> Mapping[str, Sequence[GroupReason]]:
        """See `Explaining`: the elements whose conditions hold."""
        places = StructPlaces(self._file, metadata.copy(), self.name)
        found: dict[str, list[GroupReason]] = {}
        for node in matched_nodes(places.root, metadata, _is_condition):
            name = node.element.get("name")
            if node.element.tag == "Group" and name:
                source = places.source(node, "element", "rule")
                needs = [each.name for each in source.conditions if each.tag == "Group" and not each.negated]
                found.setdefault(name, []).append(GroupReason(source, tuple(needs)))
        return found
