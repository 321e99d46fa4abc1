"""Files that templates include, kept as they were when changes of the repository were last applied.

A template engine reads an included file when a client's configuration is rendered. In the middle of a checkout that
would give the new include to an old template. So an include is read once, and again when changes are applied.

The includes that a template names are read when the template is: the first client may ask in the middle of a checkout.

An include may lie where no plugin watches files, so that its change is never applied. Then the new content is used as
soon as it has been there for a moment and no change of the repository waits.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from geventcore.regular_files import read_file

#: How long a changed include waits for a file event, in seconds.
UNWATCHED_SECONDS = 1.0

#: The names of includes in templates of Genshi (text and XML), Jinja2 and Cheetah. Expressions are not looked into.
_INCLUDE = re.compile(
    rb"""\{%[-+]?\s*(?:include|extends|import|from)\s+['"]?([^'"\s%$]+)"""
    rb"""|<xi:include\s[^>]*?href=["']([^"'$]+)["']|\#include\s+(?:raw\s+)?["']([^"'$]+)["']"""
)

#: What tells two contents of a path apart: time of the last change in nanoseconds, size in bytes, inode.
_Signature = tuple[int, int, int]


class WatchedDirectory(Protocol):
    """A directory whose changes are applied together.

    Attributes:
        path: the directory.
    """

    path: Path

    def has_file_events(self) -> bool:
        """Return true if changes have been noticed and not applied."""


@dataclass
class IncludedFile:
    """An include as it is used.

    Attributes:
        data: the content.
        signature: what the file had when it was read.
        differs_since: when another content was noticed, on the monotonic clock; None if there is none.
    """

    data: bytes
    signature: _Signature
    differs_since: float | None = None


class IncludedFiles:
    """The includes of this process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, IncludedFile] = {}
        self._directories: WeakSet[WatchedDirectory] = WeakSet()

    def follow(self, directory: WatchedDirectory) -> None:
        """Keep the includes below a directory until its changes are applied, for as long as the object lives."""
        self._directories.add(directory)

    def read(self, path: str) -> IncludedFile:
        """Return an include; `OSError` if there is none."""
        kept = self._files.get(path)
        if kept is not None and self._is_in_use(path, kept):
            return kept
        return self._read_again(path)

    def read_named_in(self, path: Path, source: bytes) -> None:
        """Read the files that a template includes, and those that they include; what cannot be read is left out."""
        to_look_at = [(os.path.dirname(path), source)]
        seen: set[str] = set()
        while to_look_at:
            directory, text = to_look_at.pop()
            for match in _INCLUDE.finditer(text):
                name = os.path.normpath(os.path.join(directory, os.fsdecode(match[match.lastindex or 1])))
                if name not in seen:
                    seen.add(name)
                    with contextlib.suppress(OSError):
                        to_look_at.append((os.path.dirname(name), self.read(name).data))

    def is_current(self, path: str, version: IncludedFile) -> bool:
        """Return true if what `read` has returned is still in use."""
        return self._files.get(path) is version and self._is_in_use(path, version)

    def refresh(self, directory: Path) -> None:
        """Read the changed includes below a directory again; its changes are being applied."""
        for path, kept in list(self._files.items()):
            if _is_below(path, directory) and _signature(path) != kept.signature:
                try:
                    self._read_again(path)
                except OSError:
                    # The next render that includes it says why it cannot be read.
                    self._files.pop(path, None)

    def _is_in_use(self, path: str, kept: IncludedFile) -> bool:
        if _signature(path) == kept.signature:
            kept.differs_since = None
            return True
        followed = [directory for directory in list(self._directories) if _is_below(path, directory.path)]
        if not followed:
            return False
        now = time.monotonic()
        if kept.differs_since is None:
            kept.differs_since = now
        return now - kept.differs_since < UNWATCHED_SECONDS or any(each.has_file_events() for each in followed)

    def _read_again(self, path: str) -> IncludedFile:
        with self._lock:
            # A change while it is read is noticed the next time.
            signature = _signature(path)
            data = read_file(path)
            kept = self._files[path] = IncludedFile(data, signature or (0, 0, 0))
        return kept


def _signature(path: str) -> _Signature | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_below(path: str, directory: Path) -> bool:
    return path.startswith(f"{directory}{os.sep}")


#: The includes of this process.
INCLUDED_FILES = IncludedFiles()
