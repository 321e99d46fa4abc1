"""Server: what the server itself says when it loads the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind, Place

#: The kind of findings that is left out if a check of the file says more.
SERVER_KIND = "file-not-usable"
_SECRET = re.compile(r"decrypt|passphrase")
_LINE = re.compile(r"\bline (\d+)\b")


class Server(Check):
    """The plugins and the files that the server does not use."""

    name = "Server"
    is_own = True
    needs_core = True
    kinds = (
        Kind(
            "server-does-not-start",
            "error",
            "The server does not start with this configuration.",
            "Mend the setting; geventcore config check says more.",
        ),
        Kind(
            SERVER_KIND,
            "error",
            "The server cannot use a file, or keeps an old version of it.",
            "Mend the file.",
        ),
        Kind(
            "directory-not-readable",
            "error",
            "A directory of a plugin cannot be read, so its files are neither used nor checked.",
            "Mend the rights of the directory, or run the check as the user of the server.",
        ),
        Kind(
            "secret-not-decryptable",
            "note",
            "The passphrases of this machine do not decrypt a secret.",
            "Add the passphrase to [encryption], or run the check on the server.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        if self.site.core is None:
            yield self.found("server-does-not-start", self.site.core_problem)
            return
        yield from self._unreadable_directories()
        for file in self.site.core.repository.file_monitor.broken_files():
            path = Path(file.path)
            if self.site.concerns(path):
                reason = " ".join(file.reason.removeprefix(file.path).lstrip(": ").split())
                match = _LINE.search(reason)
                line = int(match[1]) if match else 0
                # Machines that only check repositories need not know the secrets.
                name = "secret-not-decryptable" if _SECRET.search(reason) else SERVER_KIND
                yield self.found(name, f"the server cannot use it: {reason}", Place(path, line, min(line, 1)))

    def _unreadable_directories(self) -> Iterator[Finding]:
        if not self.site.files or self.site.listed is not None:
            return
        for path, reason in sorted(self.site.unreadable_directories.items()):
            words = path.relative_to(self.site.repository).parts
            # The server's cache may be for its user only.
            if words and words[0] in self.site.plugins and words[1:2] != ("cache",):
                yield self.found("directory-not-readable", f"the directory cannot be read: {reason}", path)
