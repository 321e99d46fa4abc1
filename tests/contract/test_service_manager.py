"""What a service manager is told, and the check of a configuration before a start."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.testing.live_site import PATIENCE_SECONDS, LiveSite


class Manager:
    """The socket of a service manager."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(PATIENCE_SECONDS)

    def next_message(self, *skipped: str) -> str:
        """The next message that is none of those."""
        while True:
            message = self._socket.recv(4096).decode("ascii")
            if message not in skipped:
                return message

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    # The names of such sockets must be short.
    listening = Manager(tmp_path_factory.getbasetemp() / "notify")
    yield listening
    listening.close()
    (tmp_path_factory.getbasetemp() / "notify").unlink()


def test_a_service_manager_is_told_how_the_server_is(
    new_site: Callable[..., LiveSite], manager: Manager, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = new_site()
    address = tmp_path_factory.getbasetemp() / "notify"
    starter = ["env", f"NOTIFY_SOCKET={address}", "WATCHDOG_USEC=200000"]
    with site.launch(starter=starter) as server:
        assert manager.next_message() == "READY=1"
        assert site.client("somebody").call("ping") == []
        assert manager.next_message() == "WATCHDOG=1"
        server.signal(signal.SIGHUP)
        reloading = manager.next_message("WATCHDOG=1").split("\n")
        assert reloading[0] == "RELOADING=1"
        assert reloading[1].startswith("MONOTONIC_USEC=")
        assert manager.next_message("WATCHDOG=1") == "READY=1"
        server.signal(signal.SIGTERM)
        assert manager.next_message("WATCHDOG=1") == "STOPPING=1"
        assert server.wait() == 0


def check(site: LiveSite) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        site.command("--check"), env=site.environ(), capture_output=True, text=True, timeout=60, check=False
    )


def test_checking_a_configuration(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    done = check(site)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The configuration is valid: ")


def test_checking_counts_files_that_cannot_be_used(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    directory = site.repository / "Cfg/etc/checked"
    directory.mkdir(parents=True)
    (directory / "checked").write_text("x")
    (directory / ":info").write_text("owner: app\nmod: 0600\n")
    done = check(site)
    assert done.returncode == 1
    assert "1 file of the repository cannot be used" in done.stdout
    assert ":info: line 2: 'mod: 0600'" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        (("server", "plugins"), "Metadata,NoSuchPlugin", "NoSuchPlugin"),
        (("communication", "key"), "/nonexistent.key", "[communication] key"),
        (("server", "drain_timeout"), "soon", "[server] drain_timeout"),
        (("server", "repository"), "/nonexistent", "/nonexistent is not a directory"),
    ],
)
def test_checking_a_wrong_configuration(
    new_site: Callable[..., LiveSite], option: tuple[str, str], value: str, complaint: str
) -> None:
    site = new_site(options={option[0]: {option[1]: value}})
    done = check(site)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
