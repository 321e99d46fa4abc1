"""Directories for the sides of a comparison: revisions of a version control, and files that come from the live side.

A server writes files into its repository: results of probes, keys, files that it fetches. A revision or another
checkout lacks them, or has old ones. So a side gets them from the live repository, in a temporary copy. Nothing is
written to a repository: git's index is a temporary file, and links lead to large directories.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from geventcore.errors import GeventcoreError
from geventcore.plugin.specificity import Specificity, parse_file_name
from geventcore.plugins.sshbase.files import BASES

#: Files whose live version is always used: what clients have uploaded.
_UPLOADED = (re.compile(r"Probes/probed\.xml"), re.compile(r"Ohai/[^/]+\.json"))
#: Directories whose live version is always used, as a link.
_CACHES = ("Packages/cache",)
#: Files that are used if the side has none.
_IF_MISSING = (re.compile(r"Metadata/clients\.xml"), re.compile(r"NagiosGen/.*\.cfg"))
#: The instructions with which the server makes files beside them.
CREATORS = frozenset({"privkey.xml", "pubkey.xml", "sslkey.xml", "sslcert.xml", "key.xml", "cert.xml"})
_TREES_WITH_CREATORS = ("Cfg", "SSLCA")
_VERSION_CONTROL = frozenset({".git", ".svn", ".hg", ".bzr", "CVS", "_darcs"})
_GIT_SECONDS = 300


class Git:
    """A git repository, which is only read."""

    def __init__(self, directory: Path, is_of_environment: bool = False) -> None:
        """`directory` is a work tree, a directory in it, or a bare repository.

        `is_of_environment`: it is the one of ``GIT_DIR``, whose hook is running. New commits are then in a quarantine
        that other variables name.
        """
        self.directory = directory
        self._environment = {
            name: value for name, value in os.environ.items() if is_of_environment or not name.startswith("GIT_")
        }

    def _run(self, *arguments: str, **environment: str) -> str:
        command = ["git", "-c", "safe.directory=*", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self.directory,
                env={**self._environment, "GIT_OPTIONAL_LOCKS": "0", **environment},
                capture_output=True,
                timeout=_GIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            raise GeventcoreError(f"cannot run git in {self.directory}: {err}") from err
        if done.returncode:
            text = " ".join(done.stderr.decode("utf-8", "replace").split())
            raise GeventcoreError(f"git {arguments[0]} in {self.directory}: {text}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def commit(self, revision: str) -> str | None:
        """Return the full name of a revision's commit; None if there is none, or no git repository."""
        try:
            return self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
        except GeventcoreError:
            return None

    def exists(self) -> bool:
        """Return true if the directory is in a git repository, or is one."""
        try:
            self._run("rev-parse", "--git-dir")
        except GeventcoreError:
            return False
        return True

    def prefix(self) -> str:
        """Return the path of the directory below the top of the work tree; empty at the top and in a bare one."""
        try:
            return self._run("rev-parse", "--show-prefix").strip().rstrip("/")
        except GeventcoreError:
            return ""

    def extract(self, commit: str, prefix: str, directory: Path) -> Path:
        """Write the files of a commit below a directory; return the place of those below `prefix`."""
        index = directory.with_name(f"{directory.name}.index")
        directory.mkdir()
        tree = f"{commit}:{prefix}" if prefix else commit
        self._run("read-tree", tree, GIT_INDEX_FILE=str(index))
        self._run(
            "--work-tree",
            str(directory),
            "checkout-index",
            "--all",
            "--force",
            f"--prefix={directory}/",
            GIT_INDEX_FILE=str(index),
        )
        index.unlink(missing_ok=True)
        return directory


def complete(tree: Path, live: Path, copy: Path) -> Path:
    """Return a tree that has the live repository's files of the kinds above.

    It is `tree` itself if nothing is missing, or if `tree` is temporary (equal to `copy`); else a copy at `copy`.
    """
    wanted = list(_to_take_over(tree, live))
    links = [name for name in _CACHES if (live / name).is_dir()]
    if not wanted and (not links or all((tree / name).is_dir() for name in links)):
        return tree
    if tree != copy:
        shutil.copytree(tree, copy, symlinks=True, ignore=lambda _, names: _VERSION_CONTROL.intersection(names))
    for name in wanted:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(live / name, target)
    for name in links:
        target = copy / name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(live / name)
    return copy


def _to_take_over(tree: Path, live: Path) -> Iterator[str]:
    """Yield the names of live files that a side gets."""
    if _is_same(tree, live):
        return
    for name in files_of(live):
        if any(pattern.fullmatch(name) for pattern in _UPLOADED):
            if not _has_same(tree / name, live / name):
                yield name
        elif not (tree / name).exists() and (
            any(pattern.fullmatch(name) for pattern in _IF_MISSING) or _is_made_by_server(name, tree)
        ):
            yield name


def _is_made_by_server(name: str, tree: Path) -> bool:
    path = Path(name)
    top = path.parts[0]
    if top == "SSHbase":
        return any(parse_file_name(path.name, base) is not None for base in BASES)
    if top not in _TREES_WITH_CREATORS or len(path.parts) < 3:
        return False
    parts = parse_file_name(path.name, path.parent.name)
    if parts is None or parts.specificity == Specificity() or parts.extension not in ("", "crypt"):
        return False
    # A private key's creator writes the public key into the directory beside its own.
    directories = (path.parent, path.parent.with_name(path.parent.name.removesuffix(".pub")))
    is_made = any((tree / each / creator).exists() for each in directories for creator in CREATORS)
    return is_made or ((tree / "FileProbes" / "config.xml").exists() and parts.specificity.hostname is not None)


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _has_same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def files_of(tree: Path) -> Iterator[str]:
    """Yield the names of a tree's files, relative to it; caches and those of version controls are left out."""
    for directory, subdirectories, names in os.walk(tree):
        relative = os.path.relpath(directory, tree)
        below = "" if relative == "." else f"{relative}/"
        subdirectories[:] = sorted(
            name for name in subdirectories if name not in _VERSION_CONTROL and f"{below}{name}" not in _CACHES
        )
        yield from (f"{below}{name}" for name in sorted(names))


def changed_files(old: Path, new: Path) -> list[str]:
    """Return the names of files that differ in content or permissions, or that one tree lacks."""
    if _is_same(old, new):
        return []
    names = dict.fromkeys([*files_of(old), *files_of(new)])
    return [name for name in names if not _are_equal(old / name, new / name)]


def _are_equal(one: Path, other: Path) -> bool:
    try:
        first, second = one.stat(), other.stat()
        if first.st_size != second.st_size or (first.st_mode ^ second.st_mode) & 0o777:
            return False
        return one.read_bytes() == other.read_bytes()
    except OSError:
        # A link to nowhere, or a special file: unknown, so it differs.
        return False
