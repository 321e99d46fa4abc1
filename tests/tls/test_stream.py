"""What `TLSStream` does over real connections with well-behaved, silent, slow, rude and hostile clients."""

from __future__ import annotations

import os
import resource
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from geventcore.errors import TLSError
from geventcore.tls import library
from geventcore.tls.context import ServerContext
from geventcore.tls.stream import RECORD_SIZE, TLSStream
from geventcore.tls.waiter import SelectWaiter
from tests.peers.environment import find_python2
from tests.tls.peers import PATIENCE_SECONDS, Site, read_to_end, serve, soon, stream_to, talk, tcp_pair
from tests.tls.records import KeyUpdatingClient


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def context(site: Site) -> ServerContext:
    return site.context()


class RecordingWaiter(SelectWaiter):
    """Waits, and remembers for what. `before` runs ahead of each wait."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.waits: list[str] = []
        self.before = before

    def wait_readable(self, sock: socket.socket, deadline: float) -> None:
        self.waits.append("readable")
        self.before()
        super().wait_readable(sock, deadline)

    def wait_writable(self, sock: socket.socket, deadline: float) -> None:
        self.waits.append("writable")
        self.before()
        super().wait_writable(sock, deadline)


@pytest.fixture
def raw(context: ServerContext) -> Iterator[tuple[TLSStream, socket.socket]]:
    """A stream whose client is a bare socket in the hands of the test."""
    server_end, client = tcp_pair()
    stream = TLSStream(context, server_end, SelectWaiter())
    with client:
        yield stream, client
    stream.close()


# -- the usual life


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_request_and_answer(site: Site, context: ServerContext, version: ssl.TLSVersion) -> None:
    client = site.client(site.authority.issue("web1", client=True))
    client.minimum_version = client.maximum_version = version
    with stream_to(context, client) as (stream, answer):
        assert serve(stream) == b"request"
        assert answer.result() == b"answer"
        assert stream.peer_identity is not None


def test_properties_before_during_and_after(site: Site, context: ServerContext) -> None:
    with stream_to(context, site.client()) as (stream, _):
        assert (stream.cipher, stream.pending, stream.peer_identity) == (None, 0, None)
        stream.handshake(soon())
        assert (stream.protocol, stream.cipher) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
        assert stream.receive(3, soon()) == b"req"
        assert stream.pending == len(b"uest")
        assert stream.receive(100, monotonic() - 1) == b"uest"
        stream.close()
        assert (stream.protocol, stream.cipher, stream.pending) == (None, None, 0)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_several_buffers_arrive_in_order(site: Site, context: ServerContext, kind: Any) -> None:
    pieces = [b"head", b"", b"b" * (RECORD_SIZE - 4), b"c" * 100_000, b"d", b"e" * (RECORD_SIZE - 1), b"f" * 3]
    with stream_to(context, site.client()) as (stream, answer):
        stream.handshake(soon())
        stream.receive(100, soon())
        stream.send_all([kind(piece) for piece in pieces], soon())
        stream.send_all(kind(b"end"), soon())
        stream.send_all([], soon())
        stream.send_all(b"", soon())
        stream.shutdown(soon())
        stream.close()
        assert answer.result() == b"".join(pieces) + b"end"


def test_short_buffers_share_a_record(site: Site, context: ServerContext) -> None:
    def first_read(sock: ssl.SSLSocket) -> bytes:
        sock.sendall(b"request")
        return sock.recv(65536)

    with stream_to(context, site.client(), first_read) as (stream, answer):
        stream.handshake(soon())
        stream.receive(100, soon())
        stream.send_all([b"head ", b"body"], soon())
        assert answer.result() == b"head body"


def test_long_answer_to_a_slow_reader_is_complete(site: Site, context: ServerContext) -> None:
    long = os.urandom(1_000_000) * 8
    sent = threading.Event()

    def late(sock: ssl.SSLSocket) -> bytes:
        sock.sendall(b"request")
        blocked.wait(PATIENCE_SECONDS)
        return read_to_end(sock)

    blocked = threading.Event()
    waiter = RecordingWaiter()
    with stream_to(context, site.client(), late, waiter=waiter) as (stream, answer):
        stream.handshake(soon())
        stream.receive(100, soon())
        waiter.waits.clear()
        waiter.before = blocked.set
        stream.send_all([b"head", memoryview(long)], soon())
        sent.set()
        stream.shutdown(soon())
        stream.close()
        assert answer.result() == b"head" + long
        assert "writable" in waiter.waits


def python2() -> str:
    interpreter = find_python2()
    if interpreter is None:
        pytest.skip("there is no Python 2.7")
    return str(interpreter.path)


@pytest.mark.parametrize("interpreter", [python2, lambda: sys.executable], ids=["2.7", "3"])
def test_clients_of_old_and_new_pythons(site: Site, interpreter: Callable[[], str]) -> None:
    """As Bcfg2 clients connect: with a certificate, without a look at the server's name, and with a bare close."""
    program = (
        "import socket, ssl, sys\n"
        "context = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS', ssl.PROTOCOL_SSLv23))\n"
        "context.verify_mode = ssl.CERT_REQUIRED\n"
        "context.load_verify_locations(sys.argv[2])\n"
        "context.load_cert_chain(sys.argv[3], sys.argv[4])\n"
        "sock = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20))\n"
        "sock.sendall(b'request')\n"
        "sys.stdout.write(sock.recv(100).decode('ascii'))\n"
    )
    pair = site.write_pair("old-client", site.authority.issue("old1", client=True, server=False, key_type="rsa"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        arguments = [str(listener.getsockname()[1]), str(site.ca), *map(str, pair)]
        command = [interpreter(), "-W", "ignore", "-c", program, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            stream = TLSStream(site.context(), listener.accept()[0], SelectWaiter())
            assert serve(stream) == b"request"
            assert client.communicate(timeout=PATIENCE_SECONDS)[0] == b"answer"
        assert client.returncode == 0
    assert stream.peer_identity is not None
    assert stream.peer_identity.common_name == "old1"


# -- clients that do not speak TLS


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"POST /RPC2 HTTP/1.1\r\nHost: x\r\n\r\n", "the client speaks plain HTTP to the TLS port"),
        (b"CONNECT x:443 HTTP/1.1\r\n\r\n", "the client uses the TLS port as an HTTP proxy"),
        (b"SSH-2.0-OpenSSH_9.6\r\n" * 5, "the client does not speak TLS"),
        (b"\0" * 100, "the client does not speak TLS"),
        (b"\x16\x03\x01\xff\xff" + b"x" * 100, "the client sends no TLS record"),
    ],
)
def test_other_protocols_are_named(raw: tuple[TLSStream, socket.socket], sent: bytes, reason: str) -> None:
    stream, client = raw
    client.sendall(sent)
    with pytest.raises(TLSError) as caught:
        stream.handshake(soon())
    assert str(caught.value) == reason


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
def test_client_that_leaves_during_the_handshake_is_a_lost_connection(
    raw: tuple[TLSStream, socket.socket], sent: bytes
) -> None:
    stream, client = raw
    client.sendall(sent)
    client.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError, match="the client has closed the connection"):
        stream.handshake(soon())


