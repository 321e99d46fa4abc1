"""ServiceCompat: services as clients older than 1.3.0 read them (docs: reference/plugins/servicecompat)."""

from __future__ import annotations

from typing import ClassVar

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import GoalValidator
from geventcore.plugins.posix_compat import is_old_client

#: ``(restart, install)`` -> ``mode``; what is not here is ``manual``, which leaves the service alone.
MODES = {
    ("true", "true"): "default",
    ("interactive", "true"): "interactive_only",
    ("false", "false"): "manual",
}


class ServiceCompat(Plugin, GoalValidator):
    """Gives services the attribute ``mode``, made from ``restart`` and ``install``."""

    creates_directory: ClassVar[bool] = False

    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        """See `GoalValidator`."""
        return is_old_client(metadata)

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """See `GoalValidator`."""
        if not is_old_client(metadata):
            return
        for entry in config.iterfind("*/Service"):
            wanted = (entry.get("restart", "true").lower(), entry.get("install", "true").lower())
            if wanted not in MODES:
                self.log.info(
                    "%s: Service:%s: restart=%s with install=%s cannot be said to this old client; it gets mode=manual",
                    metadata.hostname,
                    entry.get("name"),
                    *wanted,
                )
            entry.set("mode", MODES.get(wanted, "manual"))
