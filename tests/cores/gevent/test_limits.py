"""What is bounded, who holds what of it, and that nobody is turned away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from geventcore.cores.gevent.client_table import MINIMUM_AGE_SECONDS
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.proxy_headers import LOCAL, through, version_2
from geventcore.testing.wire_client import Client, Connection

pytestmark = pytest.mark.live

#: Of clients that hold something, and of those who must not suffer from it.
OCCUPIER, OTHER = "127.0.5.1", "127.0.6.1"
#: Where a balancer calls from.
BALANCER = "127.0.2.1"


def open_gate(site: LiveSite) -> None:
    (site.directory / "gate-is-open").touch()


@contextmanager
def waiting_calls(server: LiveServer, count: int, at_once: int, source: str = OCCUPIER) -> Iterator[list[object]]:
    """Calls of one address that wait in a plugin, of which so many may do so at once; the gate is opened at the end."""
    with ThreadPoolExecutor(count) as executor:
        calls = [
            executor.submit(server.site.client(f"sleep-{number}", source=source).call, "GetConfig")
            for number in range(count)
        ]
        try:
            server.wait_for_log(" waits", times=at_once)
            yield list(calls)
        finally:
            open_gate(server.site)
        assert all("/waited/sleep" in call.result() for call in calls)


def other(site: LiveSite) -> Client:
    return site.client("host000.example.net", source=OTHER)


def test_slots_are_not_held_by_who_is_slow(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(pool_size=1, max_renders=1)
    occupier = site.client("large", source=OCCUPIER)
    with site.start(), ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(occupier.connect_plain())
            stack.enter_context(occupier.connect())
            half_a_head = stack.enter_context(occupier.connect())
            half_a_head.send(occupier.request("ping")[:40])
            half_a_body = stack.enter_context(occupier.connect())
            half_a_body.send(occupier.request("ping", "x" * 100_000)[:-50_000])
            idle = stack.enter_context(occupier.connect())
            idle.call(occupier, "ping")
            unread = stack.enter_context(occupier.connect(receive_buffer=4096))
            unread.send(occupier.request("GetConfig") * 20)
        for _ in range(10):
            assert other(site).call("GetProbes").startswith("<probes")
            assert other(site).call("GetConfig").startswith("<Configuration")


def test_silent_connections_wake_nobody(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    occupier = site.client("plain", source=OCCUPIER)
    with site.start() as server, ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(occupier.connect_plain())
            stack.enter_context(occupier.connect())
        status = Path(f"/proc/{server.pid}/task/{server.pid}/status")

        def wakeups() -> int:
            (line,) = [line for line in status.read_text().splitlines() if line.startswith("voluntary")]
            return int(line.split()[1])

        def is_quiet() -> bool:
            before = wakeups()
            time.sleep(0.5)
            return wakeups() - before < 10

        wait_until(is_quiet, "the event loop sleeps")


def test_one_address_has_half_of_the_slots(new_site: Callable[..., LiveSite]) -> None:
    site = new_site("waiting.Waiting", pool_size=6)
    with site.start() as server, waiting_calls(server, 8, at_once=3) as calls:
        assert other(site).call("GetConfig").startswith("<Configuration")
        assert server.log_text().count(" waits") == 3
        assert not any(call.done() for call in calls)  # type: ignore[attr-defined]


def test_who_comes_when_all_slots_are_taken_waits(new_site: Callable[..., LiveSite]) -> None:
    site = new_site("waiting.Waiting", pool_size=2)
    with site.start() as server, ThreadPoolExecutor(1) as executor:
        with waiting_calls(server, 1, at_once=1), waiting_calls(server, 1, at_once=2, source="127.0.5.2"):
            late = executor.submit(other(site).call, "ping", "late")
        assert late.result() == ["late"]
        assert not server.grave()


def test_large_bodies_wait_for_room_and_a_stalled_one_gives_it_back(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(upload_memory="150k")
    occupier = site.client("plain", source=OCCUPIER)
    text = "x" * 100_000
    with site.start() as server, ExitStack() as stack:
        halves = []
        for _ in range(3):
            connection = stack.enter_context(occupier.connect())
            request = occupier.request("ping", text)
            connection.send(request[:30_000])
            halves.append((connection, request[30_000:]))
        for _ in range(2):
            assert other(site).call("ping", text) == [text]
        for connection, rest in halves:
            connection.send(rest)
        for connection, _ in halves:
            assert connection.read_reply().value == [text]
        assert not server.grave()


def test_answers_that_nobody_reads_make_way(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(answer_memory="300k")
    with site.start() as server, ExitStack() as stack:
        for number in range(3):
            occupier = site.client("large", source=f"127.0.5.{number + 1}")
            unread = stack.enter_context(occupier.connect(receive_buffer=4096))
            # As many as fill the kernel's buffers, too.
            unread.send(occupier.request("GetConfig") * 30)
        for _ in range(2):
            assert other(site).call("GetConfig").startswith("<Configuration")
        wait_until(lambda: server.log_text().count("the client reads its answer too slowly") == 3, "they are cut off")


@pytest.mark.parametrize("workers", [1, 2])
def test_all_places_are_taken_by_who_wants_nothing(new_site: Callable[..., LiveSite], workers: int) -> None:
    site = new_site(max_connections=10, workers=workers)
    occupier = site.client("plain", source=OCCUPIER)
    with site.start() as server, ExitStack() as stack:
        for _ in range(12 * workers):
            stack.enter_context(occupier.connect_plain())
        server.wait_for_log("No more connections are accepted for now, with 10 open", times=workers)
        for _ in range(3):
            assert other(site).call("GetConfig").startswith("<Configuration")
        assert server.log_text().count("No more connections") == workers


def test_all_places_are_taken_by_who_is_served(new_site: Callable[..., LiveSite]) -> None:
    site = new_site("waiting.Waiting", max_connections=4)
    with site.start() as server, ThreadPoolExecutor(1) as executor:
        with waiting_calls(server, 4, at_once=4):
            late = executor.submit(other(site).call, "ping", "late")
            server.wait_for_log("No more connections are accepted for now, with 4 open")
        assert late.result() == ["late"]
        assert not server.grave()


def test_no_descriptors_are_left(new_site: Callable[..., LiveSite]) -> None:
    site = new_site("hoarding.Hoarding")
    occupier = site.client("plain", source=OCCUPIER)
    server = site.launch(starter=["sh", "-c", 'ulimit -n 200; exec "$@"', "sh"])
    with server:
        server.wait_for_log("listens on")
        with ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(occupier.connect_plain())
            server.wait_for_log("Too many open files")
            assert other(site).call("GetProbes").startswith("<probes")
        for _ in range(20):
            assert other(site).call("GetProbes").startswith("<probes")
        wait_until(lambda: "Connections are accepted again" in server.log_text(), "it accepts again")
        assert server.log_text().count("Too many open files") == 1
        assert "Traceback" not in server.log_text()


def test_behind_a_balancer_places_are_those_of_its_clients(new_site: Callable[..., LiveSite]) -> None:
    """The balancer's own connections are the oldest and the most, but only one client has more than its share."""
    site = new_site(max_connections=13, sections={"server": {"proxy_protocol": BALANCER}})
    client = site.client("plain", source=BALANCER)
    with site.start() as server, ExitStack() as stack:

        def idle(header: bytes, count: int) -> list[Connection]:
            connections = [stack.enter_context(through(client, header)) for _ in range(count)]
            for connection in connections:
                assert connection.call(client, "ping") == []
            return connections

        modest = idle(LOCAL, 5) + idle(version_2(OTHER), 3)
        greedy = idle(version_2(OCCUPIER), 4)
        # Younger ones might yet have something to say, and are let go by nobody.
        time.sleep(MINIMUM_AGE_SECONDS)
        late = stack.enter_context(through(client, version_2("127.0.6.2")))
        assert late.call(client, "ping", "late") == ["late"]
        for connection in greedy:
            with pytest.raises(EOFError):
                connection.read_reply()
        for connection in modest:
            assert connection.call(client, "ping", "still") == ["still"]
        assert not server.grave()


def test_fewer_connections_than_were_asked_for_are_told_once(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(workers="2", max_connections="20000")
    with site.launch(starter=["/bin/sh", "-c", 'ulimit -n 100; exec "$@"', "sh"]) as server:
        server.wait_for_log("listens on")
        (line,) = server.grave()
        assert line.level == "WARNING"
        assert "50 connections at most, not 20000 ([gevent] max_connections)" in line.message
