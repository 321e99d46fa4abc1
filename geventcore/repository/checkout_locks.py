"""The locks that version control tools hold while they change a working copy.

=========== ============================================================================================
git         ``index.lock`` in the directory that ``.git`` is, or that the file ``.git`` names (worktrees)
Mercurial   ``.hg/wlock``, a symbolic link that leads nowhere
Subversion  a row of the table ``WC_LOCK`` in ``.svn/wc.db``; before version 1.7 ``.svn/lock``
Bazaar      ``.bzr/checkout/lock/held``
Darcs       ``_darcs/lock``
=========== ============================================================================================

CVS and Fossil hold none that can be seen in a working copy.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Below the working copy: the locks that exist only while they are held.
_LOCKS = (".git/index.lock", ".hg/wlock", ".svn/lock", ".bzr/checkout/lock/held", "_darcs/lock")


class CheckoutLock(NamedTuple):
    """A lock that is held.

    Attributes:
        path: its file.
        age: for how long it has been held, in seconds.
    """

    path: Path
    age: float


def find_lock(repository: Path) -> CheckoutLock | None:
    """Return the lock of a working copy that holds the repository or one of its directories; None if none is held."""
    for directory in _working_copies(repository):
        for name in _LOCKS:
            lock = _held(directory / name)
            if lock is not None:
                return lock
        lock = _git_worktree_lock(directory) or _subversion_lock(directory)
        if lock is not None:
            return lock
    return None


def _working_copies(repository: Path) -> Iterator[Path]:
    """The directories that may be the top of a working copy: the repository, those above it, and the plugins'."""
    real = Path(os.path.realpath(repository))
    yield real
    yield from real.parents
    with contextlib.suppress(OSError), os.scandir(real) as entries:
        for entry in entries:
            if entry.is_dir() and not entry.name.startswith("."):
                yield Path(os.path.realpath(entry.path)) if entry.is_symlink() else Path(entry.path)


def _held(path: Path) -> CheckoutLock | None:
    try:
        return CheckoutLock(path, max(0.0, time.time() - os.lstat(path).st_mtime))
    except OSError:
        return None


def _git_worktree_lock(directory: Path) -> CheckoutLock | None:
    link = directory / ".git"
    try:
        if not link.is_file():
            return None
        text = link.read_bytes()[:4096].decode(errors="replace").strip()
    except OSError:
        return None
    if not text.startswith("gitdir:"):
        return None
    return _held(directory / text.removeprefix("gitdir:").strip() / "index.lock")


def _subversion_lock(directory: Path) -> CheckoutLock | None:
    database = directory / ".svn" / "wc.db"
    if not database.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=0)) as connection:
            is_held = connection.execute("SELECT 1 FROM WC_LOCK LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError as err:
        is_held = "locked" in str(err)
    except sqlite3.DatabaseError:
        return None
    return _held(database) if is_held else None
