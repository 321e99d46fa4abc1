"""Clients that make whole runs beside a test, one after the other, and must not notice it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from geventcore.simulation import Load, RunPlan, SimulatedClient, Target
from geventcore.testing.client_runs import ClientRun, runs_of
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveSite


def run_herd(site: LiveSite, hosts: Sequence[str]) -> list[ClientRun]:
    """A run of each client of a herd, all at the same time."""
    clients = [SimulatedClient(host, host) for host in hosts]
    plan = RunPlan(checks_answers=True)
    return runs_of(Load(Target("127.0.0.1", site.port), site.ca, GLOBAL_PASSWORD, clients, plan=plan))


def assert_unharmed(runs: list[ClientRun]) -> None:
    """No run has failed, no call had to be repeated, and each brought a whole configuration."""
    assert runs
    failures = [(run.client, run.reason) for run in runs if run.reason]
    assert not failures, f"{len(failures)} of {len(runs)} runs have failed: {failures[:5]}"
    errors = [(run.client, tried.method, tried.error) for run in runs for tried in run.attempts if tried.error]
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
        self.runs: list[ClientRun] = []

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
                self.runs += run_herd(self._site, HOSTS[: self._clients])
        except BaseException as err:  # noqa: BLE001 - it is raised again where the test can see it
            self._failure = err
