"""Cvs: the repository's revision by CVS (docs: reference/plugins/version-control)."""

from __future__ import annotations

from geventcore.plugin.version_control import VersionControl


class Cvs(VersionControl):
    """Asks CVS."""

    markers = ("CVSROOT",)

    def get_revision(self) -> str:
        """The first line of the log: CVS has no revision of a whole working copy."""
        return self.first_line("cvs", "log")
