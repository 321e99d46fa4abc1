"""The HTTP server of the pages: gevent's pywsgi, on TCP ports and UNIX sockets.

A greenlet serves a connection, so that pages that update by themselves cost little. The standard library must have been
made cooperative (`geventcore.cores.cooperation`). Work on SQLite goes to threads, see `offload`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from geventcore.errors import ConfigError, CoreInitError
from geventcore.options.listen_address import ListenAddress
from geventcore.web.environment import IS_LOCAL, OWN_ADDRESS, PEER

T = TypeVar("T")
log = logging.getLogger(__name__)

#: The most connections at a time.
CONNECTIONS = 500
#: A connection that sends or takes nothing for so long is closed, in seconds.
SILENCE_SECONDS = 60.0
STOP_SECONDS = 2.0
SOCKET_MODE = 0o660


def offload(function: Callable[..., T], *args: Any) -> T:
    """Call a function that blocks in a thread, and let other greenlets run meanwhile."""
    result: T = gevent.get_hub().threadpool.apply(function, args)
    return result


class _Server(WSGIServer):
    """The server of one address; `is_local` if only this machine reaches it."""

    is_local = False


class _Handler(WSGIHandler):
    """A connection: tells the application who calls, and on which address."""

    server: _Server

    def handle(self) -> None:
        self.socket.settimeout(SILENCE_SECONDS)
        super().handle()

    def get_environ(self) -> Any:
        environ = super().get_environ()
        name = self.socket.getsockname()
        is_path = self.socket.family == socket.AF_UNIX
        environ[OWN_ADDRESS] = "" if is_path else str(name[0])
        environ[PEER] = "" if is_path else str(self.client_address[0])
        environ[IS_LOCAL] = self.server.is_local
        return environ

    def log_request(self) -> None:
        log.debug("%s %s", getattr(self, "requestline", ""), getattr(self, "code", "") or "")


class PageServer:
    """Serves an application on several addresses.

    Args:
        certificate, key: files for the addresses that use TLS.
        uses_tls: whether an address uses TLS.
    """

    def __init__(
        self,
        application: Any,
        addresses: Sequence[ListenAddress],
        uses_tls: Callable[[ListenAddress], bool],
        certificate: Path,
        key: Path,
    ) -> None:
        self._application = application
        self._addresses = addresses
        self._uses_tls = uses_tls
        self._files = certificate, key
        self._servers: list[WSGIServer] = []
        self._paths: list[Path] = []

    def start(self) -> list[str]:
        """Listen, and return the addresses as people enter them in a browser.

        Raises:
            CoreInitError: an address cannot be used.
        """
        pool = Pool(CONNECTIONS)
        shown = []
        for address in self._addresses:
            context = self._context() if self._uses_tls(address) else None
            try:
                sock = self._listen(address)
            except OSError as err:
                self.stop()
                raise CoreInitError(f"[web] listen: cannot listen on {address}: {err.strerror or err}") from err
            options: dict[str, Any] = {} if context is None else {"ssl_context": context}
            server = _Server(
                sock, self._application, spawn=pool, handler_class=_Handler, log=None, error_log=log, **options
            )
            server.is_local = address.is_local
            server.start()
            self._servers.append(server)
            shown.append(_shown(address, sock, context is not None))
        return shown

    def stop(self) -> None:
        """Stop listening, and give open requests a moment."""
        for server in self._servers:
            server.stop(STOP_SECONDS)
        self._servers = []
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.unlink()
        self._paths = []

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate, key = self._files
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as err:
            reason = getattr(err, "strerror", None) or str(err)
            raise ConfigError(f"[web] tls: {certificate} and {key} cannot be used: {reason}") from err
        return context

    def _listen(self, address: ListenAddress) -> socket.socket:
        if address.path is None:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address.host, address.port))
        else:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            _remove_left_over(address.path)
            before = os.umask(0o777 & ~SOCKET_MODE)
            try:
                sock.bind(str(address.path))
            finally:
                os.umask(before)
            self._paths.append(address.path)
        sock.listen(128)
        sock.setblocking(False)
        return sock


def _remove_left_over(path: Path) -> None:
    """Remove the socket of a server that has crashed; `OSError` if a server listens on it."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        try:
            other.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError("another server listens on it")


def _shown(address: ListenAddress, sock: socket.socket, is_secure: bool) -> str:
    if address.path is not None:
        return str(address)
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(address.host, address.host)
    host = f"[{host}]" if ":" in host else host
    return f"http{'s' if is_secure else ''}://{host}:{sock.getsockname()[1]}/"
