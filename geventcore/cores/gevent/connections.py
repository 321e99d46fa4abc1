"""Accepting connections, as many as there are places and descriptors for.

If all places are taken, or the process or the system has no descriptors left, nothing more is accepted: the kernel's
queue and the clients' patience do the waiting. Meanwhile those are let go who want nothing: connections that have been
answered, or have not said a word, the oldest ones of the address that has most. Behind a balancer that is the client's
address; connections that a balancer has not said anything about are many clients', and go last.
"""

from __future__ import annotations

import errno
import logging
import math
import resource
import socket
import time
from _socket import socket as plain_socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gevent
from gevent.event import Event

from geventcore.core.proxies import endpoint

log = logging.getLogger(__name__)

#: How many connections are accepted before those that are there go on.
BATCH = 8
#: Of the descriptors that the process may have, these are left to everything else: files, programs, plugins' servers.
RESERVED_DESCRIPTORS = 256
#: How long accepting pauses without descriptors or places, before it is tried again if nothing is closed, in seconds.
PAUSE_SECONDS = 0.25
#: A connection that wants nothing is let go only after this time, in seconds: its first words may be on their way.
QUIET_SECONDS = 2.0
#: Stands for the address of whoever a balancer connects for and has not named.
BALANCER = ""
#: That there are no places or descriptors is told once in this time, in seconds.
COMPLAINT_SECONDS = 60.0

#: What libev calls it when there is something to read, or to accept.
READ = 1

_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Quiet(Protocol):
    """A connection that can be let go."""

    def abort(self) -> None:
        """End it at once."""


@dataclass(eq=False)
class Place:
    """What an open connection takes.

    Attributes:
        address: the client's; `BALANCER` as long as only a balancer's is known.
        since: when it was accepted, or a balancer said for whom, on `time.monotonic`'s clock.
        quiet: returns what can be aborted without harm to anybody, if there is such a thing now.
    """

    address: str
    since: float = field(default_factory=time.monotonic)
    quiet: Callable[[], Quiet | None] = lambda: None


def most_connections(wanted: int) -> int:
    """How many connections there can be, given the process's limit on descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - min(RESERVED_DESCRIPTORS, soft // 2)))


class Places:
    """The open connections, at most `size`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._by_address: dict[str, dict[Place, None]] = {}
        self._count = 0
        self._changed = Event()

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """How many there may be."""
        return self._size

    @property
    def is_full(self) -> bool:
        """Whether no further connection may be accepted."""
        return self._count >= self._size

    def take(self, address: str) -> Place:
        """A place for a new connection."""
        place = Place(address)
        self._by_address.setdefault(address, {})[place] = None
        self._count += 1
        return place

    def move(self, place: Place, address: str) -> None:
        """A connection turns out to be another client's."""
        self._remove(place)
        place.address, place.since = address, time.monotonic()
        self._by_address.setdefault(address, {})[place] = None

    def leave(self, place: Place) -> None:
        """A connection is closed."""
        self._remove(place)
        self._count -= 1
        self._changed.set()

    def _remove(self, place: Place) -> None:
        places = self._by_address[place.address]
        del places[place]
        if not places:
            del self._by_address[place.address]

    def wait_for_change(self, seconds: float) -> None:
        """Wait until a connection is closed, or for so long."""
        self._changed.clear()
        self._changed.wait(seconds)

    def let_go_of_quiet_ones(self) -> int:
        """End some connections that want nothing; returns how many."""
        latest = time.monotonic() - QUIET_SECONDS
        for _, places in sorted(self._by_address.items(), key=_claim, reverse=True):
            quiet: list[Quiet] = []
            for place in places:
                if place.since > latest or len(quiet) == BATCH:
                    break
                found = place.quiet()
                if found is not None:
                    quiet.append(found)
            if quiet:
                for connection in quiet:
                    connection.abort()
                return len(quiet)
        return 0


def _claim(item: tuple[str, dict[Place, None]]) -> int:
    """How many places one client has, of the places of an address."""
    address, places = item
    return len(places) if address != BALANCER else 0


class Acceptor:
    """Accepts from listening sockets and serves each connection in a greenlet of its own."""

    def __init__(
        self, listeners: Sequence[socket.socket], places: Places, serve: Callable[[socket.socket, Any, Place], None]
    ) -> None:
        """`serve` is called with the socket, the peer's address and its place; it closes the socket."""
        self._listeners = listeners
        self._places = places
        self._serve = serve
        self._greenlets: list[gevent.Greenlet[..., None]] = []
        self._complained_at = -math.inf
        self._is_pausing = False

    def start(self) -> None:
        """Begin to accept; returns at once."""
        self._greenlets = [gevent.spawn(self._accept, listener) for listener in self._listeners]

    def stop(self) -> None:
        """Accept nothing more, and close the listening sockets of this process."""
        gevent.killall(self._greenlets)
        for listener in self._listeners:
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        accepted = 0
        hub = gevent.get_hub()
        family = int(listener.family)
        plain = _plain_socket(family, listener.fileno())
        plain.setblocking(False)
        watcher = hub.loop.io(plain.fileno(), READ)
        try:
            while True:
                if self._places.is_full:
                    self._pause("all places for connections are taken", logging.INFO)
                    continue
                try:
                    descriptor, address = plain._accept()
                except BlockingIOError:
                    hub.wait(watcher)
                except OSError as err:
                    if err.errno in _NO_DESCRIPTORS:
                        self._pause(str(err.strerror), logging.WARNING)
                    else:
                        # The peer is gone already.
                        log.debug("nothing accepted: %s", err)
                        gevent.sleep(0)
                else:
                    self._accepted(_plain_socket(family, descriptor), address)
                    accepted += 1
                    if accepted % BATCH == 0:
                        gevent.sleep(0)
        finally:
            watcher.close()
            plain.detach()

    def _accepted(self, sock: socket.socket, address: Any) -> None:
        if self._is_pausing:
            self._is_pausing = False
            log.info("Connections are accepted again, %d are open", len(self._places))
        gevent.spawn(self._serve_one, sock, address, self._places.take(str(endpoint(address)[0])))

    def _serve_one(self, sock: socket.socket, address: Any, place: Place) -> None:
        try:
            self._serve(sock, address, place)
        finally:
            self._places.leave(place)

    def _pause(self, reason: str, level: int) -> None:
        now = time.monotonic()
        if now - self._complained_at > COMPLAINT_SECONDS:
            self._is_pausing = True
            self._complained_at = now
            log.log(level, "No more connections are accepted for now, with %d open: %s", len(self._places), reason)
        self._places.let_go_of_quiet_ones()
        self._places.wait_for_change(PAUSE_SECONDS)


def _plain_socket(family: int, descriptor: int) -> Any:
    """A socket of the class in C that the standard library's and gevent's are made of. One of these, which every
    connection would have to make and to close, costs several times as much, and nobody waits on it but a
    `GreenletWaiter`."""
    return plain_socket(family, socket.SOCK_STREAM, 0, descriptor)
