"""Reading files that somebody else may have replaced by something that never ends or never answers.

The repository belongs to administrators, checkouts and other programs. A FIFO there blocks whoever opens it, a device
may never end, and a huge or growing file fills the memory. So every file of the repository is read by `read_file`: it
opens nothing but regular files, and reads no more than a limit.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from geventcore.file_contents import FILE_CONTENTS

#: The limit until the server sets its own: `limit_sizes`.
DEFAULT_MAX_BYTES = 256 << 20

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_PIECE_BYTES = 1 << 20


class _Limit:
    """The largest size of a file that is read, in bytes; the same for everything in this process."""

    def __init__(self) -> None:
        self.max_bytes = DEFAULT_MAX_BYTES


_limit = _Limit()


def limit_sizes(max_bytes: int) -> None:
    """Refuse files of more than `max_bytes` from now on; 0 is no limit."""
    _limit.max_bytes = max_bytes


def read_file(path: str | os.PathLike[str], max_bytes: int | None = None) -> bytes:
    """Return the content of a regular file; never waits for another program.

    `max_bytes` replaces the limit for files of the repository. `OSError` if the file cannot be read, is not a regular
    file, or is larger than the limit. Its ``strerror`` says why, without the path.
    """
    name = os.fspath(path)
    data = FILE_CONTENTS.ahead(name)
    if data is None:
        data, mode = read_with_mode(name, max_bytes)
        FILE_CONTENTS.note_read(name, data, mode)
    return data


def read_with_mode(name: str, max_bytes: int | None = None) -> tuple[bytes, int]:
    """Return the content and the mode of a regular file, as they are on the disk; see `read_file`."""
    # A device may do something when it is opened, so look before.
    _check(name, os.stat(name), max_bytes)
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        _check(name, status, max_bytes)
        return _read_all(name, descriptor, status.st_size, max_bytes), status.st_mode
    finally:
        os.close(descriptor)


def read_text(path: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Return a regular file's text, with ``\\n`` at the ends of lines; see `read_file`. `UnicodeDecodeError`."""
    return read_file(path).decode(encoding, errors).replace("\r\n", "\n").replace("\r", "\n")


def _check(name: str, status: os.stat_result, max_bytes: int | None) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'a special file')}, not a regular file", name)
    _check_size(name, status.st_size, max_bytes)


def _check_size(name: str, size: int, max_bytes: int | None) -> None:
    if max_bytes is not None:
        if size > max_bytes:
            raise OSError(errno.EFBIG, f"it is larger than {max_bytes} bytes", name)
    elif _limit.max_bytes and size > _limit.max_bytes:
        raise OSError(errno.EFBIG, f"it is larger than [server] max_file_size = {_limit.max_bytes} bytes", name)


def _read_all(name: str, descriptor: int, expected: int, max_bytes: int | None) -> bytes:
    """Read to the end. One more byte than expected tells a file that grows."""
    data = os.read(descriptor, expected + 1)
    if len(data) == expected:
        return data
    pieces = [data]
    total = len(data)
    while piece := os.read(descriptor, _PIECE_BYTES):
        pieces.append(piece)
        total += len(piece)
        _check_size(name, total, max_bytes)
    return b"".join(pieces)
