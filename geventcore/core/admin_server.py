"""The server of the admin listener: plain HTTP, a few short answers at a time.

It has threads of its own (greenlets, where a core has made threads such), so it answers while every place for clients
is taken. It is bounded in every way: one request a connection, a small head and no body, a deadline for all of it, and
few connections at once. When those are all taken, the one that has kept the server waiting longest is cut off for the
newcomer, so that slow or silent askers are in nobody's way.

The parser is the one that serves clients; what the standard library has reads heads without a deadline for the whole.
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

from geventcore.errors import GeventcoreError, RequestError
from geventcore.wire import http1

log = logging.getLogger(__name__)

#: How many are answered at once. Prometheus, a load balancer, a service manager and a person or two ask.
MAX_CONNECTIONS = 16
#: How long somebody may take to ask, and then to read the answer, in seconds.
ASK_SECONDS = 5.0
READ_SECONDS = 10.0

_LIMITS = http1.HTTPLimits(head_bytes=8192, body_bytes=0)


@dataclass(frozen=True)
class Question:
    """What somebody asks.

    Attributes:
        path: without what follows a question mark.
        accept: the ``Accept`` header.
        is_local: whether only this machine can reach the address that was asked.
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
    """Answers questions on some listening sockets until it is stopped."""

    def __init__(self, listeners: Sequence[tuple[socket.socket, bool]], answer: Callable[[Question], Answer]) -> None:
        """`listeners` are non-blocking sockets, each with whether only this machine can reach it."""
        self._listeners = listeners
        self._answer = answer
        self._end, self._end_of_acceptor = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="admin listener", daemon=True)
        self._lock = threading.Lock()
        #: Open connections, the oldest first, and whether each has not asked completely yet.
        self._connections: dict[socket.socket, bool] = {}

    def start(self) -> None:
        """Begin to answer."""
        self._acceptor.start()

    def stop(self) -> None:
        """Stop answering; cuts off who is still asking. May be called once."""
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
            # Another process was faster, or there are no descriptors left, and then it must not be tried at once.
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
        """Cut off who has waited longest without asking; else who reads its answer for the longest time."""
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
                answer = self._respond(head, is_local)
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
            log.debug("an admin connection is lost: %s", err)
        finally:
            with self._lock:
                self._connections.pop(sock, None)
            sock.close()

    def _respond(self, head: http1.RequestHead, is_local: bool) -> Answer:
        if head.method not in ("GET", "HEAD"):
            return Answer(405, b"only GET and HEAD\n", headers=(("Allow", "GET, HEAD"),))
        try:
            return self._answer(Question(head.target.partition("?")[0], head.get("accept") or "", is_local))
        except GeventcoreError as err:
            return Answer(503, f"{err}\n".encode())
        # One question that cannot be answered must not end the listener.
        except Exception as err:
            log.error("%s cannot be answered: %s: %s", head.target, type(err).__name__, err, exc_info=err)
            return Answer(500, b"this cannot be answered; the log says why\n")


def _read_head(sock: socket.socket, deadline: float) -> http1.RequestHead | None:
    """The request; None if there is none. `RequestError` or `OSError` if something else comes, or nothing in time."""
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
    """Let the answer arrive although something unread may lie in the socket, which would reset the connection."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(0.5)
        sock.recv(65536)


def _cut_off(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
