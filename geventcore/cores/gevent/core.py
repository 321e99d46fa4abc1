"""The gevent core: a greenlet for each connection, many thousands at once in one process.

A request's life: accept (`server`, `pool`) → TLS handshake → head → authenticate → body → slot (`limits`) → dispatch →
write → close. A greenlet that waits, for the socket or inside a plugin, lets others run. A greenlet that computes for
long calls `breathe`. Code that does neither goes to gevent's thread pool (`offload`), or the `watchdog` reports it. No
request is refused: requests that cannot be served yet wait.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from types import FrameType
from typing import Any, ClassVar, ParamSpec, TypeVar

import gevent
import gevent.os
from gevent.event import Event
from gevent.monkey import get_original
from gevent.pool import Pool
from gevent.resolver.thread import Resolver
from gevent.threadpool import ThreadPool

from geventcore.core.network import NetworkCore
from geventcore.core.uploads import UploadBudget
from geventcore.cores.gevent.client_table import ClientTable, most_connections
from geventcore.cores.gevent.connection import GeventConnection
from geventcore.cores.gevent.handshakes import HandshakeTurns
from geventcore.cores.gevent.limits import (
    ProcessLimits,
    RequestSlots,
    ResponseBudget,
)
from geventcore.cores.gevent.options import (
    ANSWER_MEMORY,
    GEVENT_OPTIONS,
    MAX_BLOCKING,
    MAX_CONNECTIONS,
    MAX_HANDSHAKES,
    MAX_RENDERS,
    POOL_SIZE,
    UPLOAD_MEMORY,
    WORKER_TIMEOUT,
    WORKERS,
)
from geventcore.cores.gevent.pool import ConnectionPool
from geventcore.cores.gevent.server import ConnectionServer
from geventcore.cores.gevent.stacks import running_greenlets
from geventcore.cores.gevent.watchdog import Watchdog
from geventcore.deadline_clock import CLOCK, TICK_SECONDS
from geventcore.metrics.definitions import count_hub_block
from geventcore.metrics.pools import PoolUse
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings
from geventcore.workers.master import SystemCalls
from geventcore.workers.prefork import WorkerPlan, fit_to_plugins

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: How long a greenlet may compute before others run, in seconds. A client does not notice it, and a switch takes some
#: microseconds.
SLICE_SECONDS = 0.005

#: The number of names that are looked up at once. The threads are started when they are needed, and mostly wait.
RESOLVER_THREADS = 50
#: The number of functions that run at once for plugins' own threads, and for what else is no client's request.
BACKGROUND_THREADS = 200
#: How long a thread of either kind waits for more work before it ends, in seconds.
IDLE_THREAD_SECONDS = 5
#: How long functions that are offloaded while plugins are loaded delay the fork of workers, in seconds.
FORK_PATIENCE_SECONDS = 1.0


class GeventCore(NetworkCore):
    """Serves each connection in a greenlet of its own.

    Attributes:
        watchdog: reports code that blocks the event loop; runs in each process that serves.
    """

    name: ClassVar[str] = "gevent"
    options: ClassVar[tuple[Option[Any], ...]] = (*NetworkCore.options, *GEVENT_OPTIONS)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self.connections: ClientTable = ClientTable()
        responses = ResponseBudget(settings[ANSWER_MEMORY])
        self._limits = ProcessLimits(
            HandshakeTurns(settings[MAX_HANDSHAKES]),
            RequestSlots(settings[POOL_SIZE], settings[MAX_RENDERS], responses),
            UploadBudget(settings[UPLOAD_MEMORY], Event, nullcontext()),
            responses,
        )
        self.watchdog = Watchdog(settings[MAX_BLOCKING])
        self.watchdog.on_blocked(lambda plugin, _hook, seconds: count_hub_block(plugin, seconds))
        self._add_pools()
        self._connection_greenlets: Pool = Pool()
        self._background: ThreadPool | None = None
        self._computing: object = None
        self._computing_since = 0.0

    def plan_workers(self) -> WorkerPlan:
        """Fork ``[gevent] workers`` processes."""
        return WorkerPlan(
            self._count_workers, lambda: self.settings[WORKER_TIMEOUT], WORKER_TIMEOUT.label, self._prepare_fork
        )

    def _count_workers(self) -> int:
        number = self.settings[WORKERS]
        processors = len(os.sched_getaffinity(0))
        return number or fit_to_plugins(processors, self.plugins, f"{WORKERS.label} sets the number of processes.")

    def _prepare_fork(self) -> SystemCalls:
        """End gevent's threads, which exist if something was looked up or offloaded during the start.

        The master never runs the event loop again, so it waits with the original system calls.
        """
        hub = gevent.get_hub()
        hub.resolver.close()
        del hub.resolver
        hub.threadpool.kill()
        del hub.threadpool
        background, self._background = self._background, None
        if background is not None:
            # What takes longer goes on in the master only.
            gevent.with_timeout(FORK_PATIENCE_SECONDS, background.kill, timeout_value=None)
        return SystemCalls(gevent.os.fork_gevent, get_original("os", "waitpid"), get_original("select", "poll"))

    def _run(self) -> bool:
        # Plugins may look up names while they are loaded.
        _look_up_names_apart()
        return super()._run()

    def _start_threads(self) -> None:
        # A worker has a hub of its own. Names that plugins look up in advance must not take the threads for `offload`.
        _look_up_names_apart()
        super()._start_threads()

    def _block(self) -> None:
        self.watchdog.start()
        size = self._most_connections()
        self._connection_greenlets = pool = ConnectionPool(size, self.connections)
        self.pools.add("connections", lambda: PoolUse(size, len(pool)))
        servers = [ConnectionServer(listener, pool, self._wrap) for listener in self.sockets_to_accept()]
        for server in servers:
            server.start()
        self.ready()
        self.wait_for_termination()
        for server in servers:
            # Not `stop`, which kills the greenlets that are not done after a second.
            server.close()
        # Connections that were accepted last are counted when their greenlets begin. What is not counted is cut off.
        gevent.sleep(0)
        self.drain()
        self.watchdog.stop()

    def start_ticks(self) -> None:
        """See `NetworkCore.start_ticks`."""
        self._ticks = gevent.get_hub().loop.timer(TICK_SECONDS, TICK_SECONDS, ref=False)
        self._ticks.start(CLOCK.tick)

    def _wrap(self, sock: socket.socket, address: Any) -> GeventConnection:
        return GeventConnection(self, self._limits, sock, address)

    def _most_connections(self) -> int:
        wanted = self.settings[MAX_CONNECTIONS]
        possible = most_connections(wanted)
        if possible < wanted:
            # The default is for machines of every kind.
            self.configuration.log_once(
                f"A process has {possible} connections at most, not {wanted} ({MAX_CONNECTIONS.label}), because of the "
                "limit on open files; see ulimit -n, or LimitNOFILE of systemd",
                logging.WARNING if self.settings.is_set(MAX_CONNECTIONS) else logging.INFO,
            )
        return possible

    def _add_pools(self) -> None:
        settings, limits = self.settings, self._limits
        slots, uploads, responses = limits.slots, limits.uploads, limits.responses
        requests, upload_bytes, answer_bytes = settings[POOL_SIZE], settings[UPLOAD_MEMORY], settings[ANSWER_MEMORY]
        self.pools.add("requests", lambda: PoolUse(requests, slots.at_work, slots.waiting))
        self.pools.add("upload_bytes", lambda: PoolUse(upload_bytes, uploads.used, uploads.waiting))
        self.pools.add("answer_bytes", lambda: PoolUse(answer_bytes, responses.used))

    def tasks(self) -> Iterable[tuple[str, FrameType | None]]:
        """Name and frame of every greenlet."""
        return running_greenlets()

    # -- for plugins

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks, in a thread, while other greenlets run.

        Requests share the event loop's threads. Everything else has others: what a plugin does by itself may take long,
        and no client waits for it.
        """
        results: list[T] = []

        def call() -> Exception | None:
            # gevent would print an exception that is raised in its thread.
            try:
                results.append(function(*args, **kwargs))
            except Exception as err:  # noqa: BLE001 - raised again in the calling greenlet
                return err
            return None

        error = self._threads_for_caller().apply(call)
        if error is not None:
            raise error
        return results[0]

    def _threads_for_caller(self) -> ThreadPool:
        if gevent.getcurrent() in self._connection_greenlets.greenlets:
            return gevent.get_hub().threadpool
        if self._background is None:
            self._background = ThreadPool(BACKGROUND_THREADS, idle_task_timeout=IDLE_THREAD_SECONDS)
        return self._background

    def breathe(self) -> None:
        """Let other greenlets run if this one has computed for `SLICE_SECONDS`."""
        now = time.perf_counter()
        current = gevent.getcurrent()
        if current is not self._computing:
            self._computing = current
            self._computing_since = now
        elif now - self._computing_since > SLICE_SECONDS:
            self._computing = None
            self._limits.slots.breathe()


def _look_up_names_apart() -> None:
    """Use threads of their own for name lookups.

    A lookup takes many seconds if the name server does not answer, and functions that plugins offload must not wait for
    it.
    """
    hub = gevent.get_hub()
    if isinstance(hub.resolver, Resolver) and hub.resolver.pool is hub.threadpool:
        hub.resolver.pool = ThreadPool(RESOLVER_THREADS, hub, idle_task_timeout=IDLE_THREAD_SECONDS)
