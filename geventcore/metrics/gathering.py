"""Merging of the values of all processes of a server.

Each process counts for itself. The process that is asked for metrics asks the others and merges the values. When a
process ends, its counts must not disappear: a falling sum would look like a restart to Prometheus. So each process
keeps the last snapshot of every other one, and passes on snapshots of ended processes. A count that another process has
seen survives as long as one of these processes runs. For a process that does not answer, its last snapshot is used.

(prometheus_client has a file for each process that ever ran, no gauges that are computed on demand, and writes to a
file for every count.)
"""

from __future__ import annotations

import logging
import operator
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from geventcore.errors import GeventcoreError
from geventcore.metrics.definitions import PROCESSES
from geventcore.metrics.families import Definition, Sample, definitions
from geventcore.metrics.snapshot import Sampler, Snapshot, is_running

log = logging.getLogger(__name__)

#: The most ended processes whose values are kept.
REMEMBERED = 50

_MERGING: dict[str, Callable[[float, float], float]] = {"sum": operator.add, "min": min, "max": max}

#: Topic of the bus that links the processes of a server.
METRICS_TOPIC = "admin: metrics"

#: Sends a message to the other processes and returns their answers.
Tell = Callable[[Any], list[Any]]


class _Question:
    """One question to all other processes."""

    def __init__(self) -> None:
        self.asked = time.monotonic()
        self.answered = threading.Event()


class Gatherer:
    """Merges the values of this process and all others. Each process has one, made before the fork."""

    def __init__(self, tell: Tell, sampler: Sampler) -> None:
        """`tell` passes a message to `answer` of all others; `sampler` takes the values of this process."""
        #: An identification shared by the processes of one server.
        self._server = secrets.token_hex(8)
        self._tell = tell
        self._sampler = sampler
        self._remembered: dict[str, Snapshot] = {}
        self._question: _Question | None = None
        self._lock = threading.Lock()

    def answer(self, message: Any) -> Any:
        """Return the values of this process and of ended ones, for another process."""
        if message.get("server") != self._server:
            return None
        self._learn(message)
        return self._message()

    def gather(self, patience_seconds: float) -> dict[str, list[Sample]]:
        """Return family -> samples of all processes. Waits at most the given time for answers."""
        question = self._ask_others()
        question.answered.wait(patience_seconds)
        own = self._sampler.take()
        with self._lock:
            remembered = [snapshot for name, snapshot in self._remembered.items() if name != own.process]
        running, ended = _split(remembered)
        silent = sum(snapshot.time < question.asked for snapshot in running)
        merged = merge([own, *running], ended)
        for state, count in (("answered", 1 + len(running) - silent), ("silent", silent)):
            sample = (PROCESSES.definition.name, (("state", state),), float(count))
            merged[PROCESSES.definition.name].append(sample)
        return merged

    def _ask_others(self) -> _Question:
        """Ask the others, or wait for the answers to a question that is already under way."""
        with self._lock:
            if self._question is not None and not self._question.answered.is_set():
                return self._question
            question = self._question = _Question()
        threading.Thread(target=self._ask, args=(question,), name="metrics", daemon=True).start()
        return question

    def _ask(self, question: _Question) -> None:
        try:
            for answer in self._tell(self._message()):
                if isinstance(answer, dict):
                    self._learn(answer)
        except (OSError, EOFError, GeventcoreError) as err:
            log.warning("cannot get the metrics of other processes: %s", err)
        finally:
            question.answered.set()

    def _message(self) -> dict[str, Any]:
        with self._lock:
            _, ended = _split(self._remembered.values())
        snapshots = [self._sampler.take(), *ended]
        return {"server": self._server, "snapshots": [snapshot.as_json() for snapshot in snapshots]}

    def _learn(self, message: dict[str, Any]) -> None:
        with self._lock:
            for data in message["snapshots"]:
                known = self._remembered.get(data["process"])
                if known is None or known.time < data["time"]:
                    self._remembered[data["process"]] = Snapshot.from_json(data)
            _, ended = _split(self._remembered.values())
            for snapshot in sorted(ended, key=lambda snapshot: snapshot.time)[:-REMEMBERED]:
                del self._remembered[snapshot.process]


def _split(snapshots: Iterable[Snapshot]) -> tuple[list[Snapshot], list[Snapshot]]:
    """Split snapshots into those of running and those of ended processes."""
    running: list[Snapshot] = []
    ended: list[Snapshot] = []
    for snapshot in snapshots:
        (running if is_running(snapshot.process) else ended).append(snapshot)
    return running, ended


def merge(running: list[Snapshot], ended: list[Snapshot]) -> dict[str, list[Sample]]:
    """Merge samples of several processes. For ended processes, only counters and histograms remain."""
    return {definition.name: _merge_family(definition, running, ended) for definition in definitions()}


def _merge_family(definition: Definition, running: list[Snapshot], ended: list[Snapshot]) -> list[Sample]:
    merged: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    combine = _MERGING[definition.merging]
    for snapshot in running if definition.type == "gauge" else [*running, *ended]:
        for name, labels, value in snapshot.samples.get(definition.name, ()):
            known = merged.get((name, labels))
            merged[name, labels] = value if known is None else combine(known, value)
    return [(name, labels, value) for (name, labels), value in merged.items()]
