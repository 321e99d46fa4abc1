"""A server that gets no processor time makes its clients wait: that time does not count against their deadlines."""

from __future__ import annotations

import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite, process_tree, wait_until
from geventcore.testing.proxy_headers import version_2
from geventcore.testing.wire_client import Client, Connection

#: Deadlines of the server, and the longer time for which it is stopped, in seconds.
DEADLINE_SECONDS, STOPPED_SECONDS = 4, 9
#: Where a balancer calls from, whose header has a deadline of its own.
BALANCER = "127.0.7.65"
#: An answer that no buffers of the kernel hold.
LONG_ANSWER = "x" * 8_000_000
OPTIONS = {
    "server": {
        "proxy_protocol": BALANCER,
        "handshake_timeout": str(DEADLINE_SECONDS),
        "idle_timeout": str(DEADLINE_SECONDS),
        "request_timeout": str(DEADLINE_SECONDS),
    }
}


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site(options=OPTIONS).start() as running:
        yield running


@contextmanager
def stopped(server: LiveServer) -> Iterator[None]:
    """Let no process of the server run in the block, which lasts longer than the deadlines."""
    processes = process_tree(server.pid)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
        time.sleep(STOPPED_SECONDS)
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


class SlowHandshake:
    """A client that has sent the first half of its first message."""

    def __init__(self, client: Client) -> None:
        self.sock = client.connect_plain()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = client.context().wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        hello = self._outgoing.read()
        self._rest = hello[len(hello) // 2 :]
        self.sock.sendall(hello[: len(hello) // 2])

    def finish(self) -> None:
        """Send the rest; `ssl.SSLError` or `OSError` if the server has given up."""
        self.sock.sendall(self._rest)
        while True:
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                received = self.sock.recv(65536)
                if not received:
                    raise ConnectionError("the server has closed the connection") from None
                self._incoming.write(received)
            finally:
                if self._outgoing.pending:
                    self.sock.sendall(self._outgoing.read())


def test_no_deadline_passes_while_the_server_is_stopped(server: LiveServer) -> None:
    client = server.site.client("plain", source="127.0.7.1")
    request = client.request("ping", "x" * 1000)
    with ExitStack() as stack:

        def connect(sent: bytes) -> Connection:
            connection = stack.enter_context(client.connect())
            assert connection.call(client, "ping") == []
            connection.send(sent)
            return connection

        idle, head, body = connect(b""), connect(request[:40]), connect(request[:-500])
        handshake = SlowHandshake(client)
        stack.enter_context(handshake.sock)
        balanced = client.with_changes(source=BALANCER)
        header = stack.enter_context(balanced.connect_plain())
        header.sendall(version_2(client.source)[:20])
        reader = stack.enter_context(client.connect())
        reader.send(client.request("ping", LONG_ANSWER))
        # The first bytes of the answer, so the server is sending it.
        assert reader.sock.recv(1) == b"H"
        # The server has read what there is, so all deadlines have begun.
        wait_until(lambda: client.call("ping", "seen") == ["seen"], "an answer")
        with stopped(server):
            pass
        handshake.finish()
        header.sendall(version_2(client.source)[20:])
        with client.context().wrap_socket(header, server_hostname="localhost") as tls:
            assert Connection(tls).call(client, "ping", "header") == ["header"]
        assert reader.read_reply().value == [LONG_ANSWER]
        assert idle.call(client, "ping", "idle") == ["idle"]
        head.send(request[40:])
        body.send(request[-500:])
        for connection in (head, body):
            assert connection.read_reply().value == ["x" * 1000]
    assert not server.grave()


def test_deadlines_go_on_afterwards(server: LiveServer) -> None:
    """The clock has not stopped for good: a silent client is still closed."""
    client = server.site.client("plain", source="127.0.7.2")
    with client.connect() as connection:
        assert connection.call(client, "ping") == []
        assert connection.read_to_end() == b""
