"""The plugins that ask version-control systems, each against its real program where the machine has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import PluginExecutionError, PluginInitError
from tests.support.plugin_context import METADATA, small_server, write_files


@pytest.fixture(autouse=True)
def programs_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an activated virtual environment out of the path: bzr would look there for its own modules."""
    path = os.environ.get("PATH", "").split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(each for each in path if not Path(each, "../pyvenv.cfg").exists()))


def run(directory: Path, *command: str) -> str:
    environment = {
        **os.environ,
        "HOME": str(directory.parent),
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
        "HGUSER": "a",
        "BRZ_EMAIL": "a <a@example.com>",
        "DARCS_EMAIL": "a@example.com",
        "USER": "root",
    }
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_git(repository: Path) -> str:
    run(repository, "git", "init", "-q", "-b", "main")
    run(repository, "git", "add", "-A")
    run(repository, "git", "commit", "-q", "-m", "one")
    return run(repository, "git", "rev-parse", "HEAD")


def make_svn(repository: Path) -> str:
    store = repository.parent / "store"
    run(repository.parent, "svnadmin", "create", str(store))
    run(repository, "svn", "checkout", "-q", f"file://{store}", ".")
    run(repository, "svn", "add", "-q", "--force", "Metadata")
    run(repository, "svn", "commit", "-q", "-m", "one")
    run(repository, "svn", "update", "-q")
    return "1"


def make_hg(repository: Path) -> str:
    run(repository, "hg", "init")
    run(repository, "hg", "commit", "-q", "-A", "-m", "one")
    return "0"


def make_bzr(repository: Path) -> str:
    run(repository, "bzr", "init", "-q")
    run(repository, "bzr", "add", "-q")
    run(repository, "bzr", "commit", "-q", "-m", "one")
    return "1"


def make_darcs(repository: Path) -> str:
    run(repository, "darcs", "init")
    run(repository, "darcs", "record", "--all", "--look-for-adds", "-m", "one")
    return run(repository, "darcs", "changes", "--last", "1").splitlines()[0].strip()


def make_fossil(repository: Path) -> str:
    run(repository.parent, "fossil", "init", str(repository.parent / "store"))
    run(repository, "fossil", "open", "--force", "--keep", str(repository.parent / "store"))
    run(repository, "fossil", "add", "Metadata")
    run(repository, "fossil", "commit", "-m", "one", "--no-warnings")
    (line,) = (line for line in run(repository, "fossil", "info").splitlines() if line.startswith("checkout:"))
    return line.split()[1]


SYSTEMS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "Git": ("git", make_git),
    "Svn": ("svnadmin", make_svn),
    "Hg": ("hg", make_hg),
    "Bzr": ("bzr", make_bzr),
    "Darcs": ("darcs", make_darcs),
    "Fossil": ("fossil", make_fossil),
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    directory = tmp_path / "repository"
    write_files(directory, METADATA)
    return directory


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_revision_is_that_of_the_system(repository: Path, name: str) -> None:
    program, make = SYSTEMS[name]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed on this machine")
    revision = make(repository)
    with small_server(repository, ["Metadata", name]) as server:
        assert server.core.repository.revision == revision
        assert server.core.build_configuration("new").get("revision") == revision


@pytest.mark.skipif(shutil.which("bzr") is None, reason="bzr is not installed on this machine")
def test_bazaar_marks_a_changed_working_copy(repository: Path) -> None:
    make_bzr(repository)
    (repository / "Metadata/groups.xml").write_text("<Groups/>")
    with small_server(repository, ["Metadata", "Bzr"]) as server:
        assert server.core.repository.revision == "1+"


@pytest.mark.parametrize("name", [*SYSTEMS, "Cvs"])
def test_what_is_no_working_copy_stops_the_start(repository: Path, name: str) -> None:
    with (
        pytest.raises(PluginInitError, match=rf"{name} cannot be loaded: .* is not a working copy of {name}"),
        small_server(repository, ["Metadata", name]),
    ):
        pass


def test_git_updates_from_its_upstream(repository: Path, tmp_path: Path) -> None:
    old = make_git(repository)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    (repository / "Metadata/new.xml").write_text("<new/>")
    run(repository, "git", "add", "-A")
    run(repository, "git", "commit", "-q", "-m", "two")
    new = run(repository, "git", "rev-parse", "HEAD")
    with small_server(clone, ["Metadata", "Git"]) as server:
        git: Any = server.plugin("Git")
        assert server.core.repository.revision == old
        assert git.Update() is True
        assert git.get_revision() == new
        assert git.Update(old) is True
        assert git.get_revision() == old
        for wrong in ("--upload-pack=x", "no such commit", "missing"):
            with pytest.raises(PluginExecutionError):
                git.Update(wrong)
        assert git.get_revision() == old


def test_a_missing_program_is_told_and_leaves_the_revision_unknown(
    repository: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / ".hg").mkdir()
    monkeypatch.setenv("PATH", "/nonexistent")
    with small_server(repository, ["Metadata", "Hg"]) as server:
        assert server.core.repository.revision == "-1"
    assert "Hg.get_revision failed: hg cannot be run: No such file or directory" in caplog.text
