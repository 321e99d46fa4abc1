"""The HTTP server of the admin listener: plain HTTP, a few short responses at a time.

It has its own threads (greenlets, where a core has patched threads), so it responds while all connections for clients
are taken. Everything is bounded: one request for each connection, a small head and no body, a deadline for all of it,
and few connections at once. When these are taken, a new connection replaces the one that has waited longest without a
complete request. So slow or silent peers delay nobody.

The parser is the one that serves clients. That of the standard library has no deadline for a whole request head.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from geventcore.admin.options import HOSTS
from geventcore.errors import GeventcoreError, RequestError
from geventcore.wire import http1
from geventcore.wire.host_names import is_expected

log = logging.getLogger(__name__)

#: How many connections are served at once: for Prometheus, a load balancer, a service manager and a few people.
MAX_CONNECTIONS = 16
#: How long a peer may take to send its request, and then to read the response, in seconds.
ASK_SECONDS = 5.0
READ_SECONDS = 10.0

_LIMITS = http1.HTTPLimits(head_bytes=8192, body_bytes=0)


@dataclass(frozen=True)
class Question:
    """A request to the admin listener.

    Attributes:
        path: the path, without the query.
        accept: the ``Accept`` header.
        is_local: true if only this machine can reach the address that received the request.
    """

    path: str
    accept: str
    is_local: bool


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class AdminServer:
    """Serves requests on some listening sockets until it is stopped."""

    def __init__(
        self,
        listeners: Sequence[tuple[socket.socket, bool]],
        answer: Callable[[Question], Answer],
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        """`listeners` are pairs of a non-blocking socket and true if only this machine can reach it.

        `hosts` are further names of this machine, canonical.
        """
        self._listeners = listeners
        self._hosts = hosts
        self._answer = answer
        self._end, self._end_of_acceptor = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="admin listener", daemon=True)
        self._lock = threading.Lock()
        #: Open connections, the oldest first -> true until the request is complete.
        self._connections: dict[socket.socket, bool] = {}

    def start(self) -> None:
        """Start to serve."""
        self._acceptor.start()

    def stop(self) -> None:
        """Stop serving, and cut off connections that are open. Called once."""
        self._end.close()
        self._acceptor.join(ASK_SECONDS)
        with self._lock:
            for sock in self._connections:
                _cut_off(sock)

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector, self._end_of_acceptor:
            selector.register(self._end_of_acceptor, selectors.EVENT_READ)
            for listener, is_local in self._listeners:
                selector.register(listener, selectors.EVENT_READ, is_local)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._end_of_acceptor:
                        return
                    if isinstance(key.fileobj, socket.socket):
                        self._accept_from(key.fileobj, key.data)

    def _accept_from(self, listener: socket.socket, is_local: bool) -> None:
        try:
            sock, _ = listener.accept()
        except OSError as err:
            # Another process was faster, or no descriptors are left; then wait before the next attempt.
            if not isinstance(err, BlockingIOError):
                log.debug("nothing accepted: %s", err)
                time.sleep(0.1)
            return
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS:
                self._make_room()
            self._connections[sock] = True
        threading.Thread(target=self._serve, args=(sock, is_local), name="admin request", daemon=True).start()

    def _make_room(self) -> None:
        """Cut off the oldest connection without a complete request, or else the oldest of all."""
        waiting = [sock for sock, is_asking in self._connections.items() if is_asking]
        slowest = (waiting or list(self._connections))[0]
        del self._connections[slowest]
        _cut_off(slowest)

    def _serve(self, sock: socket.socket, is_local: bool) -> None:
        try:
            try:
                head = _read_head(sock, time.monotonic() + ASK_SECONDS)
                if head is None:
                    return
                with self._lock:
                    if sock in self._connections:
                        self._connections[sock] = False
                answer = self._refuse_host(sock, head) or self._respond(head, is_local)
            except RequestError as err:
                head, answer = None, Answer(err.status, f"{err}\n".encode())
            sock.settimeout(READ_SECONDS)
            sock.sendall(
                http1.encode_response(
                    answer.status,
                    answer.body,
                    content_type=answer.content_type,
                    keep_alive=False,
                    headers=answer.headers,
                    head_only=head is not None and head.method == "HEAD",
                )
            )
            _linger(sock)
        except OSError as err:
            log.debug("admin connection lost: %s", err)
        finally:
            with self._lock:
                self._connections.pop(sock, None)
            sock.close()

    def _refuse_host(self, sock: socket.socket, head: http1.RequestHead) -> Answer | None:
        """Return the refusal of a request under a name that is not this machine's; None if it is, or not on TCP."""
        if sock.family == socket.AF_UNIX or is_expected(head.get("host"), sock.getsockname()[0], self._hosts):
            return None
        return Answer(421, f"this server is not known by the name in Host; see {HOSTS.label}\n".encode())

    def _respond(self, head: http1.RequestHead, is_local: bool) -> Answer:
        if head.method not in ("GET", "HEAD"):
            return Answer(405, b"only GET and HEAD\n", headers=(("Allow", "GET, HEAD"),))
        try:
            return self._answer(Question(head.target.partition("?")[0], head.get("accept") or "", is_local))
        except GeventcoreError as err:
            return Answer(503, f"{err}\n".encode())
        # A boundary: one request that fails must not end the listener.
        except Exception as err:
            log.error("Admin request for %s failed: %s: %s", head.target, type(err).__name__, err, exc_info=err)
            return Answer(500, b"internal error; see the log of the server\n")


def _read_head(sock: socket.socket, deadline: float) -> http1.RequestHead | None:
    """Return the head of the request; None if there is none. `RequestError` or `OSError` if it is bad or late."""
    parser = http1.RequestParser(_LIMITS)
    while True:
        event = parser.next_event()
        if isinstance(event, http1.RequestHead):
            return event
        if event is not http1.NEED_DATA:
            return None
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise RequestError("the request took too long", 408)
        sock.settimeout(remaining)
        try:
            parser.receive_data(sock.recv(4096))
        except TimeoutError:
            raise RequestError("the request took too long", 408) from None


def _linger(sock: socket.socket) -> None:
    """Let the response arrive: unread data in the socket would otherwise reset the connection."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(0.5)
        sock.recv(65536)


def _cut_off(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
