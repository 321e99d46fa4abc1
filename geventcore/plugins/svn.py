"""Svn: the repository's revision by Subversion (docs: reference/plugins/version-control)."""

from __future__ import annotations

from geventcore.plugin.version_control import VersionControl


class Svn(VersionControl):
    """Asks Subversion."""

    markers = (".svn",)

    def get_revision(self) -> str:
        """The number of the revision."""
        return self.first_line("svn", "info", "--non-interactive", "--show-item", "revision")
