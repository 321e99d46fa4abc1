"""Clients that make whole runs beside a test, one after the other, and must not notice it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from geventcore.fleet import Fleet, Identity, RunResult, Schedule, Target
from tests.support.contract_repository import HOSTS
from tests.support.live_server import GLOBAL_PASSWORD, LiveSite


def run_fleet(site: LiveSite, hosts: Sequence[str]) -> list[RunResult]:
    """A run of each client of a herd, all at the same time."""
    identities = [Identity(host, host, GLOBAL_PASSWORD) for host in hosts]
    fleet = Fleet(Target("127.0.0.1", site.port), identities, Schedule(concurrency=len(hosts)), ca=site.ca)
    return asyncio.run(fleet.run()).runs


def assert_unharmed(runs: list[RunResult]) -> None:
    """No run has failed, no call had to be repeated, and each brought a whole configuration."""
    assert runs
    failures = [(run.hostname, run.reason) for run in runs if not run.ok]
    assert not failures, f"{len(failures)} of {len(runs)} runs have failed: {failures[:5]}"
    errors = [(run.hostname, tried.method, tried.error) for run in runs for tried in run.attempts if tried.error]
    assert not errors, f"{len(errors)} calls were repeated: {errors[:5]}"
    assert all(run.observation is not None and run.observation.total > 0 for run in runs)


class Neighbours:
    """A herd of clients whose members make run after run until the block ends, in a thread.

    Attributes:
        runs: those that have ended.
    """

    def __init__(self, site: LiveSite, clients: int) -> None:
        self._site = site
        self._clients = clients
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="neighbours")
        self._failure: BaseException | None = None
        self.runs: list[RunResult] = []

    def __enter__(self) -> Neighbours:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self.runs += run_fleet(self._site, HOSTS[: self._clients])
        except BaseException as err:  # noqa: BLE001 - it is raised again where the test can see it
            self._failure = err
