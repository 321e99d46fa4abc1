"""The state of running servers, from their admin listeners: one view for each machine."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from geventcore.metrics.exposition import parse
from geventcore.metrics.families import Sample
from geventcore.metrics.summary import Summary, summarise

#: Measurements that are closer give no rates, in seconds.
SHORTEST_SECONDS = 0.5
#: Older measurements say nothing about the moment, in seconds.
LONGEST_SECONDS = 120.0
PERCENTILES = (0.5, 0.95, 0.99)
#: The separator of a note in an answer of /readyz.
_NOTE = "ok, but "


class ServerSource(Protocol):
    """The way to the admin listeners of servers."""

    def addresses(self) -> Sequence[str]:
        """Return the addresses of admin listeners."""

    def ask(self, address: str, path: str) -> tuple[int, str]:
        """Return the status and the text of an answer; `OSError` if there is none."""


@dataclass(frozen=True)
class MethodView:
    """A method: calls and faults since the start, calls per second, and percentiles of the duration in seconds."""

    name: str
    calls: int
    errors: int
    per_second: float
    percentiles: tuple[float | None, ...]


@dataclass(frozen=True)
class CacheView:
    """A cache: hits and misses since the start."""

    name: str
    hits: int
    misses: int


@dataclass(frozen=True)
class BlockView:
    """Code that blocked the event loop: the plugin (empty for none), how often, and for how many seconds in all."""

    plugin: str
    times: int
    seconds: float


@dataclass(frozen=True)
class SpoolView:
    """Reports that wait for the database on a machine."""

    place: str
    files: int
    size_bytes: int
    limit_bytes: int
    oldest_seconds: int


@dataclass(frozen=True)
class ServerView:
    """A server.

    Attributes:
        address: address of its admin listener.
        error: why nothing is known about it, or an empty text.
        ready: whether it serves clients.
        checks: name of a check of /readyz -> what is wrong, or an empty text.
        notes: name -> what is wrong although clients are served, such as broken files.
        summary: the figures that ``geventcore status`` shows.
        steps: step of building a configuration -> number and mean seconds.
        failures: plugin -> failed calls.
        databases: database -> whether its last use succeeded.
    """

    address: str
    error: str = ""
    ready: bool = False
    checks: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    summary: Summary | None = None
    methods: Sequence[MethodView] = ()
    caches: Sequence[CacheView] = ()
    blocks: Sequence[BlockView] = ()
    spool: Sequence[SpoolView] = ()
    steps: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    databases: Mapping[str, bool] = field(default_factory=dict)
    broken_files: int = 0
    entries_failed: int = 0
    cpu_per_second: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the view for programs."""
        return asdict(self)


class LiveReader:
    """Asks the servers, and remembers their last answers for rates."""

    def __init__(self, source: ServerSource) -> None:
        self._source = source
        self._before: dict[str, list[tuple[float, list[Sample]]]] = {}
        self._views: dict[str, tuple[float, ServerView]] = {}
        self._lock = threading.Lock()

    def servers(self) -> list[ServerView]:
        """Return a view of every server. Many viewers share the answers of half a second."""
        with self._lock:
            return [self._view(address) for address in self._source.addresses()]

    def _view(self, address: str) -> ServerView:
        kept = self._views.get(address)
        if kept is not None and time.monotonic() - kept[0] < SHORTEST_SECONDS:
            return kept[1]
        try:
            view = self._ask(address)
        except (OSError, ValueError) as err:
            reason = getattr(err, "strerror", None) or str(err) or type(err).__name__
            self._before.pop(address, None)
            view = ServerView(address, error=reason)
        self._views[address] = time.monotonic(), view
        return view

    def _ask(self, address: str) -> ServerView:
        status, readiness = self._source.ask(address, "/readyz")
        code, text = self._source.ask(address, "/metrics")
        if code != 200:
            raise ValueError(f"/metrics answers with status {code}")
        now, samples = time.monotonic(), parse(text)
        history = self._before.setdefault(address, [])
        while history and (now - history[0][0] > LONGEST_SECONDS or len(history) > 4):
            del history[0]
        since, before = history[0] if history else (now, [])
        history.append((now, samples))
        return _server_view(address, status == 200, readiness, before, samples, now - since)


