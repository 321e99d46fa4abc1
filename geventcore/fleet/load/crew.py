"""The processes of a load, from beginning to end.

    with Crew(load) as crew:
        crew.prepare()
        result = crew.run()

Only servers on this machine are called, unless their host is named a second time: a load is an attack on anybody who
has not asked for it. Every load is bounded in time, and ends with the process that has started it.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from geventcore.errors import ConfigError
from geventcore.fleet.connection import Target
from geventcore.fleet.load.engine import LoadError
from geventcore.fleet.load.job import Job, LoadClient, Pace, Patience
from geventcore.fleet.load.records import LoadResult

#: Runs that are made before the clock starts, in each process: of clients from all over the list, which in generated
#: repositories have all the profiles.
WARM_UP_RUNS = 4
#: For warming up, and for handing in results. A server under load may take long for a single run.
_PREPARE_SECONDS = 300.0
_REPORT_SECONDS = 60.0
#: From the word to begin until the beginning: all processes have read it by then.
_LEAD_SECONDS = 0.1
#: One process keeps up with so many clients that begin in the same second.
_CLIENTS_PER_PROCESS = 2500


@dataclass(frozen=True)
class Load:
    """Clients and what they do to a server.

    Attributes:
        target: the server.
        ca: the CA certificate that the server's is checked with in every handshake.
        password: the clients'.
        clients: those who call.
        pace: when they do.
        seconds: after which everything ends.
        patience: how long they try.
        processes: how many play the clients; 0 for as many as they need, at most one for each processor.
    """

    target: Target
    ca: Path
    password: str = field(repr=False)
    clients: Sequence[LoadClient]
    pace: Pace
    seconds: float
    patience: Patience = field(default_factory=Patience)
    processes: int = 0


@dataclass
class Progress:
    """How far a load is: numbers of runs, and of calls made again."""

    seconds: float = 0.0
    ok: int = 0
    failed: int = 0
    retries: int = 0
    underway: int = 0


def check_allowed(target: Target, named_host: str | None) -> None:
    """Refuse a server on another machine whose host is not the one that was named; raises ConfigError."""
    if target.host == named_host:
        return
    for address in target.resolve():
        # An IPv6 address may have a scope.
        if not ip_address(str(address.sockaddr[0]).partition("%")[0]).is_loopback:
            raise ConfigError(
                f"{target.host} is not this machine, and a load may put its server out of service: if it is yours,"
                f" say so (--i-run-this-server {target.host})"
            )


class Crew:
    """Processes that play clients; they end at the end of the `with` block at the latest."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._directory = tempfile.TemporaryDirectory(prefix="geventcore-load-")
        self._workers: list[subprocess.Popen[str]] = []
        self.interrupted = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers:
            worker.kill()
            worker.communicate()
        self._directory.cleanup()

    @property
    def pids(self) -> list[int]:
        """The processes."""
        return [worker.pid for worker in self._workers]

    def prepare(self) -> None:
        """Start the processes and let them make what clients send, with a run of some of their clients.

        Raises:
            LoadError: the server does not answer as it should even to one client alone.
            ConfigError: its name cannot be resolved.
        """
        jobs = self._jobs()
        for _ in jobs:
            worker = subprocess.Popen(
                [sys.executable, "-m", "geventcore.fleet.load.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                # Of its own, so that Ctrl-C on the terminal is for this process, which ends the load properly.
                start_new_session=True,
            )
            self._workers.append(worker)
        # One after the other, so that they do not load the server already.
        for job, worker in zip(jobs, self._workers, strict=True):
            _write(worker, job.to_json())
            said = self._read(worker, time.monotonic() + _PREPARE_SECONDS)
            if not said.get("prepared"):
                raise LoadError(str(said.get("error", "a process of the load has ended before it began")))

    def run(self, progress: Callable[[Progress], None] = lambda _: None) -> LoadResult:
        """Make the load; returns when it is over. Ctrl-C ends it early, and what was measured by then is returned.

        Args:
            progress: called about once a second.

        Raises:
            LoadError: a process did not hand in its result.
        """
        begin = time.monotonic() + _LEAD_SECONDS
        for worker in self._workers:
            _write(worker, repr(begin))
        try:
            self._watch(begin, progress)
        except KeyboardInterrupt:
            self.interrupted = True
            for worker in self._workers:
                _write(worker, "stop")
            self._watch(begin, lambda _: None)
        result = LoadResult()
        for number in range(len(self._workers)):
            try:
                result.add(LoadResult.read(self._results(number)))
            except (OSError, ValueError, EOFError) as error:
                raise LoadError("a process of the load has ended without its result") from error
        return result

    def _watch(self, begin: float, progress: Callable[[Progress], None]) -> None:
        """Return when all processes have ended or said that they are done."""
        deadline = begin + self._load.seconds + _REPORT_SECONDS
        latest: dict[int, dict[str, Any]] = {}
        with selectors.DefaultSelector() as selector:
            for number, worker in enumerate(self._workers):
                assert worker.stdout is not None
                if worker.poll() is None:
                    selector.register(worker.stdout, selectors.EVENT_READ, number)
            while selector.get_map():
                if time.monotonic() > deadline:
                    raise LoadError("the load did not end in time")
                for key, _ in selector.select(1.0):
                    said = _parse(self._workers[key.data])
                    if not said or said.get("done"):
                        selector.unregister(key.fileobj)
                    else:
                        latest[key.data] = said
                        if key.data == min(latest):
                            sums = {
                                name: sum(one[name] for one in latest.values())
                                for name in ("ok", "failed", "retries", "underway")
                            }
                            progress(Progress(time.monotonic() - begin, **sums))

    def _read(self, worker: subprocess.Popen[str], deadline: float) -> dict[str, Any]:
        assert worker.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(worker.stdout, selectors.EVENT_READ)
            if not selector.select(deadline - time.monotonic()):
                raise LoadError("a single run was not over in time")
        return _parse(worker)

    def _jobs(self) -> list[Job]:
        load = self._load
        address = load.target.resolve()[0]
        count = load.processes or min(_processors(), -(-_most_at_once(load) // _CLIENTS_PER_PROCESS))
        count = max(1, min(count, len(load.clients), load.pace.concurrency or len(load.clients)))
        return [
            Job(
                family=address.family,
                sockaddr=address.sockaddr,
                authority=load.target.authority,
                path=load.target.path,
                ca=load.ca,
                password=load.password,
                clients=load.clients[number::count],
                pace=load.pace.share(number, count),
                seconds=load.seconds,
                patience=load.patience,
                warm_up=WARM_UP_RUNS,
                results=self._results(number),
            )
            for number in range(count)
        ]

    def _results(self, number: int) -> Path:
        return Path(self._directory.name) / f"{number}.records"


def _most_at_once(load: Load) -> int:
    return min(len(load.clients), load.pace.concurrency or len(load.clients))


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _write(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None
    try:
        worker.stdin.write(line + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        # It has ended; the reader of its output notices.
        return


def _parse(worker: subprocess.Popen[str]) -> dict[str, Any]:
    """The next object that a process says; empty at the end of its output."""
    assert worker.stdout is not None
    line = worker.stdout.readline()
    said: dict[str, Any] = json.loads(line) if line else {}
    return said
