"""A name server that does not answer holds up those who wait for a name, and nobody else.

Names go through the system's resolver. The server gets a file of its own over /etc/resolv.conf, in a namespace that
only it sees; that, and port 53, is root's, so the test is skipped where the tests are somebody else's.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from geventcore.cores.gevent.core import RESOLVER_THREADS
from geventcore.testing.live_site import LiveSite, wait_until
from tests.cores.gevent.test_cooperation import add_clients, caller

pytestmark = pytest.mark.live

ADDRESS = "127.0.5.53"
#: More than there are threads for.
WAITERS = RESOLVER_THREADS + 10
#: What a name server says of a name that does not exist.
NO_SUCH_NAME = b"\x81\x83"


class NameServer:
    """Answers nobody until it is released; then nobody has the names that it is asked for.

    Attributes:
        asked: the names, as they are in queries.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._released = threading.Event()
        self._queries: list[tuple[bytes, object]] = []
        self.asked: set[bytes] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._sock.settimeout(0.05)
        while True:
            try:
                self._queries.append(self._sock.recvfrom(2000))
            except TimeoutError:
                pass
            except OSError:
                return
            # Two queries for each: IPv4 and IPv6.
            self.asked.update(query[12:-4] for query, _ in self._queries)
            if self._released.is_set():
                for query, address in self._queries:
                    self._sock.sendto(query[:2] + NO_SUCH_NAME + query[4:], address)  # type: ignore[arg-type]
                self._queries.clear()

    def release(self) -> None:
        """Answer from now on."""
        self._released.set()

    def close(self) -> None:
        """Listen no more."""
        self._sock.close()
        self._thread.join()


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((ADDRESS, 53))
    except PermissionError:
        sock.close()
        pytest.skip("only root may listen on port 53 here")
    server = NameServer(sock)
    yield server
    server.close()


def with_resolver(directory: Path) -> list[str]:
    """The command that starts another one whose names are looked up at `ADDRESS`."""
    path = directory / "resolv.conf"
    # Long enough for a busy machine: a lookup that is given up ends the call that waits for it.
    path.write_text(f"nameserver {ADDRESS}\noptions timeout:30 attempts:5\n")
    command = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(path)]
    try:
        subprocess.run([*command, "true"], capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("a process cannot have an /etc/resolv.conf of its own here")
    return command


@contextmanager
def released(name_server: NameServer) -> Iterator[None]:
    """The name server answers at the end, whatever becomes of the block."""
    try:
        yield
    finally:
        name_server.release()


def ended(calls: Sequence[Future[Any]]) -> list[object]:
    """The results, or errors, of the calls that have ended."""
    return [call.exception() or call.result() for call in calls if call.done()]


def wait_until_asked(name_server: NameServer, calls: Sequence[Future[Any]]) -> None:
    """Return when as many names are asked for as there are threads; an AssertionError if a call ends before."""

    def is_asked() -> bool:
        assert not ended(calls), "calls end that need a name"
        return len(name_server.asked) >= RESOLVER_THREADS

    wait_until(is_asked, "as many names as possible are asked for")


def other_calls(site: LiveSite) -> None:
    """What clients do that need no name; an AssertionError if they are not served."""
    for number in range(10):
        client = site.client(f"host{number:03}.example.net", source="127.0.4.1")
        assert client.call("GetProbes").startswith("<probes")
        assert client.call("GetConfig").startswith("<Configuration")
    # What a plugin offloads is not behind names.
    assert "/waited/offload" in site.client("offload-1", source="127.0.4.1").call("GetConfig")


def test_plugins_that_wait_for_names(
    new_site: Callable[..., LiveSite], name_server: NameServer, tmp_path: Path
) -> None:
    names = [f"name-{number}" for number in range(WAITERS)]
    site = new_site("waiting.Waiting")
    add_clients(site, *names)
    with site.launch(starter=with_resolver(tmp_path)) as server:
        server.wait_for_log("listens on")
        with ThreadPoolExecutor(WAITERS) as executor, released(name_server):
            calls = [executor.submit(caller(site, name, number).call, "GetConfig") for number, name in enumerate(names)]
            server.wait_for_log(" waits", times=WAITERS)
            wait_until_asked(name_server, calls)
            other_calls(site)
            assert not ended(calls)
            name_server.release()
            for call in calls:
                assert "/waited/no-such-name" in call.result(timeout=60)
        assert not server.grave()


def test_callers_whose_names_are_not_known(
    new_site: Callable[..., LiveSite], name_server: NameServer, tmp_path: Path
) -> None:
    """Reverse DNS is asked for the client if nothing else tells who calls."""
    site = new_site("waiting.Waiting")
    with site.launch(starter=with_resolver(tmp_path)) as server:
        server.wait_for_log("listens on")
        with ThreadPoolExecutor(WAITERS) as executor, released(name_server):
            clients = [caller(site, "root", number) for number in range(WAITERS)]
            calls = [executor.submit(client.exchange, client.request("ping")) for client in clients]
            wait_until_asked(name_server, calls)
            other_calls(site)
            assert not ended(calls)
            name_server.release()
            assert {call.result(timeout=60).status for call in calls} == {401}