def test_reset_during_the_handshake_is_a_lost_connection(raw: tuple[TLSStream, socket.socket]) -> None:
    stream, client = raw
    reset(client)
    with pytest.raises(ConnectionError, match="Connection reset by peer"):
        stream.handshake(soon())


@settings(max_examples=100, deadline=None)
@given(junk=st.binary(min_size=1, max_size=300), disguise=st.booleans())
def test_nothing_but_our_errors_comes_out_of_junk(context: ServerContext, junk: bytes, disguise: bool) -> None:
    server_end, client = socket.socketpair()
    stream = TLSStream(context, server_end, SelectWaiter())
    with client:
        client.sendall(b"\x16\x03\x01" + len(junk).to_bytes(2, "big") + junk if disguise else junk)
        client.shutdown(socket.SHUT_WR)
        with pytest.raises((TLSError, ConnectionError)) as caught:
            stream.handshake(soon())
        assert str(caught.value).isprintable()
        stream.shutdown(soon())
        stream.close()


@settings(max_examples=50, deadline=None)
@given(position=st.integers(0, 200), flip=st.integers(1, 255))
def test_nothing_but_our_errors_comes_out_of_damaged_records(
    site: Site, context: ServerContext, position: int, flip: int
) -> None:
    """Damage one byte of what an established client sends."""
    server_end, client_end = socket.socketpair()
    stream = TLSStream(context, server_end, SelectWaiter())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = site.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with client_end:
        handshake_by_hand(stream, client, incoming, outgoing, client_end)
        client.write(b"x" * 180)
        record = bytearray(outgoing.read())
        record[position % len(record)] ^= flip
        client_end.sendall(record)
        client_end.shutdown(socket.SHUT_WR)
        # What damages the length may only look like a client that has left in the middle of a record.
        with suppress(TLSError):
            assert stream.receive(1000, soon()) == b""
        stream.close()


