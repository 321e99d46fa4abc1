"""Version-control plugins that only read the repository's revision (docs: reference/plugins/version-control).

Each is a class with the command that it runs. Git, which can also update the working copy, has a module of its own.
"""

from __future__ import annotations

from typing import ClassVar

from geventcore.errors import PluginExecutionError
from geventcore.plugin.version_control import VersionControl


class _Command(VersionControl):
    """A plugin that runs one command.

    Class attributes:
        command: the program and its arguments.
    """

    command: ClassVar[tuple[str, ...]]

    def get_revision(self) -> str:
        """Return the revision that the command prints; `PluginExecutionError` if it prints none."""
        return self.revision_in(self.first_line(*self.command))

    def revision_in(self, line: str) -> str:
        """Return the revision in the first line that the command prints."""
        return line


class Svn(_Command):
    """A plugin that gets the revision number from Subversion."""

    markers = (".svn",)
    command = ("svn", "info", "--non-interactive", "--show-item", "revision")


class Hg(_Command):
    """A plugin that gets the number of the newest revision from Mercurial."""

    markers = (".hg",)
    command = ("hg", "log", "--rev", "tip", "--template", "{rev}\n")


class Bzr(_Command):
    """A plugin that gets the revision number from Bazaar or Breezy, with ``+`` if the working copy has changes."""

    markers = (".bzr",)
    command = ("bzr", "version-info", "--check-clean", "--custom", "--template={revno} {clean}\n")

    def revision_in(self, line: str) -> str:
        """Return the number, with ``+`` if the working copy has changes."""
        number, _, clean = line.partition(" ")
        return number if clean.strip() in ("1", "True", "yes") else f"{number}+"


class Cvs(_Command):
    """A plugin that gets the first line of the log from CVS, which has no revision of a whole working copy."""

    markers = ("CVSROOT",)
    command = ("cvs", "log")


class Darcs(_Command):
    """A plugin that gets the first line about the newest patch from Darcs."""

    markers = ("_darcs",)
    command = ("darcs", "changes", "--last", "1")


class Fossil(VersionControl):
    """A plugin that gets the identifier of the checkout from Fossil."""

    #: The name depends on the system and on the version of Fossil.
    markers = ("_FOSSIL_", ".fslckout")

    def get_revision(self) -> str:
        """Return the identifier; `PluginExecutionError` if Fossil prints none."""
        for line in self.run("fossil", "info").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "checkout" and value.strip():
                return value.split()[0]
        raise PluginExecutionError("the output of fossil info has no checkout")
