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
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, ParamSpec, TypeVar

import gevent
import gevent.socket
from gevent.lock import Semaphore
from gevent.pool import Pool
from gevent.server import StreamServer

from geventcore.core.network import NetworkCore
from geventcore.options import types
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

POOL_SIZE = Option(
    "gevent",
    "pool_size",
    types.integer(1),
    4096,
    "How many connections are served at once; further ones wait in the kernel's queue.\n\n"
    "Each costs some 50 KB of memory, and its request's data while it is answered.",
)

MAX_RENDERS = Option(
    "gevent",
    "max_renders",
    types.integer(1),
    8,
    "How many configurations are built at once; further requests for one wait their turn.\n\n"
    "Building is work for the processor, so more at once are not faster: they only take the memory of as many "
    "half-built configurations. Builds that wait for something else, as a plugin may, do not count.",
)

#: How long a request for a configuration waits before it looks whether those before it do anything, in seconds.
PATIENCE_SECONDS = 0.05

#: How long a greenlet may compute before it lets others go on, in seconds: well below what a client notices, well above
#: what a switch costs (some microseconds).
SLICE_SECONDS = 0.005


class GreenletWaiter:
    """Waits for a socket while other greenlets run."""

    def wait_readable(self, sock: socket.socket, deadline: float) -> None:
        """See `geventcore.tls.waiter.Waiter`."""
        _wait(sock, deadline, 1)

    def wait_writable(self, sock: socket.socket, deadline: float) -> None:
        """See `geventcore.tls.waiter.Waiter`."""
        _wait(sock, deadline, 2)


def _wait(sock: socket.socket, deadline: float, events: int) -> None:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("the deadline has passed")
    hub = gevent.get_hub()
    watcher = hub.loop.io(sock.fileno(), events)
    try:
        gevent.socket.wait(watcher, remaining, TimeoutError("the deadline has passed"))
    finally:
        watcher.close()


class RenderSlots:
    """Lets a number of greenlets compute, and further ones if all of those only wait.

    A greenlet that holds a slot and has to wait, for a socket or a program, cannot be told from outside. But it does
    not breathe. So whoever has waited for a while in which nobody breathed goes on without a slot.
    """

    def __init__(self, count: int) -> None:
        self._slots = Semaphore(count)
        self._progress = 0

    def breathed(self) -> None:
        """Note that somebody computes."""
        self._progress += 1

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Compute in the block, when it is this greenlet's turn."""
        has_slot = self._wait()
        try:
            yield
        finally:
            self._progress += 1
            if has_slot:
                self._slots.release()

    def _wait(self) -> bool:
        while True:
            seen = self._progress
            if self._slots.acquire(timeout=PATIENCE_SECONDS):
                return True
            if seen == self._progress:
                return False


class GeventCore(NetworkCore):
    """Serves each connection in a greenlet of its own."""

    name: ClassVar[str] = "gevent"
    options: ClassVar[tuple[Option[Any], ...]] = (*NetworkCore.options, POOL_SIZE, MAX_RENDERS)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._servers: list[StreamServer] = []
        self._waiter = GreenletWaiter()
        self._render_slots = RenderSlots(settings[MAX_RENDERS])
        self._computing: object = None
        self._computing_since = 0.0

    def _run(self) -> bool:
        pool = Pool(self.settings[POOL_SIZE])
        for sock in self.listeners:
            self._servers.append(StreamServer(_cooperative(sock), self._serve, spawn=pool))
        return True

    def _block(self) -> None:
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
