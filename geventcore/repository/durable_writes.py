"""Writing files so that a crash at any instant leaves the old or the new file, never half of one."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from geventcore.filemonitor.own_writes import OWN_WRITES

log = logging.getLogger(__name__)

#: Matches the temporary files that a crash may leave behind; file monitors ignore them.
TEMPORARY_GLOB = ".*.new"


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(directory: Path) -> None:
    """Create a directory and its parents durably, unless they exist."""
    if not directory.is_dir():
        make_directories(directory.parent)
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
            OWN_WRITES.note_directory(os.path.realpath(directory))
        sync_directory(directory.parent)


def lock_directory(directory: Path) -> int:
    """Wait until no other process writes files of a directory that are replaced; blocks.

    Returns a descriptor for `unlock_directory`. Where the file system cannot lock directories, nobody is kept out.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def unlock_directory(descriptor: int) -> None:
    """Let others write."""
    # Closing would unlock it, too, but where the standard library is patched descriptors are closed some time later.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextlib.contextmanager
def staged(target: Path, data: bytes | Iterable[bytes], mode: int = 0o666) -> Iterator[tuple[Path, os.stat_result]]:
    """Write and sync a file beside `target`; yield its path and status, and remove it unless it was renamed.

    `mode` is less the process's umask, but an existing target hands on its own mode and owner.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            with contextlib.suppress(FileNotFoundError):
                old = os.stat(target)
                os.fchmod(descriptor, old.st_mode & 0o7777)
                # An ordinary user may not give files away; the content matters more than the owner.
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
            stream.writelines([data] if isinstance(data, bytes) else data)
            stream.flush()
            os.fsync(descriptor)
            status = os.fstat(descriptor)
        yield temporary, status
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def write_durably(
    path: Path, data: bytes | Iterable[bytes], mode: int = 0o666, check: Callable[[Path], None] = lambda _target: None
) -> os.stat_result:
    """Write beside, sync, rename over, sync the directory; return the status of the new file, whatever is there now.

    `data` may be given in pieces. A symbolic link is followed, so that the file it names is replaced and the link
    stays. Owner and mode of an existing file are kept. `check` gets the file that is about to be replaced, in the last
    instant before. What it raises, and `OSError`, leave the old file as it was.
    """
    target = Path(os.path.realpath(path))
    with staged(target, data, mode) as (temporary, status):
        check(target)
        # Before the event of the new file can come.
        OWN_WRITES.note(str(target), status)
        os.replace(temporary, target)
    sync_directory(target.parent)
    return status


def write_if_different(path: Path, data: bytes) -> bool:
    """Write durably, unless that is what the file holds; whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    write_durably(path, data)
    return True


def create_if_missing(path: Path, data: bytes, read_only: bool = False) -> None:
    """Write a file that a site may have left out, and say so. A command that only looks at the site writes nothing."""
    if not read_only and not path.exists():
        log.warning("%s does not exist; created", path)
        write_durably(path, data)
