"""A summary for people, computed from the samples of two moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geventcore.metrics.families import Sample


@dataclass(frozen=True)
class MethodFigures:
    """The figures of a method: calls per second, and mean duration in seconds."""

    per_second: float
    mean_seconds: float


@dataclass(frozen=True)
class PoolFigures:
    """The use of a pool."""

    limit: int
    used: int
    waiting: int


@dataclass(frozen=True)
class ProcessFigures:
    """One process: resident and proportional memory in bytes, and descriptors; None if the kernel denies access."""

    resident_bytes: int
    proportional_bytes: int | None
    open_files: int | None
    open_files_limit: int | None


@dataclass(frozen=True)
class Summary:
    """The figures of a server.

    Attributes:
        info: the program: ``version``, ``python``, ``core``.
        revision: revision of the repository.
        content: digest of the files of the repository that are in use.
        uptime_seconds: age of the oldest process.
        processes: process number -> figures.
        silent: number of processes that did not answer.
        connections: state -> number of connections.
        accept_queue: number of connections that wait to be accepted.
        pools: name -> use.
        requests: number of requests since the start.
        per_second: outcome -> requests per second between the two moments.
        methods: figures of methods called between the two moments.
        handshake_failures: reason -> number since the start.
        hosts: ``clean``, ``dirty``, ``stale`` (by their last reports) or ``failing`` -> number of hosts.
        certificate_days: ``server``, ``second`` or ``ca`` -> days until the certificate expires.
    """

    info: dict[str, str]
    revision: str
    content: str
    uptime_seconds: float
    processes: dict[str, ProcessFigures]
    silent: int
    connections: dict[str, int]
    accept_queue: int
    pools: dict[str, PoolFigures]
    requests: int
    per_second: dict[str, float]
    methods: dict[str, MethodFigures]
    handshake_failures: dict[str, int]
    hosts: dict[str, int]
    certificate_days: dict[str, float]


class _Values:
    """Samples by name."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
        for name, labels, value in samples:
            self._by_name.setdefault(name, []).append((dict(labels), value))

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return label value -> sum of its samples."""
        sums: dict[str, float] = {}
        for labels, value in self._by_name.get(name, ()):
            key = labels.get(label, "")
            sums[key] = sums.get(key, 0.0) + value
        return sums

    def total(self, name: str) -> float:
        """Return the sum of all samples."""
        return sum(value for _, value in self._by_name.get(name, ()))

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels of the first sample."""
        return next((labels for labels, _ in self._by_name.get(name, ())), {})


def summarise(before: Sequence[Sample], after: Sequence[Sample], seconds: float, now: float) -> Summary:
    """Summarise a moment, with rates over the `seconds` since an earlier one; `now` is in seconds since 1970."""
    old, new = _Values(before), _Values(after)

    def rates(name: str, label: str) -> dict[str, float]:
        then = old.by(name, label)
        found = {key: (value - then.get(key, 0.0)) / seconds for key, value in new.by(name, label).items()}
        return {key: rate for key, rate in found.items() if rate > 0}

    calls, durations = (
        rates("geventcore_method_seconds_count", "method"),
        rates("geventcore_method_seconds_sum", "method"),
    )
    proportional = new.by("geventcore_process_proportional_memory_bytes", "process")
    files = new.by("geventcore_process_open_fds", "process")
    limits = new.by("geventcore_process_max_fds", "process")
    resident = new.by("geventcore_process_resident_memory_bytes", "process")
    used, waiting = new.by("geventcore_pool_used", "pool"), new.by("geventcore_pool_waiting", "pool")
    starts = new.by("geventcore_process_start_time_seconds", "process").values()
    return Summary(
        info=new.labels("geventcore_info"),
        revision=new.labels("geventcore_repository_info").get("revision", ""),
        content=new.labels("geventcore_repository_info").get("content", ""),
        uptime_seconds=now - min(starts, default=now),
        processes={
            pid: ProcessFigures(
                int(resident[pid]),
                int(proportional[pid]) if pid in proportional else None,
                int(files[pid]) if pid in files else None,
                int(limits[pid]) if pid in limits else None,
            )
            for pid in sorted(resident, key=int)
        },
        silent=int(new.by("geventcore_processes", "state").get("silent", 0)),
        connections=_whole(new.by("geventcore_connections", "state")),
        accept_queue=int(new.total("geventcore_accept_queue")),
        pools={
            name: PoolFigures(int(limit), int(used.get(name, 0)), int(waiting.get(name, 0)))
            for name, limit in sorted(new.by("geventcore_pool_limit", "pool").items())
        },
        requests=int(new.total("geventcore_requests_total")),
        per_second=rates("geventcore_requests_total", "outcome"),
        methods={
            method: MethodFigures(rate, durations.get(method, 0.0) / rate) for method, rate in sorted(calls.items())
        },
        handshake_failures=_whole(new.by("geventcore_tls_handshake_failures_total", "reason")),
        hosts={
            **_whole(new.by("geventcore_hosts", "state")),
            "failing": int(new.total("geventcore_hosts_failing")),
        },
        certificate_days=new.by("geventcore_certificate_days_left", "certificate"),
    )


def _whole(values: dict[str, float]) -> dict[str, int]:
    return {key: int(value) for key, value in sorted(values.items())}
