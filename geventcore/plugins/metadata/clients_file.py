"""``clients.xml``: the client list in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lxml import etree

from geventcore.errors import MetadataConsistencyError
from geventcore.filemonitor import NOTHING, Effect, FileEvent
from geventcore.plugin.client_names import ClientNames
from geventcore.plugin.context import PluginContext
from geventcore.plugins.metadata.clients import Client, ClientTable
from geventcore.plugins.metadata.files import MetadataFile
from geventcore.plugins.metadata.registration import CLIENT_NAMES
from geventcore.plugins.metadata.writer import Edit
from geventcore.specfiles.xmlfile import XINCLUDE


def check_client_name(name: str, context: PluginContext) -> None:
    """Raise `MetadataConsistencyError` if the name of a client is invalid."""
    wider = context.settings[CLIENT_NAMES]
    problem = ClientNames(wider).problem(name.lower())
    if problem:
        raise MetadataConsistencyError(problem)


class ClientsFile(MetadataFile[ClientTable]):
    """The client list in a file."""

    file_name = "clients.xml"
    root_tag = "Clients"

    def effect_of(self, event: FileEvent) -> Effect:
        """See `TellsEffect`: the list of clients is a part of metadata."""
        return NOTHING

    def add(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Add a client unless it is listed; return true if it was added.

        Raises `MetadataConsistencyError` if the name is invalid.
        """
        check_client_name(name, self._context)
        is_new = not self.edit(Edit("add", "Client", name, attributes)).existed
        if is_new:
            self._forget(name.lower())
        return is_new

    def update(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a client; remove those whose value is None."""
        known_as = self.table.names_of(name)
        self.edit(Edit("update", "Client", name, attributes))
        self._forget(*known_as)

    def remove(self, name: str) -> None:
        """Remove a client from the list."""
        known_as = self.table.names_of(name)
        self.edit(Edit("remove", "Client", name, {}))
        self._forget(*known_as)

    def _forget(self, *names: str) -> None:
        for name in names:
            self._context.expire_metadata(name)

    def _parse(self, root: etree._Element) -> ClientTable:
        wider = self._context.settings[CLIENT_NAMES]
        return ClientTable.of_root(root, str(self.path), self._context.breathe, ClientNames(wider))

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
