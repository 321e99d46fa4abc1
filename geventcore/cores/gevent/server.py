"""The front door of the gevent core: gevent's `StreamServer` with a `Pool`, the TLS wrapper and the dispatcher.

One `ConnectionServer` accepts on each listening socket, and all share one `ConnectionPool` (see `pool`), which is the
limit: while it is full, the servers stop accepting, and further clients wait in the kernel's queue. Each connection has
a greenlet, in which pyOpenSSL wraps the socket and `ConnectionServer.handle` dispatches requests.
"""

from __future__ import annotations

import errno
import logging
import socket
from _socket import socket as plain_socket
from collections.abc import Callable
from typing import Any, cast

from gevent.server import StreamServer

from geventcore.core.connection import BlockingConnection
from geventcore.cores.gevent.pool import ConnectionPool

log = logging.getLogger(__name__)

_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: Makes the connection of an accepted socket and its address: in the place of gevent's ``ssl_context.wrap_socket``.
Wrap = Callable[[socket.socket, Any], BlockingConnection]


class ConnectionServer(StreamServer):
    """Accepts connections on one listening socket, and serves each in a greenlet of the pool."""

    #: Connections that are accepted before those that are there go on. With gevent's 100, requests that are under way
    #: would wait for 100 handshakes.
    max_accept = 8

    def __init__(self, listener: socket.socket, pool: ConnectionPool, wrap: Wrap) -> None:
        super().__init__(listener, spawn=pool)
        self._pool_of_all = pool
        self._wrap = wrap
        pool.servers.append(self)

    def init_socket(self) -> None:
        """Have connections wrapped before they are handled, as gevent does if it has an ``ssl_context``."""
        super().init_socket()
        self._handle = self.wrap_socket_and_handle

    def do_read(self) -> Any:
        """Accept a connection. Returns socket and address, or None if there is none.

        The socket is of the C class from which gevent's and the standard library's are derived, since only a
        `GreenletWaiter` waits on it. To make and close one takes 0.8 µs, with gevent's socket 7 µs.
        """
        try:
            descriptor, address = cast("Any", self.socket)._accept()
        except BlockingIOError:
            return None
        except OSError as err:
            if self.is_fatal_error(err):
                raise
            if err.errno in _NO_DESCRIPTORS:
                # gevent would print a traceback and try again. The pool closes idle connections first.
                self.stop_accepting()
                self._pool_of_all.make_room(str(err.strerror), logging.WARNING)
            else:
                log.debug("no connection accepted: %s", err)
            return None
        return plain_socket(int(self.family), socket.SOCK_STREAM, 0, descriptor), address

    def wrap_socket_and_handle(self, client_socket: socket.socket, address: Any) -> None:
        """Wrap a socket in TLS by pyOpenSSL, and handle the connection; runs in its greenlet."""
        with self._wrap(client_socket, address) as connection:
            connection.handshake()
            self.handle(connection, address)

    def handle(self, connection: Any, address: Any) -> None:
        """Dispatch requests until one side ends the connection: HTTP, authentication, XML-RPC, method, answer."""
        connection.converse()
