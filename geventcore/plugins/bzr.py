"""Bzr: the repository's revision by Bazaar or Breezy (docs: reference/plugins/version-control)."""

from __future__ import annotations

from geventcore.plugin.version_control import VersionControl


class Bzr(VersionControl):
    """Asks Bazaar."""

    markers = (".bzr",)

    def get_revision(self) -> str:
        """The number of the revision, with ``+`` if the working copy has changes."""
        template = "{revno} {clean}\n"
        answer = self.first_line("bzr", "version-info", "--check-clean", "--custom", f"--template={template}")
        number, _, clean = answer.partition(" ")
        return number if clean.strip() in ("1", "True", "yes") else f"{number}+"