def handshake_by_hand(
    stream: TLSStream, client: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, sock: socket.socket
) -> None:
    """A handshake whose client lives in memory, so that a test can do with its records what it likes."""
    server = threading.Thread(target=stream.handshake, args=(soon(),))
    server.start()
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))
    sock.sendall(outgoing.read())
    server.join()


# -- deadlines


def test_silent_client_times_out(raw: tuple[TLSStream, socket.socket]) -> None:
    stream, _ = raw
    with pytest.raises(TimeoutError):
        stream.handshake(monotonic() + 0.05)
    with pytest.raises(ConnectionError):
        stream.receive(100, soon())


def test_trickling_client_has_one_deadline_for_the_whole_handshake(raw: tuple[TLSStream, socket.socket]) -> None:
    """Each byte comes well before the deadline of a single wait; if waits had one each, the client's end would come."""
    stream, client = raw
    stop = threading.Event()

    def trickle() -> None:
        for byte in b"\x16\x03\x01\x02\x00\x01" + b"\0" * 60:
            client.sendall(bytes([byte]))
            if stop.wait(0.02):
                return
        client.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with pytest.raises(TimeoutError):
            stream.handshake(monotonic() + 0.3)
    finally:
        stop.set()
        thread.join()


def test_timeout_of_a_read_does_no_harm(site: Site, context: ServerContext) -> None:
    go_on = threading.Event()

    def late(sock: ssl.SSLSocket) -> bytes:
        go_on.wait(PATIENCE_SECONDS)
        return talk(sock)

    with stream_to(context, site.client(), late) as (stream, answer):
        stream.handshake(soon())
        for _ in range(3):
            with pytest.raises(TimeoutError):
                stream.receive(100, monotonic())
        go_on.set()
        assert stream.receive(100, soon()) == b"request"
        stream.send_all(b"answer", soon())
        stream.shutdown(soon())
        stream.close()
        assert answer.result() == b"answer"


def test_client_that_does_not_read_times_out_and_can_be_left(site: Site, context: ServerContext) -> None:
    done = threading.Event()
    with stream_to(context, site.client(), lambda _: done.wait(PATIENCE_SECONDS)) as (stream, _):
        stream.handshake(soon())
        with pytest.raises(TimeoutError):
            stream.send_all(bytes(50_000_000), monotonic() + 0.1)
        with pytest.raises(ConnectionError):
            stream.send_all(b"more", soon())
        stream.shutdown(soon())
        stream.close()
        done.set()


# -- whatever OpenSSL wants, whenever it wants it


