"""``geventcore bench`` as a person calls it: against a server of its own, against one that runs, and interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from geventcore.cli.main import main
from geventcore.errors import ConfigError
from geventcore.simulation.load import Target, check_allowed
from geventcore.simulation.sampler import Sampler, listening_processes
from geventcore.testing.live_site import process_tree, wait_until
from tests.support.project import PROJECT
from tests.support.xmlrpc_stub import Status, StubServer

pytestmark = pytest.mark.live


def bench(directory: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "geventcore", "bench", "--report", str(directory / "bench.html"), *args]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def run(directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        bench(directory, *args), env=environment(), capture_output=True, text=True, check=False, timeout=1200
    )


def numbers(directory: Path) -> list[dict[str, Any]]:
    given: list[dict[str, Any]] = json.loads((directory / "bench.json").read_text())["measurements"]
    return given


def stub_args(server: StubServer) -> Sequence[str]:
    return ["--url", f"https://127.0.0.1:{server.port}", "--ca", str(server.ca), "-x", "secret"]


def test_a_server_of_its_own_is_measured_by_several_processes(tmp_path: Path) -> None:
    done = run(tmp_path, "--clients", "40", "--entries", "20", "--processes", "2")
    assert done.returncode == 0, done.stderr
    assert "40 good, 0 failed, 0 unfinished" in done.stdout
    (measured,) = numbers(tmp_path)
    assert measured["counts"]["runs_ok"] == 40
    assert measured["counts"]["calls"] == 200
    assert measured["latency"]["GetConfig"]["count"] == 40
    assert measured["client_cpu_seconds_per_run"] > 0
    assert measured["server_cpu_seconds"] > 0
    assert measured["peak_rss"] >= measured["peak_pss"] > 10_000_000
    assert "40 clients" in (tmp_path / "bench.html").read_text()
    assert min(measured["turns"][0]["calls"]["seconds"]) > 0


def test_two_servers_are_compared(tmp_path: Path) -> None:
    args = ["--compare", "gevent", "builtin,server.request_timeout=60", "--rounds", "1", "--entries", "20"]
    done = run(tmp_path, *args, "--clients", "20", "--concurrency", "4", "--runs", "1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"first / this +x\d", done.stdout)
    first, second = numbers(tmp_path)
    assert (first["server"], second["server"]) == ("gevent", "builtin,server.request_timeout=60")
    assert first["counts"]["runs_ok"] == second["counts"]["runs_ok"] == 20


def test_a_server_that_runs_is_called_by_the_clients_that_are_named(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        done = run(tmp_path, *stub_args(server), "--clients", "3", "--runs", "2", "--splay", "0")
    assert done.returncode == 0, done.stderr
    calls = {(call.user, call.password) for call in server.received}
    assert calls == {(f"client000{number}.example.com", "secret") for number in (1, 2, 3)}
    # Each client has made one run to warm up.
    assert server.methods.count("RecvStats") == 6 + 3


def test_failed_runs_make_the_exit_status(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        command = bench(tmp_path, *stub_args(server), "--clients", "1", "--concurrency", "1", "--seconds", "60")
        with subprocess.Popen([*command, "--retry-delay", "0.01"], env=environment()) as running:
            wait_until(lambda: server.methods.count("RecvStats") > 3, "some runs")
            server.answers["GetConfig"] = Status(500)
            seen = server.methods.count("GetConfig")
            wait_until(lambda: server.methods.count("GetConfig") > seen + 3, "some failures")
            running.send_signal(signal.SIGINT)
            running.wait(60)
    (measured,) = numbers(tmp_path)
    assert measured["counts"]["runs_failed"] > 0
    assert measured["errors"].keys() == {"GetConfig: HTTP status 500"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_load_is_reported_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    with StubServer(tmp_path) as server:
        command = bench(tmp_path, *stub_args(server), "--clients", "4", "--concurrency", "2", "--seconds", "600")
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as running:
            wait_until(lambda: server.methods.count("RecvStats") > 12, "some runs")
            children = process_tree(running.pid)[1:]
            # The second one comes while the first one's results are collected.
            running.send_signal(number)
            running.send_signal(number)
            printed = running.communicate(timeout=60)[0]
    assert running.returncode == 130
    assert re.search(r"\d unfinished", printed)
    (measured,) = numbers(tmp_path)
    assert measured["interrupted"]
    assert measured["counts"]["runs_ok"] > 0
    assert "interrupted after" in (tmp_path / "bench.html").read_text()
    assert children
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_the_processes_of_a_load_end_with_the_one_that_has_started_them(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        command = bench(tmp_path, *stub_args(server), "--clients", "4", "--concurrency", "2", "--seconds", "600")
        # What it leaves when it is killed has to go, too.
        with subprocess.Popen(command, env={**environment(), "TMPDIR": str(tmp_path)}) as running:
            wait_until(lambda: server.methods.count("RecvStats") > 12, "some runs")
            children = process_tree(running.pid)[1:]
            running.kill()
    assert children
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the end of all processes")


def test_a_server_that_does_not_work_is_not_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer(tmp_path, GetProbes=Status(403)) as server:
        args = [*stub_args(server), "--report", str(tmp_path / "bench.html")]
        assert main(["bench", *args]) == 1
    assert "a single run of client0001.example.com failed: GetProbes: HTTP status 403" in capsys.readouterr().err
    assert server.methods == ["DeclareVersion", "GetProbes"]


def test_a_foreign_host_is_refused_unless_it_is_named_again() -> None:
    foreign = Target("192.0.2.1", 6789)
    with pytest.raises(ConfigError, match=r"--i-run-this-server 192\.0\.2\.1"):
        check_allowed(foreign, None)
    with pytest.raises(ConfigError, match="is not this machine"):
        check_allowed(foreign, "192.0.2.2")
    check_allowed(foreign, "192.0.2.1")
    check_allowed(Target("127.8.0.1", 6789), None)
    check_allowed(Target("::1", 6789), None)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--url", "https://192.0.2.1:6789", "--ca", "/etc/hosts", "-x", "p"], "192.0.2.1 is not this machine"),
        (["--url", "https://127.0.0.1:6789", "-x", "p"], "there is no CA certificate"),
        (["--url", "https://127.0.0.1:6789", "--ca", "/etc/hosts"], "there is no password"),
        (["--url", "https://127.0.0.1:6789", "--ca", "/etc/hosts", "-x", "p"], "/etc/hosts: no usable CA certificates"),
        (["--url", "http://127.0.0.1:6789"], "expected https://HOST:PORT"),
        (["--url", "https://127.0.0.1:x"], "expected https://HOST:PORT"),
        (["--clients", "60001"], "there are addresses for 60000 clients, not for 60001"),
        (["--compare", "gevent", "apache"], "'apache' is no core"),
        (["--compare", "gevent", "https://127.0.0.1:6789"], "have no clients in common"),
        (["--concurrency", "1", "--rate", "1"], "exclude one another"),
        (["--option", "pool_size=1"], "an option of a server is SECTION.OPTION=VALUE"),
        (["--option", "gevent.pool_size=many", "--clients", "1", "--entries", "20"], "pool_size"),
        (["--report", "/nonexistent/bench.html"], "cannot be written"),
        (["--report", "bench.json"], "take another one"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    args: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *args]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "bench.html").exists()


def test_the_processes_that_listen_on_a_port_are_found(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        assert listening_processes(server.port) == [os.getpid()]
    assert listening_processes(server.port) == []


def test_samples_hold_a_tree_of_processes() -> None:
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {'input()'!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as root:
        wait_until(lambda: len(process_tree(root.pid)) == 2, "the child")
        with Sampler([root.pid], interval_seconds=0.01) as sampler:
            wait_until(lambda: len(sampler.result.samples) > 3, "some samples")
            sampled = sampler.processes()
        root.communicate(b"\n")
    assert [process.pid for process in sampled] == [process.pid for process in sampler.result.largest]
    assert len(sampled) == 2
    last = sampler.result.samples[-1]
    assert last.processes == 2
    assert last.rss >= last.pss > 0
    assert last.descriptors >= 6
    assert last.cpu_seconds > 0
