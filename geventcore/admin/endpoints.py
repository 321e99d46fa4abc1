"""The endpoints of the admin listener (docs: howto/monitoring).

=====================  =======================================================================
``/healthz``           200 if this process responds
``/readyz``            200 if clients are served, else 503; a line for each check
``/readyz/local``      the same without what all machines share: 503 only if this machine is broken
``/metrics``           the metrics of all processes, as Prometheus or OpenMetrics text
``/debug/greenlets``   the stack of every greenlet and thread of each process; only on this machine
=====================  =======================================================================
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, Protocol

import geventcore
from geventcore.admin.conditions import Conditions
from geventcore.admin.database_watch import DatabaseWatch
from geventcore.admin.http_server import AdminServer, Answer, Question
from geventcore.admin.options import HOSTS
from geventcore.admin.readiness import NOTE_SEPARATOR, run_checks
from geventcore.admin.sockets import AdminSockets
from geventcore.admin.stacks import describe_frames, describe_threads
from geventcore.core.certificates import Certificates
from geventcore.core.connection import ConnectionTable
from geventcore.core.databases import Databases
from geventcore.metrics.definitions import (
    ACCEPT_QUEUE,
    ACCEPT_QUEUE_LIMIT,
    CONNECTIONS,
    INFO,
    READY,
    REPOSITORY_INFO,
)
from geventcore.metrics.exposition import expose
from geventcore.metrics.gathering import METRICS_TOPIC, Gatherer
from geventcore.metrics.process import ProcessMeter
from geventcore.metrics.snapshot import Sampler
from geventcore.options.settings import LoadedSettings
from geventcore.process.listening import waiting_connections
from geventcore.process.takeover import Predecessor
from geventcore.repository.repository import Repository
from geventcore.wire.host_names import canonical
from geventcore.workers.bus import Bus

#: Topic of the bus.
STACKS_TOPIC = "admin: stacks"

#: How long other processes of the server have to answer, in seconds. Prometheus gives up after 10.
PATIENCE_SECONDS = 2.0


class Server(Protocol):
    """The server as the admin listener sees it; see `geventcore.core.network.NetworkCore`."""

    @property
    def name(self) -> str:
        """The name in ``[server] core``."""

    @property
    def repository(self) -> Repository:
        """The repository of configuration."""

    @property
    def bus(self) -> Bus:
        """The way to the other processes of the server."""

    @property
    def sampler(self) -> Sampler:
        """Takes the metrics of this process."""

    @property
    def certificates(self) -> Certificates:
        """The certificates of the server."""

    @property
    def databases(self) -> Databases:
        """The databases that may be open."""

    @property
    def readiness_checks(self) -> dict[str, Callable[[], str]]:
        """The checks of ``/readyz``; one for the database is added."""

    @property
    def readiness_notes(self) -> dict[str, Callable[[], str]]:
        """The parts that may have something wrong although clients are served."""

    @property
    def listeners(self) -> Sequence[socket.socket]:
        """The sockets on which clients connect."""

    @property
    def connections(self) -> ConnectionTable:
        """The connections of clients."""

    @property
    def predecessor(self) -> Predecessor | None:
        """The server whose sockets this one takes over."""

    @property
    def is_replaced(self) -> bool:
        """True if the server ends because another process serves in its place."""

    def tasks(self) -> Iterable[tuple[str, FrameType | None]]:
        """Name and stack frame of everything that runs in this process besides threads."""


class AdminListener:
    """The admin listener of a server: made before processes are forked, started in each.

    It is a `geventcore.core.side_services.SideService`.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sockets = AdminSockets(lambda: server.predecessor)
        self._hosts: frozenset[str] = frozenset()
        self._http: AdminServer | None = None
        server.sampler.add(ProcessMeter().refresh)
        server.sampler.add(self._refresh)
        self._databases = DatabaseWatch(server.databases)
        server.sampler.add(self._databases.refresh)
        server.readiness_checks["database"] = self._databases.why_not_available
        conditions = Conditions(server)
        server.sampler.add(conditions.refresh)
        server.readiness_notes["files"] = conditions.broken_files
        server.readiness_notes["certificates"] = conditions.certificates
        self._gatherer = Gatherer(lambda message: server.bus.tell(METRICS_TOPIC, message), server.sampler)
        server.bus.subscribe(METRICS_TOPIC, self._gatherer.answer)
        server.bus.subscribe(STACKS_TOPIC, lambda _: self._own_stacks())
        self._answers: dict[str, Callable[[Question], Answer]] = {
            "/": self._index,
            "/healthz": lambda _: Answer(200, b"ok\n"),
            "/readyz": lambda _: self._ready(),
            "/readyz/local": lambda _: self._ready(local=True),
            "/metrics": self._metrics,
            "/debug/greenlets": self._stacks,
        }

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The open sockets."""
        return self._sockets.sockets

    def named_sockets(self) -> list[tuple[str, socket.socket]]:
        """The open sockets with their addresses."""
        return list(zip(self._sockets.names, self._sockets.sockets, strict=True))

    def open(self, settings: LoadedSettings) -> None:
        """Open the sockets; `ConfigError` or `CoreInitError` if that fails."""
        self._hosts = frozenset(canonical(name) for name in settings[HOSTS])
        self._sockets.open(settings)

    def adopt(self) -> None:
        """Take the sockets over in the process that has become a daemon."""
        self._sockets.adopt()

    def start(self) -> None:
        """Answer from now on, in the process that serves."""
        self._databases.begin()
        if self.sockets and self._http is None:
            listeners = [(sock, _is_local(sock)) for sock in self.sockets]
            self._http = AdminServer(listeners, self.answer, self._hosts)
            self._http.start()

    def stop(self) -> None:
        """Stop answering."""
        if self._http is not None:
            self._http.stop()
            self._http = None

    def close(self) -> None:
        """Close the sockets."""
        self._sockets.close(leave_files=self._server.is_replaced)

    def answer(self, question: Question) -> Answer:
        """Return the response to a request."""
        found = self._answers.get(question.path)
        return found(question) if found is not None else Answer(404, b"not found; / lists the endpoints\n")

    def _index(self, question: Question) -> Answer:
        return Answer(200, "".join(f"{path}\n" for path in sorted(self._answers) if path != "/").encode())

    def _ready(self, *, local: bool = False) -> Answer:
        checks = dict(self._server.readiness_checks)
        if local:
            checks["database"] = self._databases.why_not_local
        results = run_checks(checks)
        notes = run_checks(self._server.readiness_notes)
        lines = [f"{name}: {reason or 'ok'}\n" for name, reason in sorted(results.items())]
        lines += [f"{name}: ok{NOTE_SEPARATOR + note if note else ''}\n" for name, note in sorted(notes.items())]
        return Answer(503 if any(results.values()) else 200, "".join(lines).encode())

    def _metrics(self, question: Question) -> Answer:
        return Answer(200, *expose(self._gatherer.gather(PATIENCE_SECONDS), question.accept))

    def _stacks(self, question: Question) -> Answer:
        if not question.is_local:
            return Answer(403, b"stacks are shown on a UNIX socket or a loopback address only\n")
        stacks = [self._own_stacks(), *map(str, filter(None, self._server.bus.tell(STACKS_TOPIC, None)))]
        return Answer(200, "\n".join(stacks).encode("utf-8", "replace"))

    def _own_stacks(self) -> str:
        tasks = list(self._server.tasks())
        parts = [f"process {os.getpid()}", *([describe_frames(tasks)] if tasks else []), describe_threads()]
        return "\n\n".join(parts)

    def _refresh(self) -> None:
        """Update the metrics that only the server knows."""
        server = self._server
        INFO.set(1, geventcore.__version__, platform.python_version(), server.name)
        REPOSITORY_INFO.reset()
        REPOSITORY_INFO.set(1, server.repository.revision, server.repository.content)
        for name, reason in run_checks(server.readiness_checks).items():
            READY.set(0 if reason else 1, name)
        for state, count in server.connections.states().items():
            CONNECTIONS.set(count, state)
        queues = [waiting_connections(sock) for sock in server.listeners]
        ACCEPT_QUEUE.set(sum(waiting for waiting, _ in queues))
        ACCEPT_QUEUE_LIMIT.set(sum(limit for _, limit in queues))


def _is_local(sock: socket.socket) -> bool:
    name: Any = sock.getsockname()
    return sock.family == socket.AF_UNIX or name[0] == "::1" or str(name[0]).startswith("127.")
