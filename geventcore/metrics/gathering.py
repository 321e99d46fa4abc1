"""The values of all processes of a server, as one.

Each process counts for itself, which costs nothing but memory. Whoever is asked for the metrics asks the others and
adds up. A process that has ended takes its counts with it, and a sum that falls would look like a restart to
Prometheus. So everybody remembers the last snapshot of everybody else, and tells what it remembers of those that have
ended: counts that somebody has seen are not lost as long as one process lives that saw them. (prometheus_client's own
way, a file for each process that all read, has a file for each process that ever was, no gauges that are looked up when
they are needed, and writes to a file for every count.)

A process that does not answer, because it computes or waits, counts with what is remembered of it.
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

#: How many ended processes are remembered. A server whose processes end more often has other worries than its sums.
REMEMBERED = 50

_MERGING: dict[str, Callable[[float, float], float]] = {"sum": operator.add, "min": min, "max": max}

#: Tells the other processes something; returns their answers.
Tell = Callable[[Any], list[Any]]


class _Question:
    """Asking all other processes once."""

    def __init__(self) -> None:
        self.asked = time.monotonic()
        self.answered = threading.Event()


class Gatherer:
    """The values of this process and of all others; one for each process, made before it is forked."""

    def __init__(self, tell: Tell) -> None:
        """`tell` passes a message to `answer` of all others."""
        #: What processes that belong together have in common.
        self._server = secrets.token_hex(8)
        self._tell = tell
        self.sampler = Sampler()
        self._remembered: dict[str, Snapshot] = {}
        self._question: _Question | None = None
        self._lock = threading.Lock()

    def answer(self, message: Any) -> Any:
        """What another process is told: the values of this one, and of those that have ended."""
        if message.get("server") != self._server:
            return None
        self._learn(message)
        return self._message()

    def gather(self, patience_seconds: float) -> dict[str, list[Sample]]:
        """Family -> the samples of all processes. Others have so long to answer."""
        question = self._ask_others()
        question.answered.wait(patience_seconds)
        own = self.sampler.take()
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
        """A question to the others. Whoever asks while somebody does already, waits for the same answers."""
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
            log.warning("The metrics of other processes are not known: %s", err)
        finally:
            question.answered.set()

    def _message(self) -> dict[str, Any]:
        with self._lock:
            _, ended = _split(self._remembered.values())
        snapshots = [self.sampler.take(), *ended]
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
    """Those of processes that run, and those of processes that have ended."""
    running: list[Snapshot] = []
    ended: list[Snapshot] = []
    for snapshot in snapshots:
        (running if is_running(snapshot.process) else ended).append(snapshot)
    return running, ended


def merge(running: list[Snapshot], ended: list[Snapshot]) -> dict[str, list[Sample]]:
    """Family -> samples of several processes. Of those that have ended only what was counted is left."""
    return {definition.name: _merge_family(definition, running, ended) for definition in definitions()}


def _merge_family(definition: Definition, running: list[Snapshot], ended: list[Snapshot]) -> list[Sample]:
    merged: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    combine = _MERGING[definition.merging]
    for snapshot in running if definition.type == "gauge" else [*running, *ended]:
        for name, labels, value in snapshot.samples.get(definition.name, ()):
            known = merged.get((name, labels))
            merged[name, labels] = value if known is None else combine(known, value)
    return [(name, labels, value) for (name, labels), value in merged.items()]