def _server_view(
    address: str, ready: bool, readiness: str, before: list[Sample], after: list[Sample], seconds: float
) -> ServerView:
    checks: dict[str, str] = {}
    notes: dict[str, str] = {}
    for line in readiness.splitlines():
        name, _, result = line.partition(": ")
        if result.startswith(_NOTE):
            notes[name] = result.removeprefix(_NOTE)
        else:
            checks[name] = "" if result == "ok" else result
    table = _Table(after)
    # Without an earlier measurement, the rates are those since the start.
    start = min(table.by("geventcore_process_start_time_seconds", "process").values(), default=time.time())
    summary = summarise(before, after, seconds if before else max(1.0, time.time() - start), time.time())
    return ServerView(
        address,
        ready=ready,
        checks=checks,
        notes=notes,
        summary=summary,
        methods=_methods(table, summary),
        caches=_caches(table),
        blocks=_blocks(table),
        spool=_spool(table),
        steps=_steps(table),
        failures=_whole(table.by("geventcore_plugin_failures_total", "plugin")),
        databases={name: value > 0 for name, value in table.by("geventcore_database_available", "database").items()},
        broken_files=int(table.total("geventcore_file_event_failures_total")),
        entries_failed=int(table.total("geventcore_entries_failed_total")),
        cpu_per_second=_rate(before, after, "geventcore_cpu_seconds_total", seconds),
    )


class _Table:
    """Samples by name."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for name, labels, value in samples:
            self._samples[name].append((dict(labels), value))

    def rows(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each sample."""
        return self._samples.get(name, [])

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return value of a label -> sum."""
        found: dict[str, float] = defaultdict(float)
        for labels, value in self.rows(name):
            found[labels.get(label, "")] += value
        return dict(found)

    def total(self, name: str) -> float:
        """Return the sum of all samples."""
        return sum(value for _, value in self.rows(name))


def _whole(values: Mapping[str, float]) -> dict[str, int]:
    return {name: int(value) for name, value in sorted(values.items()) if value}


def _rate(before: Sequence[Sample], after: Sequence[Sample], name: str, seconds: float) -> float:
    if not before or seconds <= 0:
        return 0.0
    return max(0.0, (_Table(after).total(name) - _Table(before).total(name)) / seconds)


def _methods(table: _Table, summary: Summary) -> list[MethodView]:
    calls: dict[str, int] = defaultdict(int)
    errors: dict[str, int] = defaultdict(int)
    for labels, value in table.rows("geventcore_requests_total"):
        method = labels.get("method", "")
        calls[method] += int(value)
        if labels.get("outcome") != "ok":
            errors[method] += int(value)
    buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for labels, value in table.rows("geventcore_method_seconds_bucket"):
        buckets[labels.get("method", "")][_number(labels.get("le", "+Inf"))] += value
    return [
        MethodView(
            method,
            calls[method],
            errors[method],
            summary.methods[method].per_second if method in summary.methods else 0.0,
            tuple(percentile(buckets.get(method, {}), share) for share in PERCENTILES),
        )
        for method in sorted(calls, key=lambda name: -calls[name])
    ]


def _number(text: str) -> float:
    return math.inf if text == "+Inf" else float(text)


def percentile(buckets: Mapping[float, float], share: float) -> float | None:
    """Estimate a percentile from upper bounds and cumulative counts, as Prometheus does; None without counts."""
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    wanted, lower, below = share * total, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            if math.isinf(bound):
                return lower
            inside = buckets[bound] - below
            return lower + (bound - lower) * ((wanted - below) / inside if inside else 1.0)
        lower, below = bound, buckets[bound]
    return lower


def _caches(table: _Table) -> list[CacheView]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for labels, value in table.rows("geventcore_cache_requests_total"):
        counts[labels.get("cache", "")][labels.get("result", "")] += int(value)
    return [CacheView(name, results["hit"], results["miss"]) for name, results in sorted(counts.items())]


def _blocks(table: _Table) -> list[BlockView]:
    seconds = table.by("geventcore_hub_blocked_seconds_total", "plugin")
    times = table.by("geventcore_hub_blocks_total", "plugin")
    found = [BlockView(name, int(times[name]), seconds.get(name, 0.0)) for name in times if times[name]]
    return sorted(found, key=lambda block: -block.seconds)


def _spool(table: _Table) -> list[SpoolView]:
    names = ("waiting_files", "waiting_bytes", "waiting_limit_bytes", "oldest_seconds")
    values = [table.by(f"geventcore_reports_{name}", "place") for name in names]
    return [SpoolView(place, *(int(value.get(place, 0)) for value in values)) for place in sorted(values[0])]


def _steps(table: _Table) -> dict[str, tuple[int, float]]:
    counts = table.by("geventcore_render_step_seconds_count", "step")
    sums = table.by("geventcore_render_step_seconds_sum", "step")
    return {step: (int(count), sums.get(step, 0.0) / count) for step, count in counts.items() if count}