@pytest.mark.parametrize(("error", "wait"), [(SSL.WantReadError, "readable"), (SSL.WantWriteError, "writable")])
@pytest.mark.parametrize("call", ["do_handshake", "recv", "send", "shutdown"])
def test_every_operation_waits_for_what_openssl_wants(
    site: Site, context: ServerContext, monkeypatch: pytest.MonkeyPatch, call: str, error: type[SSL.Error], wait: str
) -> None:
    """OpenSSL may ask for either in any call, but cannot be made to on purpose. So the library's call is tampered with:
    the first attempt of each kind asks."""
    original = getattr(SSL.Connection, call)
    injected = []

    def ask_first(connection: SSL.Connection, *arguments: Any) -> Any:
        if not injected:
            injected.append(len(waiter.waits))
            raise error
        return original(connection, *arguments)

    class ReadyWaiter(RecordingWaiter):
        def wait_readable(self, sock: socket.socket, deadline: float) -> None:
            if injected == [len(self.waits)]:
                self.waits.append("readable")
            else:
                super().wait_readable(sock, deadline)

    waiter = ReadyWaiter()
    monkeypatch.setattr(SSL.Connection, call, ask_first)
    with stream_to(context, site.client(), waiter=waiter) as (stream, answer):
        assert serve(stream) == b"request"
        assert answer.result() == b"answer"
    assert waiter.waits[injected[0]] == wait


def test_handshake_waits_for_a_full_socket(site: Site, context: ServerContext) -> None:
    """Nothing can be written until the client has read what lies in front of the handshake."""
    server_end, client_end = socket.socketpair()
    server_end.setblocking(False)
    junk = 0
    with suppress(BlockingIOError):
        while True:
            junk += server_end.send(bytes(65536))

    def read_junk() -> None:
        nonlocal junk
        while waiter.waits[-1] == "writable" and junk:
            junk -= len(client_end.recv(min(junk, 65536)))

    waiter = RecordingWaiter(read_junk)
    stream = TLSStream(context, server_end, waiter)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = site.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with client_end:
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        client_end.sendall(outgoing.read())
        # The client does not go on: how a handshake ends is in the other tests.
        with pytest.raises(TimeoutError):
            stream.handshake(monotonic() + 0.2)
    stream.close()
    assert junk == 0
    assert waiter.waits == ["writable", "readable"]


def test_no_exception_is_alive_during_a_wait(site: Site, context: ServerContext) -> None:
    """Its traceback would hold the buffer of the attempt, 16 KiB for each idle connection."""
    alive = []
    done = threading.Event()
    waiter = RecordingWaiter(lambda: alive.append(sys.exc_info()[1]))
    with stream_to(context, site.client(), lambda _: done.wait(PATIENCE_SECONDS), waiter=waiter) as (stream, _):
        stream.handshake(soon())
        with pytest.raises(TimeoutError):
            stream.receive(100, monotonic() + 0.05)
        done.set()
    assert alive
    assert alive == [None] * len(alive)


# -- neighbours


def failed_handshake_leaves_errors(context: ServerContext) -> None:
    """What a connection can leave behind in the thread's queue: a handshake with junk, its error not collected."""
    server_end, client = socket.socketpair()
    with server_end, client:
        client.sendall(b"\x16\x03\x01\xff\xff" + b"x" * 100)
        connection = context.connection(server_end)
        assert library._lib.SSL_do_handshake(connection._ssl) < 0
    assert library._lib.ERR_peek_error() != 0


