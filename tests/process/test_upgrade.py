"""Upgrades under the load of 64 clients: another checkout, another configuration, another core; no run fails."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from geventcore.simulation import Load, Pace, RetryPolicy, SimulatedClient, Target, make_runs
from geventcore.simulation.records import LoadResult
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveServer, LiveSite
from geventcore.testing.site_files import PLUGINS
from tests.contract.test_replace import successor
from tests.peers.server import ServerProcess
from tests.support.project import PROJECT, SITE_PLUGINS
from tests.support.site_plugins import slow_start

pytestmark = pytest.mark.live

CLIENTS = 64
NEW_VERSION = "99.1.0"
#: The load goes on until the last upgrade; this only ends one that hangs.
LONGEST_LOAD_SECONDS = 300.0


class BackgroundLoad:
    """Clients that make runs all the time, in a thread of this process."""

    def __init__(self, site: LiveSite) -> None:
        self._end = threading.Event()
        self._results: list[LoadResult] = []
        clients = [SimulatedClient(name, name) for name in HOSTS[:CLIENTS]]
        # Each round is a load of its own, so that no run is cut off.
        self._load = Load(
            Target("127.0.0.1", site.port),
            site.ca,
            GLOBAL_PASSWORD,
            clients,
            Pace(runs=1, splay_seconds=0.5),
            LONGEST_LOAD_SECONDS,
            RetryPolicy(),
        )
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._end.is_set():
            self._results.append(make_runs(self._load))

    def __enter__(self) -> BackgroundLoad:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def summary(self) -> tuple[int, int, float]:
        """Runs, failed runs, and the longest call in seconds."""
        made = sum(result.counts.runs_ok for result in self._results)
        failed = sum(result.counts.runs_failed for result in self._results)
        return made + failed, failed, max(max(result.records.seconds) for result in self._results)


def other_checkout(directory: Path) -> Path:
    """Copy the package as another version of it."""
    shutil.copytree(PROJECT / "geventcore", directory / "geventcore", ignore=shutil.ignore_patterns("__pycache__"))
    start = directory / "geventcore/__init__.py"
    text = start.read_text()
    assert "__version__ = " in text
    start.write_text(text[: text.index("__version__ = ")] + f'__version__ = "{NEW_VERSION}"\n')
    return directory


def test_upgrades_without_a_failed_run(tmp_path: Path) -> None:
    site = LiveSite(tmp_path / "site", "builtin", plugins=[*PLUGINS, "slow_start.SlowStart"])
    site.options["admin"] = {"listen": "none", "control": f"unix:{tmp_path / 'control'}"}
    site.options["database"] = {"name": str(tmp_path / "shared.sqlite")}
    checkout = other_checkout(tmp_path / "checkout")
    one, two = {"gevent": {"workers": "1"}}, {"gevent": {"workers": "2"}}
    with ExitStack() as started:
        running = started.enter_context(site.start())
        with BackgroundLoad(site) as load:
            # The first new process is killed in the middle of the take-over, another one cannot start.
            order = site.directory / slow_start.ORDER
            order.touch()
            with successor(site, 90).launch("--replace") as killed:
                running.wait_for_log("Handing the sockets over")
                os.kill(killed.pid, signal.SIGKILL)
            order.unlink()
            with successor(site, 91, communication={"key": "/nonexistent"}).launch("--replace") as broken:
                assert broken.wait() == 1
            running.wait_for_log("this server goes on", times=2)
            # Name of the core, further options, and the directory with the package.
            for number, (core, options, package) in enumerate(
                [
                    ("builtin", {}, PROJECT),
                    ("gevent", one, checkout),
                    ("gevent", {**one, "server": {"drain_timeout": "20"}}, checkout),
                    ("gevent", two, PROJECT),
                    ("builtin", {}, PROJECT),
                ]
            ):
                changed = {**options, "server": {"core": core, **options.get("server", {})}}
                following = successor(site, number, **changed)
                environ = {**site.environ(), "PYTHONPATH": f"{package}:{SITE_PLUGINS}"}
                process = ServerProcess(following.command("--replace"), following.server_site, environ)
                new = started.enter_context(LiveServer(following, process))
                new.wait_for_log("Serving in the place of")
                assert running.wait() == 0
                assert (f"(geventcore {NEW_VERSION})" in running.log_text()) == (package == checkout)
                grave = [line.message for line in running.grave() if "this server goes on" not in line.message]
                assert grave == []
                running = new
    runs, failed, slowest = load.summary()
    print(f"{runs} runs, {failed} failed, the slowest call took {slowest:.2f} s")
    assert runs >= CLIENTS
    assert failed == 0
