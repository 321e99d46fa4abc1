"""Darcs: the repository's revision by Darcs (docs: reference/plugins/version-control)."""

from __future__ import annotations

from geventcore.plugin.version_control import VersionControl


class Darcs(VersionControl):
    """Asks Darcs."""

    markers = ("_darcs",)

    def get_revision(self) -> str:
        """The first line about the newest patch."""
        return self.first_line("darcs", "changes", "--last", "1")
