"""GroupLogic: groups that follow from other groups, with templates (docs: reference/plugins/grouplogic).

In ``groups.xml`` a ``Group`` with children is a condition, one without is a result. A result with a ``category``
declares the group. It is asked after other connectors, so that it sees the groups that they give.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector
from geventcore.specfiles.conditions import is_conditional
from geventcore.specfiles.durable import create_if_missing
from geventcore.specfiles.structfile import GENSHI_NAMESPACE, StructFile, xml_match_in_place
from geventcore.specfiles.xmlfile import XMLDocument


def _is_condition(element: etree._Element) -> bool:
    return is_conditional(element) and (element.tag != "Group" or len(element) > 0)


class GroupLogic(Plugin, Connector):
    """Gives clients groups that their groups lead to."""

    sort_order = 1000

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        path = self.directory / "groups.xml"
        create_if_missing(path, f'<GroupLogic xmlns:py="{GENSHI_NAMESPACE}"/>\n'.encode())
        self._file = StructFile(path, context, self._loaded)
        self._computing = threading.local()

    def _loaded(self, document: XMLDocument) -> None:
        self.context.expire_metadata()

    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        """See `Connector`. A template may ask for other clients' metadata, even for this one's: that has none of these
        groups."""
        computing: set[str] = self._computing.__dict__.setdefault("hosts", set())
        if metadata.hostname in computing:
            return []
        computing.add(metadata.hostname)
        try:
            return self._groups(metadata)
        finally:
            computing.discard(metadata.hostname)

    def _groups(self, metadata: ClientMetadata) -> list[str | MetadataGroup]:
        # The groups may change until the metadata are complete, so what is rendered here is good only here.
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
