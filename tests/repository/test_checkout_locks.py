"""The locks of version control tools are found where the tools keep them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.repository.checkout_locks import find_lock


def touch(name: str) -> Callable[[Path], Path]:
    def make(top: Path) -> Path:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    return make


def mercurial(top: Path) -> Path:
    (top / ".hg").mkdir()
    (top / ".hg/wlock").symlink_to("host:4711")
    return top / ".hg/wlock"


def subversion(top: Path) -> Path:
    (top / ".svn").mkdir()
    with sqlite3.connect(top / ".svn/wc.db") as connection:
        connection.execute("CREATE TABLE WC_LOCK (local_dir_relpath TEXT)")
        connection.execute("INSERT INTO WC_LOCK VALUES ('')")
    connection.close()
    return top / ".svn/wc.db"


def git_worktree(top: Path) -> Path:
    directory = top.parent / "main/.git/worktrees/one"
    directory.mkdir(parents=True)
    (top / ".git").write_text(f"gitdir: {directory}\n")
    (directory / "index.lock").touch()
    return directory / "index.lock"


MAKERS = [
    touch(".git/index.lock"),
    touch(".svn/lock"),
    touch(".bzr/checkout/lock/held"),
    touch("_darcs/lock"),
    mercurial,
    subversion,
    git_worktree,
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("place", [".", "..", "Cfg"])
def test_a_lock_is_found_in_above_and_below_the_repository(
    tmp_path: Path, make: Callable[[Path], Path], place: str
) -> None:
    repository = tmp_path / "top/repository"
    (repository / "Cfg").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(repository)
    assert find_lock(link) is None
    made = make(Path(os.path.normpath(repository / place)))
    lock = find_lock(link)
    assert lock is not None
    assert lock.path == made
    assert lock.age < 60
    os.utime(made, (1, 1), follow_symlinks=False)
    lock = find_lock(link)
    assert lock is not None
    assert lock.age > 1e9


def test_no_lock_is_found_in_a_working_copy_at_rest(tmp_path: Path) -> None:
    subversion(tmp_path)
    with sqlite3.connect(tmp_path / ".svn/wc.db") as connection:
        connection.execute("DELETE FROM WC_LOCK")
    connection.close()
    (tmp_path / ".git").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.git").write_text("no link")
    assert find_lock(tmp_path) is None
    assert find_lock(tmp_path / "gone") is None
