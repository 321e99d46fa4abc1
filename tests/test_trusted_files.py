"""Files in directories of other users are opened without following their links. These tests need root."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.trusted_files import make_directory, open_directory, open_trusted

SERVICE = 12345
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("secret")
    path.chmod(0o600)
    return path


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory of the service's user."""
    path = tmp_path / "theirs"
    path.mkdir()
    os.chown(path, SERVICE, SERVICE)
    return path


def link(theirs: Path, secret: Path) -> Path:
    path = theirs / "log"
    path.symlink_to(secret)
    os.chown(path, SERVICE, SERVICE, follow_symlinks=False)
    return path


def dangling(theirs: Path, secret: Path) -> Path:
    path = theirs / "log"
    path.symlink_to(secret.with_name("new"))
    os.chown(path, SERVICE, SERVICE, follow_symlinks=False)
    return path


def link_of_root(theirs: Path, secret: Path) -> Path:
    # Its owner may have moved it here from somewhere else.
    path = theirs / "log"
    path.symlink_to(secret)
    return path


def hard_link(theirs: Path, secret: Path) -> Path:
    path = theirs / "log"
    path.hardlink_to(secret)
    return path


def linked_directory(theirs: Path, secret: Path) -> Path:
    path = theirs / "sub"
    path.symlink_to(secret.parent)
    os.chown(path, SERVICE, SERVICE, follow_symlinks=False)
    return path / "secret"


def fifo(theirs: Path, secret: Path) -> Path:
    path = theirs / "log"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("make", [link, dangling, link_of_root, hard_link, linked_directory, fifo])
@pytest.mark.parametrize("flags", [FLAGS, os.O_RDWR | os.O_CREAT])
def test_what_another_user_has_put_there_is_not_opened(
    theirs: Path, secret: Path, make: Callable[[Path, Path], Path], flags: int
) -> None:
    path = make(theirs, secret)
    with pytest.raises(OSError):  # noqa: PT011 - ELOOP, or ENXIO for the FIFO
        open_trusted(path, flags)
    assert secret.read_text() == "secret"
    assert not secret.with_name("new").exists()


def test_what_root_has_put_somewhere_is_opened(tmp_path: Path, theirs: Path) -> None:
    (tmp_path / "link").symlink_to("theirs/../theirs")
    descriptor = open_trusted(tmp_path / "link/log", FLAGS)
    os.write(descriptor, b"line\n")
    os.close(descriptor)
    assert (theirs / "log").read_text() == "line\n"
    (tmp_path / "log").symlink_to(theirs / "log")
    os.close(open_trusted(tmp_path / "log", FLAGS))
    os.close(open_trusted(Path("/dev/null"), FLAGS))
    os.close(open_directory(Path("/")))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        open_trusted(tmp_path / "loop", FLAGS)


def test_a_directory_is_given_away_but_not_another_one(tmp_path: Path, theirs: Path) -> None:
    make_directory(theirs / "a/b", 0o755, SERVICE, SERVICE)
    assert (theirs / "a/b").stat().st_uid == SERVICE
    victim = tmp_path / "victim"
    victim.mkdir()
    make_directory(theirs / "a/b", 0o755, 0, 0)
    (theirs / "link").symlink_to(victim)
    with pytest.raises(OSError, match="refused"):
        make_directory(theirs / "link/new", 0o755, SERVICE, SERVICE)
    assert list(victim.iterdir()) == []
    assert victim.stat().st_uid == 0
