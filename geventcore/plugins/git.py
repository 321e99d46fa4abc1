"""Git: the repository's revision, and updating it, with Git (docs: reference/plugins/version-control)."""

from __future__ import annotations

import re
from typing import ClassVar

from geventcore.errors import PluginExecutionError
from geventcore.plugin.version_control import VersionControl

#: The timeout of an update, in seconds.
UPDATE_SECONDS = 300.0
#: The names of commits that an update accepts; none of them looks like an option of Git.
_REFERENCE = re.compile(r"(?!-)[\w./@^~+-]+")


class Git(VersionControl):
    """A plugin that gets the revision from Git, and updates the working copy."""

    markers = (".git",)
    remote_methods: ClassVar[tuple[str, ...]] = (*VersionControl.remote_methods, "Update")

    def get_revision(self) -> str:
        """Return the hash of the checked-out commit."""
        return self.first_line("git", "rev-parse", "--verify", "HEAD")

    def Update(self, ref: str | None = None) -> bool:  # noqa: N802 - the name that callers use
        """Fetch, check out `ref` if it is given, and follow the branch's upstream.

        With `ref`, the checkout is forced: changes to files in the working copy are lost. Returns true;
        `PluginExecutionError` if it fails.
        """
        if ref is not None and not _REFERENCE.fullmatch(ref):
            raise PluginExecutionError(f"{ref!r} is not a valid name of a commit")
        self.run("git", "gc", "--auto", "--quiet", seconds=UPDATE_SECONDS)
        self.run("git", "fetch", "--all", "--quiet", seconds=UPDATE_SECONDS)
        if ref is not None:
            self.run("git", "checkout", "--quiet", "--force", ref, "--")
        branch = self.run("git", "branch", "--show-current").strip()
        if branch and self.run("git", "for-each-ref", "--format=%(upstream)", f"refs/heads/{branch}").strip():
            self.run("git", "pull", "--quiet", "--rebase", seconds=UPDATE_SECONDS)
        self.context.handle_file_events()
        return True