def test_errors_of_one_connection_do_not_touch_another(site: Site, context: ServerContext) -> None:
    """OpenSSL's error queue belongs to the thread, and up to OpenSSL 3 what lies in it spoils the next call."""
    waiter = RecordingWaiter(lambda: failed_handshake_leaves_errors(context))
    with stream_to(context, site.client(), waiter=waiter) as (stream, answer):
        failed_handshake_leaves_errors(context)
        stream.handshake(soon())
        failed_handshake_leaves_errors(context)
        assert stream.receive(100, soon()) == b"request"
        failed_handshake_leaves_errors(context)
        stream.send_all(b"answer", soon())
        with pytest.raises(TimeoutError):
            stream.receive(100, monotonic() + 0.05)
        assert library._lib.ERR_peek_error() != 0
        stream.shutdown(soon())
        assert library._lib.ERR_peek_error() == 0
        stream.close()
        assert answer.result() == b"answer"
    library.clear_errors()


def test_bad_clients_on_the_same_thread_do_not_touch_an_open_connection(site: Site, context: ServerContext) -> None:
    first_done, more = threading.Event(), threading.Event()

    def two_requests(sock: ssl.SSLSocket) -> bytes:
        sock.sendall(b"one")
        first = sock.recv(100)
        first_done.set()
        more.wait(PATIENCE_SECONDS)
        sock.sendall(b"two")
        return first + read_to_end(sock)

    with stream_to(context, site.client(), two_requests) as (stream, answer):
        stream.handshake(soon())
        assert stream.receive(100, soon()) == b"one"
        stream.send_all(b"first ", soon())
        first_done.wait(PATIENCE_SECONDS)
        for junk in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(100), bytes(50), b""):
            server_end, client = socket.socketpair()
            bad = TLSStream(context, server_end, SelectWaiter())
            with client:
                client.sendall(junk)
                client.shutdown(socket.SHUT_WR)
                with pytest.raises((TLSError, ConnectionError)):
                    bad.handshake(soon())
                bad.close()
            with pytest.raises(TimeoutError):
                stream.receive(100, monotonic())
        more.set()
        assert stream.receive(100, soon()) == b"two"
        stream.send_all(b"second", soon())
        stream.shutdown(soon())
        stream.close()
        assert answer.result() == b"first second"


def test_stream_closed_during_a_wait_leaves_the_next_user_of_its_descriptor_alone(context: ServerContext) -> None:
    server_end, client = socket.socketpair()
    descriptor = server_end.fileno()
    others: list[socket.socket] = []

    def close_and_reuse() -> None:
        stream.close()
        others.extend(socket.socketpair())
        assert descriptor in [other.fileno() for other in others]
        for other in others:
            other.sendall(b"GET / HTTP/1.0\r\n\r\n")

    stream = TLSStream(context, server_end, RecordingWaiter(close_and_reuse))
    with client:
        with pytest.raises(ConnectionAbortedError):
            stream.handshake(soon())
        for other in others:
            assert other.recv(100) == b"GET / HTTP/1.0\r\n\r\n"
            other.close()


def test_flood_of_key_updates_lets_others_run_and_meets_the_deadline(site: Site, tmp_path: Path) -> None:
    """Records without data keep a read busy. After each of them others must get their turn."""
    context = site.context()
    server_end, client_end = socket.socketpair()
    waiter = RecordingWaiter()
    stream = TLSStream(context, server_end, waiter)
    with client_end:
        client = KeyUpdatingClient(site.client(), tmp_path / "keys.log")
        handshake_by_hand(stream, client.tls, client.incoming, client.outgoing, client_end)
        client.read_secret()
        client_end.sendall(b"".join(client.key_update() for _ in range(100)) + client.data(b"request"))
        waiter.waits.clear()
        assert stream.receive(100, soon()) == b"request"
        assert len(waiter.waits) == 100

        client_end.sendall(b"".join(client.key_update() for _ in range(100)) + client.data(b"request"))
        with pytest.raises(TimeoutError):
            stream.receive(100, monotonic() - 1)
        assert stream.receive(100, soon()) == b"request"
        stream.close()


