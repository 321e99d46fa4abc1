"""Plugins that wait in plain blocking Python hold up nobody else."""

from __future__ import annotations

import fcntl
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.wire_client import Client
from tests.support.project import SITE_PLUGINS
from tests.support.site_plugins import warming

pytestmark = pytest.mark.live

#: How many clients' configurations wait in each way.
WAITERS = {"sleep": 80, "lock": 80, "condition": 80, "queue": 80, "server": 80, "thread": 80, "program": 20}


@contextmanager
def slow_server(release: threading.Event) -> Iterator[int]:
    """A server that answers nobody before it is released; its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        connections: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connections.append(listener.accept()[0])
                except OSError:
                    return

        def answer() -> None:
            release.wait()
            for connection in connections:
                connection.sendall(b"server")
                connection.close()

        threads = [threading.Thread(target=accept, daemon=True), threading.Thread(target=answer)]
        for thread in threads:
            thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            release.set()
            threads[1].join()


def add_clients(site: LiveSite, *names: str) -> None:
    """List clients that are not known yet."""
    path = site.repository / "Metadata" / "clients.xml"
    lines = "".join(f'<Client name="{name}" profile="basic"/>\n' for name in names)
    path.write_text(path.read_text().replace("</Clients>", f"{lines}</Clients>"))


def caller(site: LiveSite, name: str, number: int) -> Client:
    """A client with an address that few others have."""
    return site.client(name, source=f"127.0.3.{number % 200 + 1}")


@pytest.mark.parametrize("workers", [1, 2])
def test_hundreds_of_waiting_plugins_hold_up_nobody(new_site: Callable[..., LiveSite], workers: int) -> None:
    names = [f"{kind}-{number}" for kind, count in WAITERS.items() for number in range(count)]
    release = threading.Event()
    with slow_server(release) as port:
        site = new_site("waiting.Waiting", workers=workers)
        add_clients(site, *names)
        (site.directory / "port").write_text(str(port))
        with site.start() as server, ThreadPoolExecutor(len(names)) as executor:
            calls = [executor.submit(caller(site, name, number).call, "GetConfig") for number, name in enumerate(names)]
            server.wait_for_log(" waits", times=len(names))
            others = [site.client(f"host{number:03}.example.net", source="127.0.4.1") for number in range(20)]
            for other in others:
                assert other.call("GetProbes").startswith("<probes")
                assert other.call("GetConfig").startswith("<Configuration")
                assert other.call("RecvProbeData", "<ProbeData/>") is True
            # What a plugin offloads is not behind what others wait for.
            assert "/waited/offload" in site.client("offload-1", source="127.0.4.1").call("GetConfig")
            assert not any(call.done() for call in calls)
            release.set()
            (site.directory / "gate-is-open").touch()
            found = Counter(kind for kind in WAITERS for call in calls if f"/waited/{kind}" in call.result(timeout=60))
            assert found == WAITERS
            assert not [line for line in server.grave() if "Nobody else" not in line.message]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_plugins_offload_for_themselves_does_not_take_the_threads_of_requests(
    new_site: Callable[..., LiveSite], workers: int
) -> None:
    site = new_site("warming.Warming", workers=workers)
    with (site.directory / "locked").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with site.start() as server:
            client = site.client("host001.example.net", source="127.0.4.1")
            assert "/offloaded" in client.call("GetConfig")
            assert "warmed up" not in server.log_text()
            fcntl.flock(lock, fcntl.LOCK_UN)
            # None of them is forgotten.
            server.wait_for_log("warmed up", times=warming.THREADS if workers == 1 else warming.THREADS // 2)


SOURCE = SITE_PLUGINS / "blocking.py"


def line_of(mark: str) -> str:
    """The number of a marked line of the plugin that blocks."""
    (found,) = [number for number, text in enumerate(SOURCE.read_text().splitlines(), 1) if f"that {mark}" in text]
    return str(found)


def blocked(server: LiveServer) -> list[str]:
    """What the log says of code that blocks."""
    return [line.message for line in server.log() if line.message.startswith("The event loop was blocked")]


@pytest.mark.parametrize("workers", [1, 2])
def test_who_blocks_is_named(new_site: Callable[..., LiveSite], workers: int) -> None:
    site = new_site("blocking.Blocking", max_blocking="0.2", workers=workers)
    with site.start() as server:
        for name in ("compute-1", "count-1"):
            assert site.client(name).call("GetConfig").startswith("<Configuration")
        wait_until(lambda: len(blocked(server)) == 2, "two lines about who has blocked")
        for name, mark in (("compute-1", "computes"), ("count-1", "counts")):
            (message,) = [message for message in blocked(server) if f", for {name} (" in message]
            assert f"Blocking.build_structures at {SOURCE}:{line_of(mark)}," in message


_BUSY = """
import time

__export__ = ["compute", "compute_again"]

def compute():
    deadline = time.perf_counter() + 0.8
    any(iter(lambda: time.perf_counter() >= deadline, True))  # computes

def compute_again():
    deadline = time.perf_counter() + 0.8
    any(iter(lambda: time.perf_counter() >= deadline, True))  # computes
"""


def test_who_blocks_in_a_template_is_named_with_plugin_entry_and_template(new_site: Callable[..., LiveSite]) -> None:
    site = new_site("TemplateHelper", max_blocking="0.2")
    motd = site.repository / "Cfg/etc/motd"
    (motd / "motd").unlink()
    (motd / "motd.jinja2").write_text("{% set busy = metadata.TemplateHelper['busy'] %}{{ busy.compute() }}\n")
    large = site.repository / "Cfg/srv/large"
    (large / "large").unlink()
    (large / "large.genshi").write_text("${metadata.TemplateHelper['busy'].compute_again()}\n")
    helper = site.repository / "TemplateHelper/busy.py"
    helper.parent.mkdir()
    helper.write_text(_BUSY)
    with site.start() as server:
        for name in ("basic", "large"):
            site.client(name).call("GetConfig")
        wait_until(lambda: len(blocked(server)) == 2, "two lines about who has blocked")
        messages = blocked(server)
    lines = [number for number, line in enumerate(_BUSY.split("\n"), 1) if line.endswith("# computes")]
    expected = [
        f"Cfg.bind_entry (Path:/etc/motd, {motd / 'motd.jinja2'}) at {helper}:{lines[0]}, for basic (",
        f"Cfg.bind_entry (Path:/srv/large, {large / 'large.genshi'}) at {helper}:{lines[1]}, for large (",
    ]
    for message, text in zip(messages, expected, strict=True):
        assert text in message


def test_who_blocks_again_is_not_named_again_at_once(new_site: Callable[..., LiveSite]) -> None:
    site = new_site("blocking.Blocking", max_blocking="0.2")
    with site.start() as server:
        for number in range(3):
            site.client(f"compute-{number}").call("GetConfig")
        site.client("count-1").call("GetConfig")
        wait_until(lambda: len(blocked(server)) == 2, "two lines about who has blocked")
        assert len([message for message in blocked(server) if line_of("computes") in message]) == 1
