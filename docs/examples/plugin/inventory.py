"""Inventory: groups and data of each host in the site's inventory.

``Inventory/hosts.json`` maps host names to objects such as ``{"rack": "a1", "groups": ["ssd"]}``. The host is in these
groups, and templates read the object as ``metadata.Inventory``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from geventcore.errors import RepositoryError
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector

DEFAULT_RACK = Option(
    "inventory",
    "default_rack",
    types.STRING,
    "unknown",
    "The rack of hosts without a rack in the inventory.",
)


class Inventory(Plugin, Connector):
    """A plugin that adds groups and data from the inventory."""

    options = (DEFAULT_RACK,)
    remote_methods = (*Plugin.remote_methods, "list_racks")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._hosts: Mapping[str, Mapping[str, Any]] = {}
        self._file = self.directory / "hosts.json"
        context.file_monitor.add_monitor(str(self._file), self)

    def handle_event(self, event: FileEvent) -> None:
        """Load the file; after an error, which is logged, the last good version stays in use."""
        if event.action is FileAction.DELETED:
            return
        try:
            hosts = json.loads(self._file.read_text(encoding=self.context.encoding))
        except (OSError, ValueError) as err:
            raise RepositoryError(f"{self._file}: not usable: {err}") from err
        if not isinstance(hosts, dict) or not all(isinstance(host, dict) for host in hosts.values()):
            raise RepositoryError(f"{self._file}: expected an object of objects")
        self._hosts = hosts
        self.context.expire_metadata()

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        """See `Connector`."""
        return [str(group) for group in self._hosts.get(metadata.hostname, {}).get("groups", ())]

    def get_additional_data(self, metadata: ClientMetadata) -> dict[str, Any]:
        """See `Connector`."""
        return {"rack": self.context.settings[DEFAULT_RACK], **self._hosts.get(metadata.hostname, {})}

    def list_racks(self) -> list[str]:
        """Return the names of all racks; clients call it as ``Inventory.list_racks``."""
        return sorted({str(host["rack"]) for host in self._hosts.values() if "rack" in host})