def test_connection_in_memory_reads_past_records_without_data(site: Site, tmp_path: Path) -> None:
    """Nothing more arrives that would make its owner look again."""
    server = site.context().connection(None)
    client = KeyUpdatingClient(site.client(), tmp_path / "keys.log")
    done = False
    while not done:
        with suppress(ssl.SSLWantReadError):
            client.tls.do_handshake()
            done = True
        server.bio_write(client.outgoing.read())
        with suppress(SSL.WantReadError):
            server.do_handshake()
        with suppress(SSL.WantReadError):
            client.incoming.write(server.bio_read(65536))
    client.read_secret()
    server.bio_write(client.key_update() + client.key_update() + client.data(b"request"))
    assert server.recv(100) == b"request"


# -- ends


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def bare_close(sock: ssl.SSLSocket) -> None:
    sock.sendall(b"request")
    sock.shutdown(socket.SHUT_RDWR)


def close_notify(sock: ssl.SSLSocket) -> None:
    sock.sendall(b"request")
    with pytest.raises((ssl.SSLError, OSError)):
        sock.unwrap()


def hard_reset(sock: ssl.SSLSocket) -> None:
    sock.sendall(b"request")
    received.wait(PATIENCE_SECONDS)
    reset(sock)


received = threading.Event()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("end", [bare_close, close_notify, hard_reset])
def test_every_end_of_a_client_is_an_empty_read(
    site: Site, context: ServerContext, end: Callable[[ssl.SSLSocket], None], version: ssl.TLSVersion
) -> None:
    received.clear()
    client = site.client()
    client.maximum_version = version
    with stream_to(context, client, end) as (stream, _):
        stream.handshake(soon())
        assert stream.receive(100, soon()) == b"request"
        received.set()
        assert stream.receive(100, soon()) == b""


@pytest.mark.parametrize("announced", [False, True])
def test_client_that_ends_only_its_own_side_still_gets_the_answer(
    site: Site, context: ServerContext, announced: bool
) -> None:
    server_end, client_end = socket.socketpair()
    stream = TLSStream(context, server_end, SelectWaiter())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = site.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with client_end:
        handshake_by_hand(stream, client, incoming, outgoing, client_end)
        client.write(b"request")
        if announced:
            with pytest.raises(ssl.SSLWantReadError):
                client.unwrap()
        client_end.sendall(outgoing.read())
        client_end.shutdown(socket.SHUT_WR)
        assert stream.receive(100, soon()) == b"request"
        assert stream.receive(100, soon()) == b""
        assert stream.receive(100, soon()) == b""
        stream.send_all(b"answer", soon())
        stream.shutdown(soon())
        stream.close()
        incoming.write(read_to_end(client_end))
        if not announced:
            assert client.read(100) == b"answer"
            assert client.read(100) == b"", "close_notify has come"
        else:
            with pytest.raises(ssl.SSLError, match="application data after close notify"):
                client.unwrap()


def test_answer_to_a_client_that_is_gone_is_a_lost_connection(site: Site, context: ServerContext) -> None:
    with stream_to(context, site.client(), hard_reset) as (stream, gone):
        received.clear()
        stream.handshake(soon())
        assert stream.receive(100, soon()) == b"request"
        received.set()
        gone.result()
        with pytest.raises(ConnectionError):
            stream.send_all(bytes(50_000_000), soon())
        stream.shutdown(soon())
        stream.close()


@pytest.mark.parametrize("peer_is_sending", [False, True])
def test_answer_survives_a_request_that_was_not_read(site: Site, context: ServerContext, peer_is_sending: bool) -> None:
    """A reset, sent because unread bytes lie in a closed socket, would throw the answer away at the client's side."""
    answered = threading.Event()

    def send_too_much(sock: ssl.SSLSocket) -> bytes:
        sock.sendall(b"head")
        if peer_is_sending:
            answered.wait(PATIENCE_SECONDS)
        sock.sendall(bytes(300_000))
        closed_or_waiting.wait(PATIENCE_SECONDS)
        return read_to_end(sock)

    closed_or_waiting = threading.Event()
    answer_bytes = b"no" * 100_000
    waiter = RecordingWaiter()
    with stream_to(context, site.client(), send_too_much, waiter=waiter) as (stream, answer):
        stream.handshake(soon())
        assert stream.receive(4, soon()) == b"head"
        if not peer_is_sending:
            assert stream.receive(1, soon()) == b"\0"
        stream.send_all(answer_bytes, soon())
        waiter.before = lambda: (answered.set(), closed_or_waiting.set())[0]
        stream.shutdown(soon(), peer_is_sending=peer_is_sending)
        stream.close()
        closed_or_waiting.set()
        assert answer.result() == answer_bytes


