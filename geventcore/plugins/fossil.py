"""Fossil: the repository's revision by Fossil (docs: reference/plugins/version-control)."""

from __future__ import annotations

from geventcore.errors import PluginExecutionError
from geventcore.plugin.version_control import VersionControl


class Fossil(VersionControl):
    """Asks Fossil."""

    #: The name depends on the system and on the version of Fossil.
    markers = ("_FOSSIL_", ".fslckout")

    def get_revision(self) -> str:
        """The identifier of what is checked out."""
        for line in self.run("fossil", "info").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "checkout" and value.strip():
                return value.split()[0]
        raise PluginExecutionError("fossil info does not say what is checked out")
