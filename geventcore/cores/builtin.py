"""The builtin core: a thread for each connection, nothing but the standard library.

The simplest core, to compare others with. The accepting thread only accepts. The TLS handshake and the rest happen in
the connection's own thread. At most ``[builtin] threads`` serve at once; then nothing is accepted until one is done.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from typing import Any, ClassVar

from geventcore.core.network import NetworkCore
from geventcore.core.proxies import endpoint
from geventcore.metrics.pools import PoolUse
from geventcore.options import types
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings
from geventcore.tls.waiter import SelectWaiter

log = logging.getLogger(__name__)

THREADS = Option(
    "builtin",
    "threads",
    types.integer(1, 100_000),
    200,
    "How many connections the builtin core serves at once; further ones wait in the kernel's queue.",
    at_start=True,
)

#: Threads need little: rendering a template has the deepest stack.
STACK_BYTES = 1024 * 1024


class BuiltinCore(NetworkCore):
    """Serves each connection in a thread of its own."""

    name: ClassVar[str] = "builtin"
    options: ClassVar[tuple[Option[Any], ...]] = (*NetworkCore.options, THREADS)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._waiter = SelectWaiter()
        self._places = threading.Semaphore(settings[THREADS])
        self.pools.add("connections", lambda: PoolUse(settings[THREADS], len(self.connections)))

    def _run(self) -> bool:
        threading.stack_size(STACK_BYTES)
        return True

    def _block(self) -> None:
        end, end_of_acceptor = socket.socketpair()
        with end_of_acceptor:
            acceptor = threading.Thread(target=self._accept, args=(end_of_acceptor,), name="acceptor", daemon=True)
            acceptor.start()
            self.ready()
            self.wait_for_termination()
            end.close()
            acceptor.join()
        self.drain()

    def _accept(self, end: socket.socket) -> None:
        """Accept until the other side of `end` is closed."""
        with selectors.DefaultSelector() as selector:
            for sock in (end, *self.listeners):
                selector.register(sock, selectors.EVENT_READ)
            while not self.is_terminating:
                for key, _ in selector.select():
                    if isinstance(key.fileobj, socket.socket) and key.fileobj is not end:
                        self._accept_from(key.fileobj)

    def _accept_from(self, listener: socket.socket) -> None:
        while not self._places.acquire(timeout=0.5):
            if self.is_terminating:
                return
        try:
            sock, address = listener.accept()
        except OSError as err:
            # Another process was faster, the client is gone already, or there are no descriptors left.
            log.debug("no connection accepted: %s", err)
            self._places.release()
            return
        threading.Thread(
            target=self._serve, args=(sock, address), name=f"client {endpoint(address)[0]}", daemon=True
        ).start()

    def _serve(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        try:
            self.serve_connection(sock, address, self._waiter)
        finally:
            self._places.release()
