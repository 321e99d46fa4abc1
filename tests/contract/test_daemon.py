"""A server in the background: the pid file, privileges, what is left behind, and what the start tells."""

from __future__ import annotations

import contextlib
import functools
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geventcore.testing.live_site import LiveSite, is_alive, process_tree, wait_until
from geventcore.testing.site_files import PLUGINS, free_port

USER = "nobody"


#: Becomes `USER` and then imports things, as a server does that was started by root.
_BECOME_USER = """
import os, pwd, sys
account = pwd.getpwnam(sys.argv[1])
os.setgid(account.pw_gid)
os.setuid(account.pw_uid)
import glob, ftplib, geventcore.core.network
"""


@functools.cache
def why_not_user() -> str:
    """Why a server cannot run as `USER` here; nothing if it can."""
    if os.geteuid() != 0:
        return "only root can become somebody else"
    command = [sys.executable, "-c", _BECOME_USER, USER]
    tried = subprocess.run(command, capture_output=True, text=True, check=False, env=LiveSite.environ())
    return f"{USER} cannot read this Python: {tried.stderr.splitlines()[-1]}" if tried.returncode else ""


def account() -> pwd.struct_passwd:
    """Who the daemons are: `USER`, or whoever runs the tests if that cannot be."""
    return pwd.getpwuid(os.geteuid()) if why_not_user() else pwd.getpwnam(USER)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that everybody can go into, unlike pytest's."""
    made = Path(tempfile.mkdtemp(prefix="geventcore-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Daemon:
    """A site whose server runs in the background.

    Attributes:
        pid_file, log: below directories that belong to its user.
    """

    def __init__(self, directory: Path, new_site: Callable[..., LiveSite]) -> None:
        self.run = directory / "run"
        self.logs = directory / "log"
        self.pid_file = self.run / "server.pid"
        self.log = self.logs / "server.log"
        user, group = account().pw_name, grp.getgrgid(account().pw_gid).gr_name
        self.site = new_site(
            directory=directory / "site",
            options={
                "server": {"user": user, "group": group, "umask": "0027"},
                "logging": {"path": str(self.log), "verbose": "true"},
            },
        )
        self.logs.mkdir()
        for path in (self.logs, self.site.repository, *self.site.repository.rglob("*")):
            os.chown(path, account().pw_uid, account().pw_gid)

    def start(self, *before: str) -> subprocess.CompletedProcess[str]:
        """Start the server as its administrator does; `before` is a command that executes it."""
        command = self.site.command("-D", str(self.pid_file))
        starter = account() if before else pwd.getpwuid(os.geteuid())
        for path in (self.site.configuration, *self.site.tls.iterdir()):
            os.chown(path, starter.pw_uid, starter.pw_gid)
        # Without pipes for its output, whose readers would wait for the daemon if it kept them.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [*before, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                env=self.site.environ(),
                timeout=60,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")

    @property
    def pid(self) -> int:
        """The process that the pid file names."""
        return int(self.pid_file.read_text())

    def statuses(self) -> list[dict[str, list[str]]]:
        """What the kernel says about the process and its children."""
        found = []
        for pid in process_tree(self.pid):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found.append({name: value.split() for name, _, value in (line.partition(":") for line in lines)})
        return found

    def open_files(self) -> set[str]:
        """What the process has open."""
        found = set()
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            # It may be closed at any moment.
            with contextlib.suppress(OSError):
                found.add(os.readlink(link))
        return found

    def is_waited_for(self) -> bool:
        """Whether a process beside the server and its children has the pid file open."""
        server = process_tree(self.pid)
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if os.readlink(link) == str(self.pid_file) and int(link.parts[2]) not in server:
                    return True
        return False

    def stop(self) -> None:
        """End it, if it runs, and wait until it has."""
        if not self.pid_file.exists() or not self.pid_file.read_text():
            return
        tree = process_tree(self.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: not any(map(is_alive, tree)), "the end of the daemon")


@pytest.fixture
def daemon(directory: Path, new_site: Callable[..., LiveSite]) -> Iterator[Daemon]:
    made = Daemon(directory, new_site)
    yield made
    made.stop()


def test_a_daemon_is_in_the_background(daemon: Daemon) -> None:
    started = daemon.start()
    assert started.returncode == 0, started.stdout
    assert daemon.site.client("plain").call("ping", 1) == [1]
    assert {tuple(status["Umask"]) for status in daemon.statuses()} == {("0027",)}
    assert os.readlink(f"/proc/{daemon.pid}/cwd") == "/"
    assert [os.readlink(f"/proc/{daemon.pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
    assert os.getsid(daemon.pid) not in (os.getsid(0), daemon.pid)
    daemon.stop()
    assert not daemon.pid_file.exists()
    assert "Traceback" not in daemon.log.read_text()


def test_a_daemon_of_root_is_somebody_else(daemon: Daemon) -> None:
    if why_not_user():
        pytest.skip(why_not_user())
    assert daemon.start().returncode == 0
    user = pwd.getpwnam(USER)
    for status in daemon.statuses():
        assert status["Uid"] == [str(user.pw_uid)] * 4
        assert status["Gid"] == [str(user.pw_gid)] * 4
        assert set(status["Groups"]) <= {str(number) for number in os.getgrouplist(USER, user.pw_gid)}


def test_what_a_daemon_writes_is_its_own(daemon: Daemon) -> None:
    assert daemon.start().returncode == 0
    client = daemon.site.client("plain")
    assert client.call("DeclareVersion", "1.3.4") is True
    data = '<ProbeData><probe-data name="kernel" source="Probes">group:probed</probe-data></ProbeData>'
    assert client.call("RecvProbeData", data) is True
    written = daemon.site.repository / "Probes/probed.xml"
    assert written.stat().st_uid == account().pw_uid
    assert written.stat().st_mode & 0o777 == 0o640
    assert 'version="1.3.4"' in (daemon.site.repository / "Metadata/clients.xml").read_text()


def test_the_log_of_a_daemon_can_be_moved_away(daemon: Daemon) -> None:
    assert daemon.start().returncode == 0
    client = daemon.site.client("plain", "wrong")
    assert client.exchange(client.request("ping")).status == 401
    wait_until(lambda: "access denied" in daemon.log.read_text(), "a line in the log")
    old = daemon.log.with_suffix(".1")
    daemon.log.rename(old)
    os.kill(daemon.pid, signal.SIGUSR1)
    assert client.exchange(client.request("ping")).status == 401
    wait_until(lambda: daemon.log.exists() and "access denied" in daemon.log.read_text(), "a line in the new log")


def test_a_log_that_is_only_opened_again(daemon: Daemon) -> None:
    """It was opened first by root, and is opened again by somebody who is not."""
    assert daemon.start().returncode == 0
    client = daemon.site.client("plain", "wrong")
    os.kill(daemon.pid, signal.SIGUSR1)
    wait_until(lambda: str(daemon.log) not in daemon.open_files(), "the log is closed")
    assert client.exchange(client.request("ping")).status == 401
    wait_until(lambda: "access denied" in daemon.log.read_text(), "a line in the log")


def test_a_second_start_is_refused_while_the_first_runs(daemon: Daemon) -> None:
    assert daemon.start().returncode == 0
    first = daemon.pid
    daemon.site.options["components"] = {"bcfg2": f"https://127.0.0.1:{free_port()}"}
    again = daemon.start()
    assert again.returncode == 1
    assert f"a server is running already, as process {first}" in again.stdout
    assert "Traceback" not in again.stdout
    assert daemon.pid == first
    assert is_alive(first)


def test_a_pid_file_that_was_left_behind_is_no_obstacle(daemon: Daemon) -> None:
    daemon.run.mkdir()
    daemon.pid_file.write_text(f"{os.getpid()}\n")
    assert daemon.start().returncode == 0
    assert daemon.pid != os.getpid()
    os.kill(daemon.pid, signal.SIGKILL)
    killed = daemon.pid
    wait_until(lambda: not is_alive(killed), "the end of the daemon")
    assert daemon.start().returncode == 0
    assert daemon.pid != killed


def test_a_restart_waits_for_what_is_under_way(daemon: Daemon) -> None:
    """What scripts do: signal, and start at once. In the end the pid file names the new server."""
    daemon.site.options["server"]["plugins"] = ",".join([*PLUGINS, "geventcore.testing.gate.Gate"])
    assert daemon.start().returncode == 0
    first = daemon.pid
    with ThreadPoolExecutor(2) as executor:
        call = executor.submit(daemon.site.client("slow").call, "GetConfig")
        wait_until(lambda: "waits at the gate" in daemon.log.read_text(), "a call that is under way")
        os.kill(first, signal.SIGTERM)
        second = executor.submit(daemon.start)
        wait_until(lambda: daemon.is_waited_for(), "the second start waits for the first server")
        (daemon.site.repository / "gate-is-open").touch()
        assert "Configuration" in call.result()
        assert second.result().returncode == 0, second.result().stdout
    assert daemon.pid != first
    assert is_alive(daemon.pid)
    assert daemon.site.client("plain").call("ping", 1) == [1]


@pytest.mark.parametrize("mistake", ["port", "plugin", "pid file"])
def test_a_start_that_fails_says_why(daemon: Daemon, mistake: str) -> None:
    with contextlib.ExitStack() as stack:
        if mistake == "port":
            stack.enter_context(socket.create_server(("127.0.0.1", daemon.site.port)))
        elif mistake == "plugin":
            daemon.site.options["server"]["plugins"] = "Metadata, no_such_module.Plugin"
        else:
            daemon.run.write_text("a file where a directory should be")
        failed = daemon.start()
    assert failed.returncode == 1
    (line,) = failed.stdout.splitlines()
    assert {"port": "Address already in use", "plugin": "no_such_module", "pid file": str(daemon.run)}[mistake] in line
    if mistake == "pid file":
        daemon.run.unlink()
    else:
        assert not daemon.pid_file.exists()


# -- an ordinary user


@pytest.fixture
def as_user(daemon: Daemon) -> list[str]:
    """The command that executes others as an ordinary user, who can start the daemon."""
    if why_not_user():
        pytest.skip(why_not_user())
    user = pwd.getpwnam(USER)
    daemon.run.mkdir()
    os.chown(daemon.run, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def test_a_daemon_of_an_ordinary_user(daemon: Daemon, as_user: list[str]) -> None:
    started = daemon.start(*as_user)
    assert started.returncode == 0, started.stdout
    assert {tuple(status["Uid"]) for status in daemon.statuses()} == {(str(account().pw_uid),) * 4}
    assert daemon.site.client("plain").call("ping", 1) == [1]
    daemon.stop()
    assert not daemon.pid_file.exists()


def test_an_ordinary_user_cannot_become_another(daemon: Daemon, as_user: list[str]) -> None:
    daemon.site.options["server"].update(user="daemon", group="daemon")
    failed = daemon.start(*as_user)
    assert failed.returncode == 1
    assert "[server] user" in failed.stdout
    assert "Traceback" not in failed.stdout
