"""What a fleet did: the results of all runs, and a summary for people and programs."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from geventcore.fleet.client_run import RunResult
from geventcore.fleet.observation import Observation

#: In the order in which a run makes them.
METHODS = (
    "AssertProfile",
    "DeclareVersion",
    "GetProbes",
    "RecvProbeData",
    "GetDecisionList",
    "GetConfig",
    "RecvStats",
)


@dataclass(frozen=True)
class Latency:
    """How long something took, in seconds, as nearest-rank percentiles of `count` cases."""

    count: int
    p50: float
    p90: float
    p99: float
    maximum: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latency | None:
        """None if there is no case."""
        ordered = sorted(seconds)
        if not ordered:
            return None
        return cls(len(ordered), percentile(ordered, 50), percentile(ordered, 90), percentile(ordered, 99), ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least `percent` percent of them do not exceed; `ordered` is not empty."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True)
class MethodSummary:
    """One XML-RPC method: the latency of attempts that were answered, and how many were not or were repeated."""

    method: str
    latency: Latency | None
    failed_attempts: int
    retries: int


@dataclass(frozen=True)
class ClientSummary:
    """What one client got: the entries of its configuration by type, and what is wrong with the bad ones."""

    hostname: str
    entries: Mapping[str, int]
    total: int
    good: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class FleetSummary:
    """All runs in numbers.

    Attributes:
        clients: how many made at least one run.
        runs_ok, runs_failed, retries: counts.
        wall_seconds: from the first call to the last answer of the whole fleet.
        connect: latency of TCP connection and TLS handshake together.
        run: latency of whole runs that were good.
        methods: in the order in which a run calls them.
        failures: reason -> number of runs that failed for it.
        errors: reason -> number of attempts that failed for it, whether or not the run did.
        bad_entries: number of entries that clients reported as bad.
        example: the client with the most entries; of several the first by name.
    """

    clients: int
    runs_ok: int
    runs_failed: int
    retries: int
    wall_seconds: float
    connect: Latency | None
    run: Latency | None
    methods: tuple[MethodSummary, ...]
    failures: Mapping[str, int]
    errors: Mapping[str, int]
    bad_entries: int
    example: ClientSummary | None

    @property
    def runs_per_second(self) -> float:
        """Runs that ended, good or not, per second of wall time."""
        return (self.runs_ok + self.runs_failed) / self.wall_seconds if self.wall_seconds else 0.0


@dataclass
class FleetResult:
    """Every run that has ended so far, in the order of their ends."""

    runs: list[RunResult] = field(default_factory=list)
    wall_seconds: float = 0.0

    def summary(self) -> FleetSummary:
        """The numbers."""
        attempts = [(run, attempt) for run in self.runs for attempt in run.attempts]
        methods = []
        for method in METHODS:
            of_method = [attempt for _, attempt in attempts if attempt.method == method]
            if of_method:
                methods.append(
                    MethodSummary(
                        method,
                        Latency.of(attempt.seconds for attempt in of_method if attempt.error is None),
                        sum(attempt.error is not None for attempt in of_method),
                        sum(attempt.number > 1 for attempt in of_method),
                    )
                )
        return FleetSummary(
            clients=len({run.hostname for run in self.runs}),
            runs_ok=sum(run.ok for run in self.runs),
            runs_failed=sum(not run.ok for run in self.runs),
            retries=sum(method.retries for method in methods),
            wall_seconds=self.wall_seconds,
            connect=Latency.of(
                attempt.connect_seconds for _, attempt in attempts if attempt.connect_seconds is not None
            ),
            run=Latency.of(run.seconds for run in self.runs if run.ok),
            methods=tuple(methods),
            failures=_counted(_reason(run, run.reason) for run in self.runs if run.reason is not None),
            errors=_counted(
                f"{attempt.method}: {_reason(run, attempt.error)}"
                for run, attempt in attempts
                if attempt.error is not None
            ),
            bad_entries=sum(
                run.observation.total - run.observation.good for run in self.runs if run.observation is not None
            ),
            example=min(
                (_client(run, run.observation) for run in self.runs if run.observation is not None),
                key=lambda client: (-client.total, client.hostname),
                default=None,
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """Everything, as `json.dump` takes it: the summary and each attempt of each run. Times are in seconds."""
        summary = self.summary()
        return {
            "summary": {**dataclasses.asdict(summary), "runs_per_second": summary.runs_per_second},
            "runs": [
                {
                    "client": run.hostname,
                    "exit_status": run.exit_status,
                    "reason": run.reason,
                    "started": run.started,
                    "seconds": run.seconds,
                    "probes": run.probes,
                    "total": run.observation.total if run.observation else None,
                    "good": run.observation.good if run.observation else None,
                    "attempts": [dataclasses.asdict(attempt) for attempt in run.attempts],
                }
                for run in self.runs
            ],
        }


def _client(run: RunResult, seen: Observation) -> ClientSummary:
    return ClientSummary(run.hostname, seen.entries, seen.total, seen.good, seen.problems)


def _reason(run: RunResult, reason: str) -> str:
    """The reason without the client's own name, so that a thousand clients with one trouble are one line."""
    return reason.replace(run.hostname, "HOST")


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    return dict(Counter(reasons).most_common())
