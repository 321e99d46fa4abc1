"""A server that is ended and started again, as by ``systemctl restart``: clients' runs go on."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from geventcore.testing.live_site import LiveSite
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client

#: What a real client does: so many tries for each call, and a pause between them.
TRIES, PAUSE_SECONDS = 3, 1.0
CLIENTS = 6


def persistent_call(client: Client, method: str, *arguments: object) -> object:
    """The result of a call that is tried as often as a real client tries."""
    for left in reversed(range(TRIES)):
        try:
            return client.call(method, *arguments)
        except CONNECTION_ERRORS:
            if not left:
                raise
            time.sleep(PAUSE_SECONDS)
    raise AssertionError("there is a last try")


def test_connections_wait_while_the_server_drains(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    client = site.client("plain")
    refused = 0
    with site.start() as server, ExitStack() as stack:
        # The drain waits a little for who has connected and not begun.
        stack.enter_context(client.connect_plain())
        assert client.call("ping") == []
        server.signal(signal.SIGTERM)
        waiting: list[socket.socket] = []
        while server.process.process.poll() is None:
            try:
                waiting.append(stack.enter_context(client.connect_plain()))
            except ConnectionRefusedError:
                refused += 1
            time.sleep(0.1)
        # The sockets are closed a moment before the process is gone.
        assert len(waiting) > refused


def test_no_run_is_lost_over_a_restart(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    stopping = threading.Event()

    def run_again_and_again(number: int) -> int:
        client = site.client(f"host{number:03}.example.net", source=f"127.0.4.{number + 1}")
        runs = 0
        while not stopping.is_set():
            assert str(persistent_call(client, "GetProbes")).startswith("<probes")
            assert persistent_call(client, "RecvProbeData", "<ProbeData/>") is True
            assert str(persistent_call(client, "GetConfig")).startswith("<Configuration")
            runs += 1
        return runs

    server = site.start()
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as executor:
        runs = [executor.submit(run_again_and_again, number) for number in range(CLIENTS)]
        try:
            # It has connected, and says nothing: the drain takes longer than three tries without a pause.
            with site.client("plain").connect_plain():
                server.stop()
            server = stack.enter_context(site.start())
        finally:
            stopping.set()
        assert all(run.result() for run in runs)
        assert server.stop() == 0
