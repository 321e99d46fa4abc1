"""POSIXCompat and ServiceCompat: entries for clients older than 1.3.0.

See docs: reference/plugins/posixcompat and reference/plugins/servicecompat.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.explanation import Explaining, Source, Sources
from geventcore.plugin.interfaces import GoalValidator

#: ``(restart, install)`` -> ``mode``. Any other combination is ``manual``: the client leaves the service alone.
MODES = {
    ("true", "true"): "default",
    ("interactive", "true"): "interactive_only",
    ("false", "false"): "manual",
}


def is_old_client(metadata: ClientMetadata) -> bool:
    """Return true if a client is older than 1.3.0, or of unknown version. Pre-releases of 1.3.0 are new."""
    version = metadata.version_info
    return version is None or version.as_tuple()[:3] < (1, 3, 0)


class _ForOldClients(Plugin, GoalValidator, Explaining):
    """A plugin that changes only the configurations of old clients."""

    creates_directory: ClassVar[bool] = False
    #: The attribute that the plugin sets, and what it makes it from.
    translation: ClassVar[tuple[str, str]]

    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        """See `GoalValidator`."""
        return is_old_client(metadata)

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """See `GoalValidator`."""
        if is_old_client(metadata):
            self.translate(metadata, config)

    def explain_goal(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the attribute for old clients."""
        attribute, text = self.translation
        version = metadata.version or "unknown"
        return Sources({attribute: Source(self.name, "plugin", text=f"{text}; the client has version {version}")})

    @abstractmethod
    def translate(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Change entries to the form that an old client reads."""


class POSIXCompat(_ForOldClients):
    """A plugin that adds the attribute ``perms`` to paths with ``mode``."""

    translation = ("perms", "a copy of mode")

    def translate(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Copy ``mode`` to ``perms``."""
        for entry in config.iterfind("*/Path[@mode]"):
            entry.set("perms", entry.get("mode", ""))


class ServiceCompat(_ForOldClients):
    """A plugin that adds the attribute ``mode`` to services, derived from ``restart`` and ``install``."""

    translation = ("mode", "derived from restart and install")

    def translate(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Set ``mode``; log combinations without a matching mode."""
        for entry in config.iterfind("*/Service"):
            wanted = (entry.get("restart", "true").lower(), entry.get("install", "true").lower())
            if wanted not in MODES:
                self.log.info(
                    "%s: Service:%s: this old client does not support restart=%s with install=%s; using mode=manual",
                    metadata.hostname,
                    entry.get("name"),
                    *wanted,
                )
            entry.set("mode", MODES.get(wanted, "manual"))
