"""Includes of templates: which content is in use, and when it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore import included_files
from geventcore.included_files import IncludedFiles
from geventcore.testing.live_site import wait_until


class Directory:
    """A directory whose changes a test applies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_events = False

    def has_file_events(self) -> bool:
        return self.has_events


@pytest.fixture
def includes() -> IncludedFiles:
    return IncludedFiles()


@pytest.fixture
def directory(includes: IncludedFiles, tmp_path: Path) -> Directory:
    found = Directory(tmp_path / "repository")
    found.path.mkdir()
    includes.follow(found)
    return found


@pytest.fixture
def part(directory: Directory) -> Path:
    path = directory.path / "part"
    path.write_text("old")
    return path


def test_a_change_counts_when_changes_are_applied(includes: IncludedFiles, directory: Directory, part: Path) -> None:
    old = includes.read(str(part))
    directory.has_events = True
    part.write_text("newer")
    assert includes.read(str(part)) is old
    assert includes.is_current(str(part), old)
    includes.refresh(directory.path)
    assert not includes.is_current(str(part), old)
    assert includes.read(str(part)).data == b"newer"


def test_a_removed_file_stays_in_use_until_then(includes: IncludedFiles, directory: Directory, part: Path) -> None:
    includes.read(str(part))
    directory.has_events = True
    part.unlink()
    assert includes.read(str(part)).data == b"old"
    includes.refresh(directory.path)
    with pytest.raises(OSError, match="No such file"):
        includes.read(str(part))


def test_a_file_that_nobody_watches(
    includes: IncludedFiles, directory: Directory, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(included_files, "UNWATCHED_SECONDS", 0.05)
    includes.read(str(part))
    part.write_text("newer")
    directory.has_events = True
    assert includes.read(str(part)).data == b"old"
    directory.has_events = False
    wait_until(lambda: includes.read(str(part)).data == b"newer", "the new content")


def test_a_file_elsewhere_counts_at_once(includes: IncludedFiles, directory: Directory, tmp_path: Path) -> None:
    elsewhere = tmp_path / "repository-2"
    elsewhere.write_text("old")
    old = includes.read(str(elsewhere))
    elsewhere.write_text("newer")
    assert not includes.is_current(str(elsewhere), old)
    assert includes.read(str(elsewhere)).data == b"newer"


def test_an_applied_repository_beside_does_not_count(
    includes: IncludedFiles, directory: Directory, part: Path, tmp_path: Path
) -> None:
    includes.read(str(part))
    directory.has_events = True
    part.write_text("newer")
    includes.refresh(tmp_path / "repo")
    assert includes.read(str(part)).data == b"old"


@pytest.mark.parametrize(
    "source",
    [
        "{% include part %}",
        "{%- include 'part' %}",
        '{% extends "part" %}',
        "{% from 'part' import macro %}",
        '<xi:include href="part"/>',
        "#include 'part'",
        "{% include sub/nested %}",
    ],
)
def test_includes_are_read_with_their_template(
    includes: IncludedFiles, directory: Directory, part: Path, source: str
) -> None:
    (directory.path / "sub").mkdir()
    (directory.path / "sub/nested").write_text("{% include ../part %}{% include nested %}")
    includes.read_named_in(directory.path / "t", f"{source} {{% include gone %}}${{name}}".encode())
    directory.has_events = True
    part.write_text("newer")
    assert includes.read(str(part)).data == b"old"
