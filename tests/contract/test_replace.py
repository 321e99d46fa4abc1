"""A new process takes the sockets over from a running server, while clients call all the time."""

from __future__ import annotations

import copy
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from geventcore.testing.live_site import LiveServer, LiveSite, is_alive, process_tree, wait_until
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import CONNECTION_ERRORS
from tests.support.site_plugins import slow_start

CALLERS = 4
PLUGIN = "slow_start.SlowStart"


def successor(site: LiveSite, number: int, **options: dict[str, str]) -> LiveSite:
    """The same site with its own log and configuration file, for the next process; `options` replace some."""
    made = copy.copy(site)
    made.directory = site.directory / f"next-{number}"
    made.options = {section: dict(values) for section, values in site.options.items()}
    for section, values in options.items():
        made.options.setdefault(section, {}).update(values)
    made.server_site = replace(site.server_site, directory=made.directory, overrides=made.options)
    return made


class Callers:
    """Threads that call the server, one call after the other."""

    def __init__(self, site: LiveSite) -> None:
        self._site = site
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        self.failures: list[Exception] = []
        self.calls = 0

    def _call(self) -> None:
        client = self._site.client("somebody")
        while not self._end.is_set():
            try:
                assert client.call("ping") == []
                self.calls += 1
            except (*CONNECTION_ERRORS, AssertionError) as err:
                self.failures.append(err)
                return

    def wait_for_more(self) -> None:
        """Return when some more calls were answered."""
        before = self.calls
        wait_until(lambda: self.calls > before + 2 * CALLERS or self.failures, "more calls")
        assert not self.failures, self.failures

    @contextmanager
    def calling(self) -> Iterator[Callers]:
        """Call until the block ends."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._end.set()
            for thread in self._threads:
                thread.join()


def test_a_new_process_serves_in_the_place_of_the_old_one(new_site: Callable[..., LiveSite], tmp_path: Path) -> None:
    site = new_site(plugins=[*PLUGINS, PLUGIN])
    control = tmp_path / "control"
    site.options["admin"] = {"listen": f"unix:{tmp_path / 'admin'}", "control": f"unix:{control}"}
    site.options["database"] = {"name": str(site.directory / "shared.sqlite")}
    order = site.directory / slow_start.ORDER
    with ExitStack() as started:
        old = started.enter_context(site.start())
        with Callers(site).calling() as callers:
            callers.wait_for_more()
            _cannot_start(successor(site, 1, communication={"key": "/nonexistent"}), old)
            callers.wait_for_more()
            order.touch()
            _is_killed(successor(site, 2), old)
            callers.wait_for_more()
            new = started.enter_context(successor(site, 3).launch("--replace"))
            old.wait_for_log("Handing the sockets over", times=3)
            with successor(site, 4).launch("--replace") as late:
                assert late.wait() == 1
            assert "another process is about to take them over" in late.log_text()
            order.unlink()
            new.wait_for_log("Serving in the place of")
            assert old.wait() == 0
            assert f"Ending, because process {new.pid} " in old.log_text()
            callers.wait_for_more()
            # The files are still those of the sockets: the next process finds them.
            newest = started.enter_context(successor(site, 5).launch("--replace"))
            newest.wait_for_log("Serving in the place of")
            assert new.wait() == 0
            callers.wait_for_more()
        assert [line.message for line in newest.grave()] == []
        assert newest.stop() == 0
    assert not control.exists()
    assert not (tmp_path / "admin").exists()


def _cannot_start(site: LiveSite, old: LiveServer) -> None:
    with site.launch("--replace") as new:
        assert new.wait() == 1
        assert f"process {old.pid} (geventcore" in new.log_text()
        assert "goes on serving" in new.log_text()
    old.wait_for_log("has ended before it served clients; this server goes on")


def _is_killed(site: LiveSite, old: LiveServer) -> None:
    with site.launch("--replace") as new:
        old.wait_for_log("Handing the sockets over", times=2)
        tree = process_tree(new.pid)
        os.kill(new.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, tree)), "the end of the new process")
    old.wait_for_log("has ended before it served clients; this server goes on", times=2)
