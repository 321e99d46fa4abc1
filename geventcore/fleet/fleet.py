"""Many clients at once: who starts when, and how many at a time.

A herd: every client starts at once, and as many run at a time as `concurrency` allows. A splay: each client starts at a
random moment of the first `splay_seconds`, as clients do that are told to splay. With several runs per client, each
begins when its last one has ended; no client ever runs twice at a time.
"""

from __future__ import annotations

import asyncio
import random
import resource
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from geventcore.errors import ConfigError
from geventcore.fleet.calls import CallPolicy
from geventcore.fleet.client_run import ClientRun, Identity, RunPlan, RunResult
from geventcore.fleet.connection import Address, Target, client_context
from geventcore.fleet.result import FleetResult

#: Descriptors that a process has open besides its connections, generously.
_SPARE_DESCRIPTORS = 64


@dataclass(frozen=True)
class Schedule:
    """When clients run.

    Attributes:
        concurrency: how many run at a time, at most.
        runs: how many runs each client makes.
        splay_seconds: the time over which the first runs are spread; 0 for all at once.
        seed: of the random moments, so that a splay can be repeated.
    """

    concurrency: int
    runs: int = 1
    splay_seconds: float = 0.0
    seed: int = 0


class Fleet:
    """A fleet and what has come of it so far.

    Attributes:
        result: grows while the fleet runs, so that it is of use also if the fleet is stopped.
    """

    def __init__(
        self,
        target: Target,
        identities: Sequence[Identity],
        schedule: Schedule,
        plan: RunPlan | None = None,
        policy: CallPolicy | None = None,
        ca: Path | None = None,
        on_run: Callable[[RunResult], None] | None = None,
    ) -> None:
        """`ConfigError` or `TLSError` if the server's name or one of the files is of no use.

        Args:
            ca: certificates to check the server's with; None for no check.
            on_run: called at the end of each run, in the event loop's thread.
        """
        self._target = target
        self._addresses: list[Address] = target.resolve()
        self._identities = identities
        self._schedule = schedule
        self._plan = plan or RunPlan()
        self._policy = policy or CallPolicy()
        self._on_run = on_run
        shared = client_context(ca)
        # Reading a key takes time that is not the run's: contexts are made beforehand, one for all without a key.
        self._contexts: list[ssl.SSLContext] = [
            client_context(ca, identity.certificate, identity.key) if identity.certificate else shared
            for identity in identities
        ]
        self.result = FleetResult()

    async def run(self) -> FleetResult:
        """Let all clients make all their runs."""
        concurrency = min(self._schedule.concurrency, len(self._identities))
        _raise_descriptor_limit(concurrency + _SPARE_DESCRIPTORS)
        slots = asyncio.Semaphore(concurrency)
        moments = random.Random(self._schedule.seed)
        begin = time.perf_counter()
        clients = [
            asyncio.ensure_future(self._client(identity, context, slots, moments.random()))
            for identity, context in zip(self._identities, self._contexts, strict=True)
        ]
        try:
            await asyncio.gather(*clients)
        finally:
            self.result.wall_seconds = time.perf_counter() - begin
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
        return self.result

    async def _client(
        self, identity: Identity, context: ssl.SSLContext, slots: asyncio.Semaphore, moment: float
    ) -> None:
        if self._schedule.splay_seconds:
            await asyncio.sleep(moment * self._schedule.splay_seconds)
        for _ in range(self._schedule.runs):
            async with slots:
                run = ClientRun(identity, self._plan, self._target, self._addresses, context, self._policy)
                result = await run.run()
            self.result.runs.append(result)
            if self._on_run is not None:
                self._on_run(result)


def _raise_descriptor_limit(needed: int) -> None:
    """Each connection takes a file descriptor, and the usual limit of 1024 is meant to be raised by who needs more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(
            f"{needed} open files are needed and the limit is {hard}: lower the concurrency or raise the limit"
            " (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
