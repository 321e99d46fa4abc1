"""POSIXCompat: entries as clients older than 1.3.0 read them (docs: reference/plugins/posixcompat)."""

from __future__ import annotations

from typing import ClassVar

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import GoalValidator


def is_old_client(metadata: ClientMetadata) -> bool:
    """Whether a client is older than 1.3.0, or of unknown version. Pre-releases of 1.3.0 are new."""
    version = metadata.version_info
    return version is None or version.as_tuple()[:3] < (1, 3, 0)


class POSIXCompat(Plugin, GoalValidator):
    """Gives paths the attribute ``perms`` besides ``mode``."""

    creates_directory: ClassVar[bool] = False

    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        """See `GoalValidator`."""
        return is_old_client(metadata)

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """See `GoalValidator`."""
        if is_old_client(metadata):
            for entry in config.iterfind("*/Path[@mode]"):
                entry.set("perms", entry.get("mode", ""))
