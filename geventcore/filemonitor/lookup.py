"""Path resolution that reports every directory and name on the way.

The kernel reports changes in one directory at a time. A path can lead elsewhere after a change in any directory on the
way: a parent directory is renamed, or a symbolic link gets another target. So every step has to be watched.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

#: The number of symbolic links that the kernel follows before it reports a loop.
_MAX_LINKS = 40


def look_up(start: str, path: str, visit: Callable[[str, str], None]) -> str | None:
    """Resolve the symbolic links in a path; return the real path, or None if it leads nowhere.

    `start` is the directory that a relative path begins at, itself free of links. ``visit(directory, name)`` is called
    before each name is looked up, so that a watch that `visit` adds misses no change.
    """
    names = _split(path)
    directory = "/" if path.startswith("/") else start
    links = 0
    while names:
        name = names.pop()
        if name == "..":
            directory = os.path.dirname(directory)
            continue
        visit(directory, name)
        step = os.path.join(directory, name)
        try:
            mode = os.lstat(step).st_mode
            target = os.readlink(step) if stat.S_ISLNK(mode) else None
        except OSError:
            return None
        if target is not None:
            links += 1
            if links > _MAX_LINKS:
                return None
            if target.startswith("/"):
                directory = "/"
            names += _split(target)
        elif stat.S_ISDIR(mode):
            directory = step
        else:
            return None if names else step
    return directory


def _split(path: str) -> list[str]:
    """Return the names in a path, last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]
