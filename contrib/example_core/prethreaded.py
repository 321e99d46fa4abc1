"""A core with a fixed number of threads, each of which accepts a connection, serves it, and comes back for the next.

While all of them are busy nobody accepts, so further clients wait in the kernel's queue.
"""

from __future__ import annotations

import selectors
import socket
import threading
from typing import Any, ClassVar

from geventcore.core.network import NetworkCore
from geventcore.options import Option, types
from geventcore.options.settings import LoadedSettings
from geventcore.tls.waiter import SelectWaiter

THREADS = Option(
    "prethreaded",
    "threads",
    types.integer(1),
    8,
    "How many connections are served at once; further ones wait in the kernel's queue.",
)


class PrethreadedCore(NetworkCore):
    """Serves each connection in one of a few threads."""

    name: ClassVar[str] = "prethreaded"
    options: ClassVar[tuple[Option[Any], ...]] = (*NetworkCore.options, THREADS)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._waiter = SelectWaiter()
        self._threads_that_serve: list[threading.Thread] = []

    def _run(self) -> bool:
        for number in range(self.settings[THREADS]):
            self._threads_that_serve.append(threading.Thread(target=self._serve, name=f"clients {number}", daemon=True))
        return True

    def _block(self) -> None:
        for thread in self._threads_that_serve:
            thread.start()
        self.ready()
        self.wait_for_termination()
        self.stop_listening()
        # The threads are not joined: one may still be in a request that has been cut off.
        self.drain()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listener in self.listeners:
                selector.register(listener, selectors.EVENT_READ)
            while not self.is_terminating:
                # The time-out only bounds how long it takes to notice that the server ends.
                for key, _ in selector.select(timeout=0.5):
                    if isinstance(key.fileobj, socket.socket):
                        self._serve_next(key.fileobj)

    def _serve_next(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError:
            # All threads hear of a connection, and another one was faster.
            return
        self.serve_connection(sock, address, self._waiter)
