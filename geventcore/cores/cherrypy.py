"""The CherryPy core: CherryPy's bus starts and stops it, its server accepts and has the threads.

CherryPy's own server would do the TLS handshake in the accepting thread. Here a worker does it, and everything else, by
`NetworkCore.serve_connection`: a silent client takes one worker and delays nobody else. The bus handles signals and
becomes a daemon. Needs ``geventcore[cherrypy]``.
"""

from __future__ import annotations

import logging
import socket
from typing import Any, ClassVar

from cheroot.server import HTTPServer
from cheroot.workers.threadpool import ThreadPool
from cherrypy.process.plugins import Daemonizer, SignalHandler
from cherrypy.process.servers import ServerAdapter
from cherrypy.process.wspbus import Bus

from geventcore.core.network import NetworkCore
from geventcore.metrics.pools import PoolUse
from geventcore.options import types
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings
from geventcore.process.listening import BACKLOG, socket_name
from geventcore.tls.waiter import SelectWaiter

log = logging.getLogger(__name__)

THREADS = Option(
    "cherrypy",
    "threads",
    types.integer(1, 10_000),
    100,
    "How many connections the CherryPy core serves at once; accepted ones wait for a free thread.",
    at_start=True,
)


class _Workers(ThreadPool):
    """CherryPy's pool of threads. The server ends even if some are stuck in a plugin."""

    def stop(self, timeout: int = 5) -> None:
        """Let the threads end, if they can."""
        if not self.server.core.cut_off:
            super().stop(timeout)


class _Connection:
    """An accepted connection, which CherryPy's server gives to a worker."""

    remote_addr = ""
    remote_port = 0
    ssl_env: ClassVar[dict[str, str]] = {}

    def __init__(self, server: _Server, sock: socket.socket, makefile: object) -> None:
        self.server = server
        self.socket = sock
        self.last_used = 0.0
        #: CherryPy reads ``rfile.closed`` before it cuts off a connection.
        self.rfile = self
        self.closed = False

    def communicate(self) -> bool:
        """Serve the connection to its end; it is never kept by CherryPy."""
        self.server.core.serve_connection(self.socket, (self.remote_addr, self.remote_port), self.server.waiter)
        return False

    def close(self) -> None:
        """Close the socket, if it still is open."""
        self.closed = True
        self.socket.close()


class _Server(HTTPServer):
    """CherryPy's server on a socket that is open already."""

    ConnectionClass = _Connection

    def __init__(self, core: CherryPyCore, sock: socket.socket, threads: int) -> None:
        address = sock.getsockname()
        super().__init__((address[0], address[1]), gateway=None)
        self.core = core
        self.waiter = SelectWaiter()
        self.request_queue_size = BACKLOG
        self.requests = _Workers(self, min=threads, max=threads)
        self.shutdown_timeout = 1
        self._listener = sock

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        """Use the open socket."""
        self.socket = self._listener
        return self._listener

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log a message of the server."""
        log.log(level, "%s", msg, exc_info=traceback)

    def stop(self) -> None:
        """Stop accepting, then let requests that are under way finish."""
        self._listener.close()
        self.core.drain()
        super().stop()


class _Bus(Bus):  # type: ignore[misc]  # untyped
    """CherryPy's bus; its messages go to the log."""

    def log(self, msg: str = "", level: int = logging.DEBUG, traceback: bool = False) -> None:
        log.log(min(level, logging.DEBUG) if level <= logging.INFO else level, "%s", msg, exc_info=traceback)


class CherryPyCore(NetworkCore):
    """Serves each connection in a thread of CherryPy's pool."""

    name: ClassVar[str] = "cherrypy"
    options: ClassVar[tuple[Option[Any], ...]] = (*NetworkCore.options, THREADS)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._bus = _Bus()
        self._servers: list[_Server] = []

    def into_background(self) -> None:
        """Let the bus make this process a daemon. It clears the umask, which privileges are dropped with again."""
        Daemonizer(self._bus).start()

    def _run(self) -> bool:
        for sock in self.sockets_to_accept():
            log.debug("CherryPy serves on %s", socket_name(sock))
            server = _Server(self, sock, self.settings[THREADS])
            ServerAdapter(self._bus, server).subscribe()
            self._servers.append(server)
        self.pools.add("connections", self._pool_use)
        handler = SignalHandler(self._bus)
        handler.handlers = {
            "SIGTERM": self.terminate,
            "SIGINT": self.terminate,
            "SIGHUP": self.reload,
            "SIGUSR1": self.reopen_logs,
            "SIGUSR2": self._replaced,
        }
        handler.subscribe()
        return True

    def _replaced(self) -> None:
        self.note_replaced()
        self.terminate()

    def _pool_use(self) -> PoolUse:
        waiting = sum(server.requests.qsize for server in self._servers)
        return PoolUse(self.settings[THREADS] * len(self._servers), len(self.connections), waiting)

    def _block(self) -> None:
        self._bus.start()
        self.ready()
        # Not ``block``, which waits for all threads at the end, also for those that are stuck in a plugin.
        self._bus.wait(self._bus.states.EXITING, channel="main")

    def terminate(self) -> None:
        """Ask the bus to end the server."""
        if not self.is_terminating:
            super().terminate()
            log.info("Told to end")
            self._bus.exit()