def test_refused_client_sees_the_end_before_the_socket_is_closed(raw: tuple[TLSStream, socket.socket]) -> None:
    """There is no close_notify after an error, so only the end of the TCP stream tells the client."""
    stream, client = raw
    client.settimeout(PATIENCE_SECONDS)
    client.sendall(b"\x16\x03\x01\xff\xff" + bytes(100_000))
    with pytest.raises(TLSError):
        stream.handshake(soon())
    seen = []

    def read_and_leave() -> None:
        if not seen:
            seen.append(read_to_end(client))
            client.close()

    stream._waiter = RecordingWaiter(read_and_leave)
    stream.shutdown(soon())
    alert, fatal = b"\x15\x03", 2
    assert [(answer[:2], answer[5]) for answer in seen] == [(alert, fatal)]


def test_short_writes_are_sent_at_once(context: ServerContext) -> None:
    """Nagle's algorithm would hold the answer back until the client has acknowledged the session tickets."""
    server_end, client = tcp_pair()
    stream = TLSStream(context, server_end, SelectWaiter())
    with client:
        assert server_end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    stream.close()


def test_shutdown_does_not_wait_for_a_client_that_owes_nothing(site: Site, context: ServerContext) -> None:
    done = threading.Event()

    def stay(sock: ssl.SSLSocket) -> bool:
        sock.sendall(b"request")
        return done.wait(PATIENCE_SECONDS)

    waiter = RecordingWaiter()
    with stream_to(context, site.client(), stay, waiter=waiter) as (stream, _):
        stream.handshake(soon())
        stream.receive(100, soon())
        waiter.waits.clear()
        stream.shutdown(soon())
        assert waiter.waits == []
        done.set()


def test_close_can_be_repeated_and_ends_everything(site: Site, context: ServerContext) -> None:
    with stream_to(context, site.client()) as (stream, _):
        stream.handshake(soon())
        stream.close()
        stream.close()
        stream.shutdown(soon())
        stream.abort()
        for operation in (
            lambda: stream.receive(100, soon()),
            lambda: stream.send_all(b"x", soon()),
            lambda: stream.handshake(soon()),
        ):
            with pytest.raises(ConnectionAbortedError):
                operation()


def test_abort_wakes_whoever_waits(site: Site, context: ServerContext) -> None:
    done = threading.Event()
    with stream_to(context, site.client(), lambda _: done.wait(PATIENCE_SECONDS)) as (stream, _):
        stream.handshake(soon())
        waiter = RecordingWaiter(lambda: threading.Thread(target=stream.abort).start())
        stream._waiter = waiter
        assert stream.receive(100, soon()) == b""
        done.set()


# -- waiting


def test_waiter_handles_descriptors_beyond_the_reach_of_select() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft <= 2000:
        pytest.skip("the limit of open files is too low")
    one, other = socket.socketpair()
    high = 1500
    os.dup2(one.fileno(), high)
    with one, other, socket.socket(fileno=high) as far:
        with pytest.raises(TimeoutError):
            SelectWaiter().wait_readable(far, monotonic() + 0.01)
        with pytest.raises(TimeoutError):
            SelectWaiter().wait_readable(far, monotonic() - 1)
        SelectWaiter().wait_writable(far, soon())
        other.sendall(b"x")
        SelectWaiter().wait_readable(far, monotonic() - 1)
