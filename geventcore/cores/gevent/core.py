"""The gevent core: a greenlet for each connection, many thousands at once in one process.

A request's life: accept (a place, see `connections`) → TLS handshake → head → authenticate → body → its turn (see
`admission`) → dispatch → write → close. Whatever waits, for the socket or inside a plugin, lets others go on; what
computes for long breathes in between; what can do neither is given to gevent's thread pool, or else the `watchdog`
names it. Nobody is turned away: what cannot be served yet waits.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, ParamSpec, TypeVar

import gevent
import gevent.os
from gevent.monkey import get_original
from gevent.resolver.thread import Resolver
from gevent.threadpool import ThreadPool

from geventcore.core.master import SystemCalls
from geventcore.core.network import Abortable
from geventcore.core.prefork import PreforkCore
from geventcore.cores.gevent.admission import TREES_SHARE, Answers, ConnectionAdmission, Slots, Uploads
from geventcore.cores.gevent.connections import BALANCER, Acceptor, Place, Places, most_connections
from geventcore.cores.gevent.handshakes import HandshakeTurns
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
from geventcore.cores.gevent.stacks import describe_greenlets
from geventcore.cores.gevent.waiting import GreenletWaiter
from geventcore.cores.gevent.watchdog import Watchdog
from geventcore.metrics.definitions import count_hub_block
from geventcore.metrics.pools import PoolUse
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings
from geventcore.rpc.conversation import Conversation
from geventcore.rpc.driving import Admission
from geventcore.rpc.peer import Peer
from geventcore.tls.stream import TLSStream

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: How long a greenlet may compute before it lets others go on, in seconds: well below what a client notices, well above
#: what a switch costs (some microseconds).
SLICE_SECONDS = 0.005

#: How many names are looked up at once. Threads exist only as far as they are needed, and nearly always wait.
RESOLVER_THREADS = 50
#: How long such a thread waits for another name before it ends, in seconds.
RESOLVER_IDLE_SECONDS = 5


class GeventCore(PreforkCore):
    """Serves each connection in a greenlet of its own.

    Attributes:
        watchdog: finds out who holds up the others; it runs in each process that serves.
    """

    name: ClassVar[str] = "gevent"
    options: ClassVar[tuple[Option[Any], ...]] = (*PreforkCore.options, *GEVENT_OPTIONS)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._waiter = GreenletWaiter()
        self._answers = Answers(settings[ANSWER_MEMORY])
        self._uploads = Uploads(settings[UPLOAD_MEMORY])
        self._trees = Uploads(settings[UPLOAD_MEMORY] * TREES_SHARE)
        self._slots = Slots(settings[POOL_SIZE], settings[MAX_RENDERS], self._answers)
        self._places: dict[object, Place] = {}
        self._all_places: Places | None = None
        self._handshake_turns = HandshakeTurns(settings[MAX_HANDSHAKES])
        self.watchdog = Watchdog(settings[MAX_BLOCKING])
        self.watchdog.on_blocked(lambda plugin, _hook, seconds: count_hub_block(plugin, seconds))
        self._add_pools()
        self._computing: object = None
        self._computing_since = 0.0

    @functools.cached_property
    def worker_count(self) -> int:
        """See `PreforkCore`. Plugins have a say, so it is asked for when they are loaded, and stays then."""
        if (number := self.settings[WORKERS]) is not None:
            return number
        processors = len(os.sched_getaffinity(0))
        hermits = [plugin.name for plugin in self.plugins if plugin.needs_one_process]
        if hermits and processors > 1:
            log.warning(
                "There is one process, not %d: what %s learns from clients may be in its memory only. "
                "[gevent] workers sets how many there are.",
                processors,
                ", ".join(hermits),
            )
        return 1 if hermits else processors

    @property
    def worker_timeout(self) -> float:
        """See `PreforkCore`."""
        return self.settings[WORKER_TIMEOUT]

    def prepare_fork(self) -> SystemCalls:
        """End gevent's threads, which exist if something was looked up or offloaded during the start.

        The master never runs the event loop again, so what it waits with is the original.
        """
        hub = gevent.get_hub()
        hub.resolver.close()
        del hub.resolver
        hub.threadpool.kill()
        del hub.threadpool
        return SystemCalls(gevent.os.fork_gevent, get_original("os", "waitpid"), get_original("select", "poll"))

    def _block(self) -> None:
        _look_up_names_apart()
        self.watchdog.start()
        places = self._all_places = Places(self._most_connections())
        self.pools.add("connections", lambda: PoolUse(places.size, len(places)))
        acceptor = Acceptor(self.listeners, places, self._serve)
        acceptor.start()
        self.ready()
        self.wait_for_termination()
        acceptor.stop()
        self.drain()
        self.watchdog.stop()

    def _most_connections(self) -> int:
        wanted = self.settings[MAX_CONNECTIONS]
        possible = most_connections(wanted)
        if possible < wanted:
            # The default is for machines of every kind.
            self.complain(
                f"A process has {possible} connections at most, not {wanted} ({MAX_CONNECTIONS.label}), because of the "
                "limit on open files; see ulimit -n, or LimitNOFILE of systemd",
                logging.WARNING if self.settings.is_set(MAX_CONNECTIONS) else logging.INFO,
            )
        return possible

    def _add_pools(self) -> None:
        settings, slots, uploads, answers = self.settings, self._slots, self._uploads, self._answers
        requests, upload_bytes, answer_bytes = settings[POOL_SIZE], settings[UPLOAD_MEMORY], settings[ANSWER_MEMORY]
        self.pools.add("requests", lambda: PoolUse(requests, slots.at_work, slots.waiting))
        self.pools.add("upload_bytes", lambda: PoolUse(upload_bytes, uploads.used, uploads.waiting))
        self.pools.add("answer_bytes", lambda: PoolUse(answer_bytes, answers.used))

    def describe_stacks(self) -> str:
        """Where every greenlet, and every thread, stands."""
        return f"{describe_greenlets()}\n\n{super().describe_stacks()}"

    # -- connections

    def _serve(self, sock: socket.socket, address: tuple[Any, ...], place: Place) -> None:
        current = gevent.getcurrent()
        self._places[current] = place
        try:
            self.serve_connection(sock, address, self._waiter)
        finally:
            del self._places[current]

    def note_source(self, source: tuple[str, int] | None) -> None:
        """See `NetworkCore.note_source`."""
        place = self._places.get(gevent.getcurrent())
        if place is not None and self._all_places is not None:
            self._all_places.move(place, BALANCER if source is None else source[0])

    def take_handshake_turn(self) -> None:
        """See `NetworkCore.take_handshake_turn`."""
        self._handshake_turns.take()

    def track(self, connection: Abortable, conversation: Conversation | None) -> None:
        """See `NetworkCore.track`; tells also when the connection wants nothing."""
        super().track(connection, conversation)
        place = self._places.get(gevent.getcurrent())
        if place is None:
            return
        if conversation is not None:
            place.quiet = lambda: connection if conversation.is_idle else None
        elif isinstance(connection, TLSStream):
            place.quiet = lambda: None if connection.has_begun else connection

    def admission(self, peer: Peer, stream: TLSStream) -> AbstractContextManager[Admission]:
        """See `NetworkCore.admission`."""
        return ConnectionAdmission(self._slots, self._uploads, self._trees, self._answers, peer, stream)

    # -- for plugins

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that blocks in a thread, while other greenlets go on."""
        results: list[T] = []

        def call() -> Exception | None:
            # gevent would print what is raised in its thread, whatever becomes of it.
            try:
                results.append(function(*args, **kwargs))
            except Exception as err:  # noqa: BLE001 - it is raised where it was called for
                return err
            return None

        error = gevent.get_hub().threadpool.apply(call)
        if error is not None:
            raise error
        return results[0]

    def breathe(self) -> None:
        """Let other greenlets go on if this one has computed for `SLICE_SECONDS`."""
        now = time.perf_counter()
        current = gevent.getcurrent()
        if current is not self._computing:
            self._computing = current
            self._computing_since = now
        elif now - self._computing_since > SLICE_SECONDS:
            self._computing = None
            self._slots.breathe()


def _look_up_names_apart() -> None:
    """Have names looked up by threads that do nothing else.

    A name server that does not answer keeps a thread for many seconds, and what plugins offload must not wait for that.
    """
    hub = gevent.get_hub()
    if isinstance(hub.resolver, Resolver):
        hub.resolver.pool = ThreadPool(RESOLVER_THREADS, hub, idle_task_timeout=RESOLVER_IDLE_SECONDS)
