"""A copy of a repository, in which a check may load everything: nothing writes to the original."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Directories of version control: the copy has links to them, because plugins only read them.
_LINKED = frozenset({".git", ".svn", ".hg", ".bzr", "_darcs", "CVS", "CVSROOT"})
#: Downloaded lists of packages, which are large and not needed.
_LEFT_OUT = "Packages/cache"


@contextmanager
def copied_repository(repository: Path) -> Iterator[Path]:
    """Copy the regular files and links of a repository to a temporary directory, which the block may change."""
    with tempfile.TemporaryDirectory(prefix="geventcore-migrate-") as directory:
        copy = Path(directory) / "repository"

        def ignored(parent: str, names: list[str]) -> set[str]:
            relative = Path(parent).relative_to(repository)
            return {name for name in names if name in _LINKED or str(relative / name) == _LEFT_OUT}

        shutil.copytree(repository, copy, symlinks=True, ignore=ignored, copy_function=_copy_regular)
        for name in _LINKED:
            for path in repository.rglob(name):
                (copy / path.relative_to(repository)).symlink_to(path.resolve())
        yield copy


def _copy_regular(source: str, target: str) -> str:
    if stat.S_ISREG(Path(source).lstat().st_mode):
        shutil.copy2(source, target)
    return target
