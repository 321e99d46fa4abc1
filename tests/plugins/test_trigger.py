"""Trigger: what is run with which arguments, how many at once, and triggers that fail or hang."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.trigger import LONG_QUEUE, MAX_PROCESSES, TIMEOUT, Trigger
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import configuration, messages, plugin_site

PLUGINS = ("Bundler", "Trigger")
BUNDLE = {"Bundler/b.xml": "<Bundle/>"}
PATIENCE = 20.0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def write_trigger(root: Path, text: str, name: str = "run") -> Path:
    path = root / "Trigger" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def trigger_of(server: SmallServer) -> Trigger:
    plugin = server.plugin("Trigger")
    assert isinstance(plugin, Trigger)
    return plugin


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_every_executable_file_runs_once_when_a_configuration_was_built(tmp_path: Path) -> None:
    for name in ("a", "deep/er/b"):
        write_trigger(tmp_path, f'printf "%s|" "$@" >> {tmp_path}/out', name)
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        configuration(server, "h")
        wait_until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text() == "h|-p|p|-g|p:web|" * 2)


def test_what_a_client_is_called_means_nothing_to_a_shell(tmp_path: Path) -> None:
    write_trigger(tmp_path, f'printf "%s|" "$@" > {tmp_path}/out.new; mv {tmp_path}/out.new {tmp_path}/out')
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        metadata = ClientMetadata("h; touch x", profile=None, groups={"$(id)", "a b"})
        trigger_of(server).end_client_run(metadata)
        wait_until((tmp_path / "out").exists)
    assert (tmp_path / "out").read_text() == "h; touch x|-p||-g|$(id):a b|"


def test_the_client_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write_trigger(tmp_path, f"cat {tmp_path}/pipe > {tmp_path}/out")
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        assert len(configuration(server)) == 1
        assert (tmp_path / "out").exists() is False or (tmp_path / "out").read_text() == ""
        (tmp_path / "pipe").write_text("let go")
        wait_until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text() == "let go")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo oh no >&2; echo two >&2; exit 3", "ended with status 3: oh no two"),
        ("kill -9 $$", "ended with status -9: no message"),
    ],
)
def test_a_trigger_that_fails_is_told_and_others_run(
    tmp_path: Path, text: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_trigger(tmp_path, text, "a")
    write_trigger(tmp_path, f"touch {tmp_path}/out", "b")
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        configuration(server)
        wait_until(lambda: (tmp_path / "out").exists() and bool(messages(caplog, "failed")))
    (line,) = messages(caplog, "failed")
    assert line == f"{path}: trigger for h failed: {path} {reason}"


def test_files_that_cannot_be_run_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_trigger(tmp_path, "true", "plain").chmod(0o644)
    path = write_trigger(tmp_path, "true", "interpreter")
    path.write_text("#!/no/such/interpreter\n")
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        configuration(server)
        wait_until(lambda: bool(messages(caplog, "interpreter cannot be run: No such file or directory")))
    assert len(messages(caplog, "Trigger/plain: ignoring this trigger, it is not executable")) == 1


def test_a_trigger_that_hangs_is_ended_with_its_children(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_trigger(
        tmp_path, f"sleep 1000 & echo $! > {tmp_path}/child.new; mv {tmp_path}/child.new {tmp_path}/child; wait"
    )
    with plugin_site(tmp_path, PLUGINS, BUNDLE, {TIMEOUT: 0.5}) as server:
        configuration(server)
        wait_until(lambda: bool(messages(caplog, "was killed after the timeout of 0.5 seconds")))
        child = int((tmp_path / "child").read_text())
        wait_until(lambda: not is_running(child))


def test_a_daemon_that_a_trigger_leaves_behind_does_not_hold_a_place(tmp_path: Path) -> None:
    write_trigger(tmp_path, f"sleep 1000 > /dev/null 2>&1 & echo $! >> {tmp_path}/daemons; exit 0")
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        for number in range(MAX_PROCESSES + 5):
            trigger_of(server).end_client_run(ClientMetadata(f"h{number}"))
        try:
            wait_until(
                lambda: (
                    (tmp_path / "daemons").exists()
                    and len((tmp_path / "daemons").read_text().split()) == MAX_PROCESSES + 5
                )
            )
        finally:
            for pid in (tmp_path / "daemons").read_text().split():
                os.kill(int(pid), 9)


def test_only_so_many_run_at_once_and_the_others_after_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    write_trigger(tmp_path, f"echo $1 >> {tmp_path}/begun; cat {tmp_path}/pipe; echo $1 >> {tmp_path}/done")
    total = MAX_PROCESSES + 7

    def begun() -> int:
        return len((tmp_path / "begun").read_text().split()) if (tmp_path / "begun").exists() else 0

    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        for number in range(total):
            trigger_of(server).end_client_run(ClientMetadata(f"h{number}"))
        wait_until(lambda: begun() == MAX_PROCESSES)
        wait_until(lambda: begun() == total or _let_go(tmp_path / "pipe"))
        wait_until(lambda: len((tmp_path / "done").read_text().split()) == total or _let_go(tmp_path / "pipe"))
    assert sorted((tmp_path / "done").read_text().split()) == sorted(f"h{number}" for number in range(total))
    assert not messages(caplog, "failed")


def _let_go(pipe: Path) -> bool:
    """Have whoever reads from the pipe at this moment come to its end; false, for those who wait for more."""
    with contextlib.suppress(OSError):
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    return False


def test_a_long_queue_is_told_and_given_up_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    write_trigger(tmp_path, f"cat {tmp_path}/pipe")
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        for number in range(LONG_QUEUE + MAX_PROCESSES):
            trigger_of(server).end_client_run(ClientMetadata(f"h{number}"))
        assert len(messages(caplog, f"{LONG_QUEUE} triggers are waiting")) == 1
        server.core.shutdown()
        assert len(messages(caplog, "triggers did not run, because the server is shutting down")) == 1
        wait_until(
            lambda: not any(thread.name == "trigger" for thread in threading.enumerate()) or _let_go(tmp_path / "pipe")
        )


def test_triggers_may_come_and_go(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        configuration(server)
        path = write_trigger(tmp_path, f"touch {tmp_path}/out")
        configuration(server)
        wait_until((tmp_path / "out").exists)
        path.unlink()
        configuration(server)


def test_many_runs_of_a_client_become_one_more_run_of_its_trigger(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write_trigger(tmp_path, f"echo $1 $3 >> {tmp_path}/begun; cat {tmp_path}/pipe; echo $1 $3 >> {tmp_path}/done")

    def lines(name: str) -> list[str]:
        return (tmp_path / name).read_text().splitlines() if (tmp_path / name).exists() else []

    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        trigger = trigger_of(server)
        trigger.end_client_run(ClientMetadata("h", profile="first"))
        wait_until(lambda: lines("begun") == ["h first"])
        for number in range(LONG_QUEUE + 1):
            trigger.end_client_run(ClientMetadata("h", profile=f"p{number}"))
        trigger.end_client_run(ClientMetadata("other", profile="q"))
        # The other client's program has its place at once, and the first client's has only one.
        wait_until(lambda: lines("begun") == ["h first", "other q"])
        wait_until(lambda: len(lines("done")) == 3 or _let_go(tmp_path / "pipe"))
        assert sorted(lines("done")) == ["h first", f"h p{LONG_QUEUE}", "other q"]
        assert lines("begun")[2:] == [f"h p{LONG_QUEUE}"]


def test_a_command_that_only_looks_at_the_site_runs_no_trigger(tmp_path: Path) -> None:
    write_trigger(tmp_path, f"touch {tmp_path}/out")
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        server.core.read_only = True
        configuration(server, "h")
        assert not trigger_of(server)._waiting
        assert not trigger_of(server)._running
    assert not (tmp_path / "out").exists()
