"""The server's user prepares its directories for the next start of the daemon, which begins as root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.testing.live_site import LiveSite
from tests.contract.test_daemon import USER, Daemon, directory

__all__ = ["directory"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a daemon of another user")


def account() -> pwd.struct_passwd:
    return pwd.getpwnam(USER)


SECRET = "root:secret\n"


@pytest.fixture
def daemon(directory: Path, new_site: Callable[..., LiveSite]) -> Daemon:
    daemon = Daemon(directory, new_site)
    # The start fails before the server becomes this user.
    daemon.site.options["server"].update({"user": USER, "group": str(account().pw_gid)})
    return daemon


@pytest.fixture
def victim(directory: Path) -> Iterator[Path]:
    """A file of root's that must stay as it is."""
    path = directory / "shadow"
    path.write_text(SECRET)
    path.chmod(0o600)
    yield path
    status = path.stat()
    assert (path.read_text(), status.st_uid, status.st_mode & 0o777) == (SECRET, 0, 0o600)


def plant(path: Path, make: Callable[[Path], None]) -> None:
    """Put something into a directory of the server's user, as that user."""
    path.parent.mkdir(exist_ok=True)
    os.chown(path.parent, account().pw_uid, account().pw_gid)
    make(path)
    os.chown(path, account().pw_uid, account().pw_gid, follow_symlinks=False)


@pytest.mark.parametrize("place", ["log", "pid_file"])
@pytest.mark.parametrize("kind", ["symlink", "hard link"])
def test_the_log_and_the_pid_file_are_no_way_to_other_files(
    daemon: Daemon, victim: Path, place: str, kind: str
) -> None:
    path: Path = getattr(daemon, place)
    if kind == "symlink":
        plant(path, lambda link: link.symlink_to(victim))
    else:
        plant(path, lambda link: link.hardlink_to(victim))
        os.chown(victim, 0, 0)
    done = daemon.start()
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert str(path) in done.stdout


def test_the_admin_socket_is_none_either(daemon: Daemon, victim: Path) -> None:
    path = daemon.run / "admin.sock"
    daemon.site.options["admin"]["listen"] = f"unix:{path}"
    plant(path, lambda link: link.symlink_to(victim))
    done = daemon.start()
    assert done.returncode == 1
    assert "cannot listen" in done.stdout
