"""``clients.xml``: where clients are listed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lxml import etree

from geventcore.errors import MetadataConsistencyError
from geventcore.plugins.metadata.clients import Client, ClientTable
from geventcore.plugins.metadata.files import MetadataFile
from geventcore.plugins.metadata.writer import Edit
from geventcore.specfiles.xmlfile import XINCLUDE

#: Names of clients become parts of file names: nothing that has a meaning there, no blanks, no control characters.
_CLIENT_NAME = re.compile(r"(?!\.)[^\s/\\<>&\"'\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")


def check_client_name(name: str) -> None:
    """Raise `MetadataConsistencyError` for a name that no client can have."""
    if _CLIENT_NAME.fullmatch(name) is None:
        raise MetadataConsistencyError(f"{name!r} cannot be the name of a client")


class ClientsFile(MetadataFile[ClientTable]):
    """The client list in a file."""

    file_name = "clients.xml"
    root_tag = "Clients"

    def add(self, name: str, attributes: Mapping[str, str]) -> bool:
        """List a client, unless it is listed; whether it was not.

        Raises `MetadataConsistencyError` for a name that no client can have.
        """
        check_client_name(name)
        is_new = not self.edit(Edit("add", "Client", name, attributes)).existed
        if is_new:
            self._forget(name.lower())
        return is_new

    def update(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a client, or take those away that are None."""
        known_as = self.table.names_of(name)
        self.edit(Edit("update", "Client", name, attributes))
        self._forget(*known_as)

    def remove(self, name: str) -> None:
        """Take a client off the list."""
        known_as = self.table.names_of(name)
        self.edit(Edit("remove", "Client", name, {}))
        self._forget(*known_as)

    def _forget(self, *names: str) -> None:
        for name in names:
            self._context.expire_metadata(name)

    def _parse(self, root: etree._Element) -> ClientTable:
        return ClientTable.of_root(root, str(self.path), self._context.breathe)

    def _evolve(self, table: ClientTable, edits: Sequence[Edit]) -> ClientTable | None:
        changes: list[tuple[str, Client | None]] = []
        for edit in edits:
            name = edit.name.lower()
            if name in table.duplicates or "name" in edit.attributes:
                return None
            if edit.element is None:
                changes.append((name, None))
            elif edit.element.find(f".//{XINCLUDE}include") is not None:
                return None
            else:
                changes.append((name, Client.of_element(edit.element)))
        return table.with_changes(changes)
