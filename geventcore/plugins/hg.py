"""Hg: the repository's revision by Mercurial (docs: reference/plugins/version-control)."""

from __future__ import annotations

from geventcore.plugin.version_control import VersionControl


class Hg(VersionControl):
    """Asks Mercurial."""

    markers = (".hg",)

    def get_revision(self) -> str:
        """The number of the newest revision."""
        return self.first_line("hg", "log", "--rev", "tip", "--template", "{rev}\n")
