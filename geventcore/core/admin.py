"""What the admin listener answers (docs: howto/monitoring).

=====================  =======================================================================
``/healthz``           200 if this process still does anything
``/readyz``            200 if clients are served, else 503; a line for each check
``/metrics``           the metrics of all processes, as Prometheus or OpenMetrics text
``/debug/greenlets``   where every greenlet, or thread, of each process stands; only on this machine
=====================  =======================================================================
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import geventcore
from geventcore.core.admin_server import AdminServer, Answer, Question
from geventcore.core.admin_sockets import AdminSockets
from geventcore.core.database_watch import DatabaseWatch
from geventcore.core.listening import waiting_connections
from geventcore.metrics.definitions import (
    ACCEPT_QUEUE,
    ACCEPT_QUEUE_LIMIT,
    CONNECTIONS,
    INFO,
    READY,
    REPOSITORY_INFO,
)
from geventcore.metrics.exposition import expose
from geventcore.metrics.gathering import Gatherer
from geventcore.metrics.process import ProcessMeter

if TYPE_CHECKING:
    from geventcore.core.network import NetworkCore

#: Topics of the bus.
METRICS_TOPIC = "admin: metrics"
STACKS_TOPIC = "admin: stacks"

#: How long other processes of the server have to answer, in seconds. Prometheus gives up after 10.
PATIENCE_SECONDS = 2.0


class Admin:
    """The admin side of one server process; made before processes are forked, started in each."""

    def __init__(self, core: NetworkCore) -> None:
        self._core = core
        self.sockets = AdminSockets()
        self._server: AdminServer | None = None
        self.gatherer = Gatherer(lambda message: core.bus.tell(METRICS_TOPIC, message))
        self.gatherer.sampler.add(ProcessMeter().refresh)
        self.gatherer.sampler.add(core.pools.refresh)
        self.gatherer.sampler.add(self._refresh)
        self.gatherer.sampler.add(core.refresh_metrics)
        self._databases = DatabaseWatch(core.databases)
        self.gatherer.sampler.add(self._databases.refresh)
        core.readiness.add("database", self._databases.why_not_available)
        core.bus.subscribe(METRICS_TOPIC, self.gatherer.answer)
        core.bus.subscribe(STACKS_TOPIC, lambda _: self._own_stacks())
        self._answers: dict[str, Callable[[Question], Answer]] = {
            "/": self._index,
            "/healthz": lambda _: Answer(200, b"ok\n"),
            "/readyz": lambda _: self._ready(),
            "/metrics": self._metrics,
            "/debug/greenlets": self._stacks,
        }

    def start(self) -> None:
        """Begin to answer, in the process that serves."""
        self._databases.begin()
        if self.sockets.sockets and self._server is None:
            listeners = [(sock, _is_local(sock)) for sock in self.sockets.sockets]
            self._server = AdminServer(listeners, self.answer)
            self._server.start()

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def answer(self, question: Question) -> Answer:
        """What somebody is told."""
        found = self._answers.get(question.path)
        return found(question) if found is not None else Answer(404, b"there is only what / lists\n")

    def _index(self, question: Question) -> Answer:
        return Answer(200, "".join(f"{path}\n" for path in sorted(self._answers) if path != "/").encode())

    def _ready(self) -> Answer:
        results = self._core.readiness.results()
        lines = [f"{name}: {reason or 'ok'}\n" for name, reason in sorted(results.items())]
        return Answer(503 if any(results.values()) else 200, "".join(lines).encode())

    def _metrics(self, question: Question) -> Answer:
        return Answer(200, *expose(self.gatherer.gather(PATIENCE_SECONDS), question.accept))

    def _stacks(self, question: Question) -> Answer:
        if not question.is_local:
            return Answer(403, b"stacks are shown on a UNIX socket or a loopback address only\n")
        stacks = [self._own_stacks(), *map(str, filter(None, self._core.bus.tell(STACKS_TOPIC, None)))]
        return Answer(200, "\n".join(stacks).encode("utf-8", "replace"))

    def _own_stacks(self) -> str:
        return f"process {os.getpid()}\n\n{self._core.describe_stacks()}"

    def _refresh(self) -> None:
        """Bring what only the core knows up to date."""
        core = self._core
        INFO.set(1, geventcore.__version__, platform.python_version(), core.name)
        REPOSITORY_INFO.reset()
        REPOSITORY_INFO.set(1, core.revision)
        for name, reason in core.readiness.results().items():
            READY.set(0 if reason else 1, name)
        for state, count in core.connection_states().items():
            CONNECTIONS.set(count, state)
        queues = [waiting_connections(sock) for sock in core.listeners]
        ACCEPT_QUEUE.set(sum(waiting for waiting, _ in queues))
        ACCEPT_QUEUE_LIMIT.set(sum(limit for _, limit in queues))


def _is_local(sock: socket.socket) -> bool:
    name: Any = sock.getsockname()
    return sock.family == socket.AF_UNIX or name[0] == "::1" or str(name[0]).startswith("127.")
