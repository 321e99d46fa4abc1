"""Slow clients of each kind take nothing from the others.

What is compared are counts: of the calls of good clients, how many are answered while slow ones hold their connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client, HTTPStatusError

#: Slow connections of each kind; in all fewer than any core has places by default.
EACH = 12
GOOD_CLIENTS, CALLS_EACH = 5, 8
#: Of the calls of good clients, this part has to be answered at the first try.
GOODPUT = 0.95
#: An answer that no buffers of the kernel hold.
LONG = "x" * 6_000_000


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site().start() as running:
        yield running


def _connect(client: Client, stack: ExitStack) -> None:
    stack.enter_context(client.connect_plain())


def _handshake(client: Client, stack: ExitStack) -> None:
    # The head of a record, and the beginning of its content.
    stack.enter_context(client.connect_plain()).sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")


def _head(client: Client, stack: ExitStack) -> None:
    stack.enter_context(client.connect()).send(client.request("ping")[:40])


def _body(client: Client, stack: ExitStack) -> None:
    stack.enter_context(client.connect()).send(client.request("ping", "x" * 100_000)[:50_000])


def _read(client: Client, stack: ExitStack) -> None:
    connection = stack.enter_context(client.connect())
    connection.send(client.request("ping", LONG))
    # The answer is being sent.
    assert connection.sock.recv(1) == b"H"


KINDS = {"connect": _connect, "handshake": _handshake, "head": _head, "body": _body, "read": _read}


def answered(client: Client) -> int:
    """The number of calls that a good client gets answered, of `CALLS_EACH` without a second try."""
    count = 0
    for number in range(CALLS_EACH):
        try:
            count += client.call("ping", number) == [number]
        except (*CONNECTION_ERRORS, HTTPStatusError):
            continue
    return count


@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_good_clients_are_served(server: LiveServer, kind: str) -> None:
    slow = server.site.client("slow", source="127.0.9.200")
    good = [server.site.client("plain", source=f"127.0.4.{number + 1}") for number in range(GOOD_CLIENTS)]
    with ExitStack() as stack:
        for name in KINDS if kind == "all" else [kind]:
            # Long answers take memory of this process, too.
            for _ in range(3 if name == "read" else EACH):
                KINDS[name](slow.with_changes(user="plain"), stack)
        with ThreadPoolExecutor(GOOD_CLIENTS) as executor:
            assert sum(executor.map(answered, good)) >= GOODPUT * GOOD_CLIENTS * CALLS_EACH
    # They leave nothing behind.
    assert server.site.client("plain").call("ping", "after") == ["after"]
