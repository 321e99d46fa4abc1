"""Which directories, and which names in them, lead to what a path stands for.

The kernel tells of changes in one directory at a time. To notice that a path leads elsewhere, because a directory above
it was renamed or a symbolic link on the way was switched, every step of the way has to be known.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

#: As many symbolic links as the kernel follows before it takes them for a loop.
_MAX_LINKS = 40


def look_up(start: str, path: str, visit: Callable[[str, str], None]) -> str | None:
    """Walk along a path, following symbolic links; returns the path without any, or None if it leads nowhere.

    `start` is the directory that a relative path begins at, itself free of links. Before a name is looked up,
    ``visit(directory, name)`` is called, so that whoever begins to watch the directory there misses nothing.
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
    """The names in a path, last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]
