"""The files of a repository that have changed since a revision of git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from geventcore.errors import GeventcoreError
from geventcore.tools.lint import documents

#: Git is to answer about this repository only, whatever hook has called this command.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def changed_since(repository: Path, revision: str) -> list[Path]:
    """Return the changed and the new files, committed or not, and the files that include one of them.

    Raises:
        GeventcoreError: git is missing, the directory is not in a repository of git, or the revision does not exist.
    """
    # Not an option of git, whatever the user wrote.
    commit = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    names = _git(repository, "diff", "--relative", "--name-only", "-z", "--diff-filter=d", commit.strip(), "--")
    names += _git(repository, "ls-files", "--others", "--exclude-standard", "-z")
    changed = {repository / name for name in names.split("\0") if name}
    return sorted(changed | _including(repository, changed))


def _git(repository: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False, env=environment
        )
    except OSError as err:
        raise GeventcoreError(f"--changed-since: git cannot be run: {err.strerror}") from err
    if done.returncode:
        said = " ".join(done.stderr.split()) or "there is no such revision"
        raise GeventcoreError(f"--changed-since: {arguments[-1].removesuffix('^{commit}')}: {said}")
    return done.stdout


def _including(repository: Path, changed: set[Path]) -> set[Path]:
    """Return the files of Metadata, Bundler and so on that include a changed file."""
    found: set[Path] = set()
    if not any(path.suffix == ".xml" for path in changed):
        return found
    for path in repository.glob("*/**/*.xml"):
        may_include = path not in changed and path.is_file() and b"XInclude" in path.read_bytes()
        if may_include and not changed.isdisjoint(documents.load(path).included):
            found.add(path)
    return found
