"""``groups.xml``: the declarations of groups in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lxml import etree

from geventcore.errors import MetadataConsistencyError
from geventcore.plugins.metadata.files import MetadataFile
from geventcore.plugins.metadata.groups import GroupTable
from geventcore.plugins.metadata.writer import Edit


class GroupsFile(MetadataFile[GroupTable]):
    """The groups of the file, and those that connectors declare."""

    file_name = "groups.xml"
    root_tag = "Groups"

    def add(self, tag: str, name: str, attributes: Mapping[str, str]) -> None:
        """Add a ``Group`` or ``Bundle`` unless one with that name exists."""
        if not name:
            raise MetadataConsistencyError(f"a {tag} needs a name")
        self.edit(Edit("add", tag, name, attributes))

    def update(self, tag: str, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a group's or bundle's declaration; remove those whose value is None."""
        self.edit(Edit("update", tag, name, attributes))

    def remove(self, tag: str, name: str) -> None:
        """Remove the declaration of a group or bundle."""
        self.edit(Edit("remove", tag, name, {}))

    def _parse(self, root: etree._Element) -> GroupTable:
        return GroupTable.of_root(root, str(self.path))

    def _carry_over(self, new: GroupTable, old: GroupTable) -> GroupTable:
        return replace(new, dynamic=old.dynamic)
