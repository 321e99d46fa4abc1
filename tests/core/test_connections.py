"""Connections of a server that ends: those that owe a client an answer stay until it has that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from geventcore.core.connection import Connection, ConnectionTable
from geventcore.core.network_options import NETWORK_OPTIONS
from geventcore.options import load_settings
from geventcore.options.settings import LoadedSettings
from geventcore.rpc.conversation import Read, Run, Write
from geventcore.testing.live_site import wait_until
from tests.rpc.test_conversation import request, service

PATIENCE_SECONDS = 60.0


class Host:
    """The parts of a core that connections use; nothing needs TLS here."""

    tls: Any = None

    def __init__(self, directory: Path) -> None:
        (directory / "bcfg2.conf").write_text("")
        self.settings: LoadedSettings = load_settings(options=NETWORK_OPTIONS, config_file=directory / "bcfg2.conf")
        self.service = service()
        self.connections = ConnectionTable()


class OpenConnection(Connection):
    """A connection without a socket, after its handshake.

    Attributes:
        was_aborted: true after `abort`.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host, ("192.0.2.7", 4711))
        self.was_aborted = False
        self.talk = self.begin_conversation("TLSv1.3", None)

    @property
    def has_begun(self) -> bool:
        return True

    def abort(self) -> None:
        self.was_aborted = True
        self.end()

    def end(self) -> None:
        self._host.connections.remove(self)

    def exchange(self, data: bytes) -> bytes:
        """The bytes that the server sends to the data, up to its next read or the end."""
        sent = b""
        while True:
            step = self.talk.next_step()
            if isinstance(step, Read) and not data:
                return sent
            if isinstance(step, Read):
                self.talk.receive_data(data)
                data = b""
            elif isinstance(step, Run):
                step.work()
            elif isinstance(step, Write):
                sent += b"".join(step.buffers)
            else:
                self.end()
                return sent


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@contextmanager
def draining(table: ConnectionTable, handshake_seconds: float) -> Iterator[None]:
    """A drain beside the block, which ends when all connections have ended."""
    thread = threading.Thread(target=table.drain, args=(PATIENCE_SECONDS, handshake_seconds))
    thread.start()
    wait_until(lambda: table.is_draining, "the drain begins")
    yield
    thread.join()


def test_a_client_that_has_not_sent_its_first_request_may_do_so(host: Host) -> None:
    used, unused = OpenConnection(host), OpenConnection(host)
    assert b" 200 " in used.exchange(request("Echo", 1))
    with draining(host.connections, PATIENCE_SECONDS):
        wait_until(lambda: used.was_aborted, "the connection between two requests is closed")
        assert not unused.was_aborted
        assert b" 200 " in unused.exchange(request("Echo", 2))


def test_a_client_that_sends_nothing_is_not_waited_for_long(host: Host) -> None:
    silent = OpenConnection(host)
    with draining(host.connections, 0.0):
        wait_until(lambda: silent.was_aborted, "the connection is closed")
