"""Opening files and directories that another user may have tampered with.

A daemon starts as root and opens its log, pid file and sockets in directories that belong to the user it will run as.
That user could have put links there, to have root truncate, write or give away any other file. `open_trusted` follows a
link only if nobody but root and this process's user could have made it, and never opens a file with a second name in a
directory of somebody else. What it opens is then changed through its descriptor, never by path.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

#: As many as the kernel follows in a path.
MAX_LINKS = 40

#: Directories of the kernel and the system, whose links lead to what the process has open (``/dev/stderr``).
_SYSTEM = ("/dev/", "/proc/")


def _is_trusted(owner: int) -> bool:
    return owner in (0, os.geteuid())


def _is_ours_alone(directory: int) -> bool:
    """Return true if only root and this process's user can make names in a directory."""
    status = os.fstat(directory)
    return _is_trusted(status.st_uid) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _refused(path: Path, why: str) -> OSError:
    return OSError(errno.ELOOP, f"refused: {why}", str(path))


def _link_target(name: str, directory: int, path: Path) -> str | None:
    """Return the target of a link, None if the name is no link; `OSError` if somebody else may have made the link."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(status.st_mode):
        return None
    # In a directory such as /tmp, only the owner of a link can have made it.
    if not (_is_trusted(status.st_uid) and (_is_ours_alone(directory) or os.fstat(directory).st_mode & stat.S_ISVTX)):
        raise _refused(path, f"{name} is a link that another user may have made")
    return os.readlink(name, dir_fd=directory)


def open_directory(path: Path) -> int:
    """Return a descriptor of a directory; `OSError` if there is none, or for a link that another user may have made."""
    return _walk(path, path)[0]


def _walk(path: Path, asked: Path, *, leave_last: bool = False) -> tuple[int, str]:
    """Open the directories of a path one after the other; return the last one, and the last name if it is left."""
    if not path.is_absolute():
        path = Path.cwd() / path
    names = list(path.parts[1:])
    directory = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    links = 0
    try:
        while names:
            name = names.pop(0)
            target = _link_target(name, directory, asked)
            if target is not None:
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(asked))
                if target.startswith("/"):
                    os.close(directory)
                    directory = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                names = [part for part in target.split("/") if part] + names
            elif not names and leave_last:
                return directory, name
            else:
                flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(name, flags, dir_fd=directory)
                os.close(directory)
                directory = below
    except OSError:
        os.close(directory)
        raise
    return directory, "."


def open_trusted(path: Path, flags: int, mode: int = 0o666) -> int:
    """Open a file as `os.open` does; return its descriptor.

    `OSError` if a link is in the way that another user may have made, or if the file has several names or is no regular
    file, in a directory where others can make names.
    """
    if str(path).startswith(_SYSTEM):
        return os.open(path, flags | os.O_CLOEXEC, mode)
    directory, name = _walk(path, path, leave_last=True)
    try:
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, mode, dir_fd=directory)
        try:
            status = os.fstat(descriptor)
            is_ours = _is_ours_alone(directory)
            if not is_ours and (not stat.S_ISREG(status.st_mode) or status.st_nlink != 1):
                raise _refused(path, "it is not a regular file with one name, in a directory of another user")
            os.set_blocking(descriptor, True)
        except OSError:
            os.close(descriptor)
            raise
    finally:
        os.close(directory)
    return descriptor


def make_directory(path: Path, mode: int, uid: int, gid: int) -> None:
    """Create a directory, and its parents, for a user. Existing ones stay as they are."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_directory(path.parent, 0o755, os.geteuid(), os.getegid())
    parent, name = _walk(path, path, leave_last=True)
    try:
        try:
            os.mkdir(name, mode, dir_fd=parent)
        except FileExistsError:
            return
        made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            if os.geteuid() == 0 and os.fstat(made).st_uid == 0:
                os.fchown(made, uid, gid)
        finally:
            os.close(made)
    finally:
        os.close(parent)
