"""The gevent core: a greenlet for each connection, many thousands at once in one process.

A request's life: accept (a place in the pool) → TLS handshake → head → authenticate → body → dispatch → write → close.
Whatever waits, for the socket or inside a plugin, lets others go on; what computes for long breathes in between; what
can do neither is given to gevent's thread pool. A full pool stops accepting: the kernel's queue and the clients'
patience do the waiting.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, ParamSpec, TypeVar

import gevent
import gevent.os
import gevent.socket
from gevent.monkey import get_original
from gevent.pool import Pool
from gevent.server import StreamServer

from geventcore.core.master import SystemCalls
from geventcore.core.prefork import PreforkCore
from geventcore.cores.gevent.options import GEVENT_OPTIONS, MAX_RENDERS, POOL_SIZE, WORKER_TIMEOUT, WORKERS
from geventcore.cores.gevent.render_slots import RenderSlots
from geventcore.cores.gevent.waiting import GreenletWaiter
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: How long a greenlet may compute before it lets others go on, in seconds: well below what a client notices, well above
#: what a switch costs (some microseconds).
SLICE_SECONDS = 0.005


class GeventCore(PreforkCore):
    """Serves each connection in a greenlet of its own."""

    name: ClassVar[str] = "gevent"
    options: ClassVar[tuple[Option[Any], ...]] = (*PreforkCore.options, *GEVENT_OPTIONS)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._servers: list[StreamServer] = []
        self._waiter = GreenletWaiter()
        self._render_slots = RenderSlots(settings[MAX_RENDERS])
        self._computing: object = None
        self._computing_since = 0.0

    @property
    def worker_count(self) -> int:
        """See `PreforkCore`."""
        return self.settings[WORKERS]

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
        pool = Pool(self.settings[POOL_SIZE])
        for sock in self.listeners:
            self._servers.append(StreamServer(_cooperative(sock), self._serve, spawn=pool))
        for server in self._servers:
            server.start()
        self.ready()
        self.wait_for_termination()
        for server in self._servers:
            server.close()
        self.drain()

    def _serve(self, sock: gevent.socket.socket, address: tuple[Any, ...]) -> None:
        self.serve_connection(sock, address, self._waiter)

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that blocks in a thread, while other greenlets go on."""
        result: T = gevent.get_hub().threadpool.apply(function, args, kwargs)
        return result

    def render_slot(self) -> AbstractContextManager[None]:
        """Build a configuration in the block, when it is this greenlet's turn."""
        return self._render_slots.slot()

    def breathe(self) -> None:
        """Let other greenlets go on if this one has computed for `SLICE_SECONDS`."""
        self._render_slots.breathed()
        now = time.perf_counter()
        current = gevent.getcurrent()
        if current is not self._computing:
            self._computing = current
            self._computing_since = now
        elif now - self._computing_since > SLICE_SECONDS:
            self._computing = None
            gevent.sleep(0)


def _cooperative(sock: socket.socket) -> gevent.socket.socket:
    """The same listening socket as gevent's class, whether or not the standard library is patched."""
    if isinstance(sock, gevent.socket.socket):
        return sock
    return gevent.socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
