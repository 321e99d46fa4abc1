"""Turns of handshakes beside everything else in one event loop."""

from __future__ import annotations

import socket

import gevent
import gevent.socket

from geventcore.cores.gevent.handshakes import HandshakeTurns

HANDSHAKES = 60
REQUESTS = 8


def test_whoever_has_something_to_do_comes_before_more_handshakes() -> None:
    turns = HandshakeTurns(2)
    seen: list[str] = []
    one, other = socket.socketpair()
    one.setblocking(False)
    other.send(b"x" * REQUESTS)

    def handshake() -> None:
        turns.take()
        seen.append("handshake")

    def requests() -> None:
        for _ in range(REQUESTS):
            gevent.socket.wait_read(one.fileno())
            one.recv(1)
            seen.append("request")

    with one, other:
        gevent.joinall([gevent.spawn(work) for work in (requests, *[handshake] * HANDSHAKES)], raise_error=True)
    last = max(number for number, what in enumerate(seen) if what == "request")
    assert seen.count("handshake") == HANDSHAKES
    # Those who find their turn at once, then two before each request.
    assert seen[:last].count("handshake") <= 2 * (REQUESTS + 2)


def test_handshakes_go_on_in_the_order_of_their_arrival() -> None:
    turns = HandshakeTurns(3)
    order: list[int] = []

    def handshake(number: int) -> None:
        for _ in range(2):
            turns.take()
        order.append(number)

    gevent.joinall([gevent.spawn(handshake, number) for number in range(20)], raise_error=True)
    assert order == list(range(20))
