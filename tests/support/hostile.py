"""What people and programs send to a server that they should not: each case acts, and checks what it gets."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support.wire_client import Client, Connection, Reply

#: The server's settings for these cases: short deadlines, and a limit on bodies that is soon reached.
OPTIONS = {
    "server": {
        "handshake_timeout": "3",
        "idle_timeout": "3",
        "request_timeout": "5",
        "drain_timeout": "5",
        "max_body": "1m",
    }
}
MAX_BODY = 1024 * 1024
#: Of 350 KB each: far more than the largest buffer that Linux gives a connection (4 MB).
UNREAD_ANSWERS = 60

ENTITY_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
EXTERNAL_ENTITY = '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'


@dataclass
class Visitor:
    """Somebody hostile, and what there is to know about the visit.

    Attributes:
        client: the account that it has, or wants to have; its address is nobody else's, so the log tells who it was.
    """

    client: Client

    @contextlib.contextmanager
    def plain(self) -> Iterator[socket.socket]:
        """A TCP connection."""
        with self.client.connect_plain() as sock:
            yield sock

    @contextlib.contextmanager
    def tls(self, receive_buffer: int | None = None) -> Iterator[Connection]:
        """A connection after its handshake."""
        with self.client.connect(receive_buffer) as connection:
            yield connection

    def ask(self, request: bytes) -> Reply:
        """The answer to what is sent on a connection of its own, after which the server closes or goes on."""
        with self.tls() as connection:
            connection.send(request)
            return connection.read_reply()


@dataclass(frozen=True)
class HostileCase:
    """One kind of visit.

    Attributes:
        name: what it is.
        act: does it; an AssertionError if the answer is wrong.
        lines: how many lines of level WARNING and above it leaves in the log.
    """

    name: str
    act: Callable[[Visitor], None]
    lines: int = 1


CASES: dict[str, HostileCase] = {}


def case(lines: int = 1) -> Callable[[Callable[[Visitor], None]], Callable[[Visitor], None]]:
    """Add a function to the cases."""

    def add(act: Callable[[Visitor], None]) -> Callable[[Visitor], None]:
        name = act.__name__.replace("_", " ")
        CASES[name] = HostileCase(name, act, lines)
        return act

    return add


def expect(status: int, request: Callable[[Client], bytes], lines: int = 1, name: str = "") -> None:
    """Add a case: a request that has to be answered by a status."""

    def act(visitor: Visitor) -> None:
        reply = visitor.ask(request(visitor.client))
        assert reply.status == status
        if status == 500:
            assert reply.body == b""
            assert reply.headers["Content-Length"] == "0"
        else:
            assert reply.headers.get_content_type() == "text/html"

    CASES[name] = HostileCase(name, act, lines)


def expect_fault(code: int, method: str, *arguments: object, name: str) -> None:
    """Add a case: a call that has to be answered by a fault."""

    def act(visitor: Visitor) -> None:
        reply = visitor.ask(visitor.client.request(method, *arguments))
        assert reply.status == 200
        try:
            value = reply.value
        except xmlrpc.client.Fault as fault:
            found = fault.faultCode, fault.faultString
        else:
            raise AssertionError(f"it was answered: {value!r}")
        assert found[0] == code, found
        assert "Traceback" not in found[1]
        assert found[1].startswith("Critical failure: ") is (code == -32500)

    CASES[name] = HostileCase(name, act)


def read_to_end(sock: socket.socket) -> bytes:
    """What comes until the server closes, however it does."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65536):
            received += data
    return bytes(received)


# -- instead of TLS


@case()
def garbage_instead_of_tls(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(bytes(range(256)) * 20)
        read_to_end(sock)


@case()
def plain_http(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(visitor.client.request("GetConfig"))
        assert b"200" not in read_to_end(sock)


@case()
def an_ssh_client(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        read_to_end(sock)


@case()
def silence_instead_of_tls(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        assert read_to_end(sock) == b""


@case(lines=0)
def a_connection_that_is_closed_at_once(visitor: Visitor) -> None:
    """What balancers do to see whether somebody listens."""
    with visitor.plain():
        pass


@case(lines=0)
def a_connection_that_is_reset_at_once(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        _reset(sock)


def client_hello(client: Client) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO, bytes]:
    """A client in memory, and the first thing that it says."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing, outgoing.read()


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@case()
def half_a_hello_then_silence(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3][:100])
        assert read_to_end(sock) == b""


@case()
def a_hello_then_a_close(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        sock.shutdown(socket.SHUT_WR)
        read_to_end(sock)


@case()
def a_close_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert sock.recv(65536)


@case()
def a_reset_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert sock.recv(65536)
        _reset(sock)


@case()
def silence_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert read_to_end(sock)


@case()
def garbage_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert sock.recv(65536)
        sock.sendall(b"\x16\x03\x03\x00\x10" + b"garbage in here!")
        read_to_end(sock)


@case()
def a_client_that_does_not_trust_the_server(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        context = ssl.create_default_context()
        with contextlib.suppress(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname="localhost")
            raise AssertionError("the server is trusted")


def old_hello(version: bytes, suites: bytes = b"\xc0\x13\xc0\x09\x00\x2f\x00\x35\x00\x0a\x00\xff") -> bytes:
    """The first message of a client that knows no newer version than the one given."""
    extensions = b"\x00\x0a\x00\x06\x00\x04\x00\x17\x00\x18" + b"\x00\x0b\x00\x02\x01\x00"
    body = version + bytes(32) + b"\0" + struct.pack("!H", len(suites)) + suites + b"\x01\0"
    body += struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def _is_refused_by_alert(visitor: Visitor, hello: bytes, description: int) -> None:
    with visitor.plain() as sock:
        sock.sendall(hello)
        answer = read_to_end(sock)
    # A record of type 21 that holds a fatal alert (2) and its description.
    assert answer[:1] == b"\x15"
    assert answer[5:7] == bytes([2, description])


@case()
def a_client_of_ssl_3(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x00"), 70)


@case()
def a_client_of_tls_1_0(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x01"), 70)


@case()
def a_client_of_tls_1_1(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x02"), 70)


@case()
def a_client_without_a_cipher_in_common(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x03", b"\x00\x2f\x00\x35\x00\xff"), 40)


# -- instead of HTTP


@case()
def tls_then_silence(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        assert connection.read_to_end() == b""


@case()
def tls_then_garbage(visitor: Visitor) -> None:
    assert visitor.ask(bytes(range(128, 256)) * 10 + b"\r\n\r\n").status == 400


@case()
def tls_then_nonsense_words(visitor: Visitor) -> None:
    assert visitor.ask(b"HELO mail.example.net\r\n\r\n").status in (400, 501)


@case()
def half_a_head_then_a_close(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("GetConfig")[:50])


@case()
def half_a_body_then_a_close(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])


@case()
def half_a_body_then_a_reset(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])
        connection.reset()


@case()
def half_a_body_then_goodbye(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])
        assert isinstance(connection.sock, ssl.SSLSocket)
        with contextlib.suppress(OSError):
            connection.sock.unwrap()


def _is_out_of_time(connection: Connection) -> None:
    assert connection.read_reply().status == 408
    assert connection.read_to_end() == b""


@case()
def half_a_head_then_silence(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("GetConfig")[:50])
        _is_out_of_time(connection)


@case()
def half_a_body_then_silence(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])
        _is_out_of_time(connection)


@case()
def a_head_that_never_ends(visitor: Visitor) -> None:
    """Something comes all the time, but the deadline is for the whole head."""
    with visitor.tls() as connection:
        connection.send(b"POST / HTTP/1.1\r\n")
        connection.sock.settimeout(0.3)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            connection.send(b"X: y\r\n")
            try:
                answer = connection.sock.recv(65536)
                break
            except TimeoutError:
                continue
        else:
            raise AssertionError("the server waits for ever")
        assert answer.startswith(b"HTTP/1.1 408 ")


@case()
def an_answer_that_is_never_read(visitor: Visitor) -> None:
    """All answers together are larger than what the kernel keeps for a client."""
    with visitor.tls(receive_buffer=4096) as connection:
        connection.send(visitor.client.with_changes(user="greedy").request("GetConfig") * UNREAD_ANSWERS)
        _is_cut_off(connection)


def _is_cut_off(connection: Connection) -> None:
    """The server closes a connection on which nothing is read: then what is sent is answered by a reset."""
    deadline = time.monotonic() + 30
    connection.sock.settimeout(1.0)
    try:
        while time.monotonic() < deadline:
            connection.send(b"X")
            time.sleep(0.1)
    except TimeoutError:
        # The server reads no more either.
        return
    except OSError:
        return
    raise AssertionError("the server keeps a connection on which nothing is read")


# -- bad HTTP

expect(
    431,
    lambda client: client.request("ping", headers={"X-Long": "x" * 40_000}),
    name="a huge head",
)
expect(
    413,
    lambda client: client.request("ping", headers={"Content-Length": str(2 * MAX_BODY)}, body=b""),
    name="a huge body that is announced",
)
expect(
    400,
    lambda client: client.request("ping", headers={"Content-Length": str(10**30)}, body=b""),
    name="a body of more bytes than there are",
)
expect(
    400,
    lambda client: client.request("ping", headers={"Content-Length": "-1"}, body=b""),
    name="a negative length",
)
expect(
    400,
    lambda client: client.request("ping", headers={"Transfer-Encoding": "chunked"}),
    name="a length and chunks",
)
expect(
    400,
    lambda client: client.request("ping").replace(b"Content-Length", b"Content-Length: 5\r\nContent-Length"),
    name="two lengths",
)
expect(
    400,
    lambda client: client.request(
        "ping", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=b"zz\r\n\r\n"
    ),
    name="chunks that are none",
)
expect(
    501,
    lambda client: client.request(
        "ping", headers={"Transfer-Encoding": "gzip, chunked", "Content-Length": ""}, body=b""
    ),
    name="an unknown transfer coding",
)
expect(417, lambda client: client.request("ping", headers={"Expect": "wonders"}), name="an unknown expectation")
expect(505, lambda client: client.request("ping", version="2.0"), name="an unknown version")
expect(405, lambda client: client.request("ping").replace(b"POST", b"PUT", 1), name="another method")
expect(
    400,
    lambda client: client.request("ping", headers={"X-Bad": "a\0b"}),
    name="a null character in a header",
)


@case()
def a_huge_body_in_chunks(visitor: Visitor) -> None:
    client = visitor.client
    with visitor.tls() as connection:
        connection.send(
            client.request("ping", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=b"")
        )
        with contextlib.suppress(OSError):
            for _ in range(2 * MAX_BODY // 4096):
                connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        assert connection.read_reply().status == 413


# -- bad credentials

expect(
    401,
    lambda client: client.request("GetConfig", headers={"Authorization": ""}),
    name="no credentials",
)
for _name, _value in {
    "credentials that are not base64": "Basic !!!",
    "half of a base64 quantum": "Basic cm9vd",
    "a scheme without credentials": "Basic",
    "credentials that are not UTF-8": "Basic //79/A==",
    "credentials without a colon": "Basic cm9vdA==",
    "a huge user name": "Basic " + "QUFB" * 3000,
    "a null character in the user name": "Basic AHBsYWluOng=",
}.items():
    expect(
        401,
        lambda client, value=_value: client.request("GetConfig", headers={"Authorization": value}),  # type: ignore[misc]
        name=_name,
    )

# -- bad XML-RPC

_CALL = "<methodCall><methodName>ping</methodName><params><param><value>{}</value></param></params></methodCall>"
for _name, _body in {
    "an empty body": b"",
    "a body that is not XML": b"GetConfig please",
    "half of a call": _CALL.format("x").encode()[:-20],
    "another document": b"<html/>",
    "a response": b"<methodResponse><params><param><value>x</value></param></params></methodResponse>",
    "a call that is not UTF-8": _CALL.format("\xff").encode("latin-1"),
    "another encoding": b"<?xml version='1.0' encoding='utf-7'?>" + _CALL.format("x").encode(),
    "an unknown encoding": b"<?xml version='1.0' encoding='no-such'?>" + _CALL.format("x").encode(),
    "an entity bomb": (ENTITY_BOMB + _CALL.format("&i;")).encode(),
    "an external entity": (EXTERNAL_ENTITY + _CALL.format("&secret;")).encode(),
    "deep nesting": _CALL.format("<array><data><value>" * 3000 + "</value></data></array>" * 3000).encode(),
    "deep nesting without an end": b"<methodCall>" + b"<a>" * 300_000,
    "an integer that is none": _CALL.format("<int>many</int>").encode(),
    "an integer that is too large": _CALL.format(f"<int>{'9' * 5000}</int>").encode(),
    "a million values": _CALL.format("<array><data>" + "<value/>" * 120_000 + "</data></array>").encode(),
    "an unknown type": _CALL.format("<complex>1</complex>").encode(),
    "no method name": b"<methodCall><methodName/></methodCall>",
}.items():
    expect(500, lambda client, body=_body: client.request("", body=body), name=_name)  # type: ignore[misc]

# -- calls that cannot be

expect_fault(-32601, "no_such_method", name="an unknown method")
expect_fault(-32601, "__class__", name="a name with underscores")
expect_fault(1, "GetConfig", "too", "many", name="too many arguments")
expect_fault(1, "DeclareVersion", name="too few arguments")
expect_fault(1, "DeclareVersion", {"version": 1}, name="an argument of a wrong type")
expect_fault(-32500, "DeclareVersion", "9" * 1000, name="a long version")
expect_fault(-32500, "AssertProfile", "../../etc/passwd", name="a path instead of a profile")
expect_fault(-32500, "RecvProbeData", "not XML", name="probe data that are not XML")
expect_fault(-32500, "RecvProbeData", ENTITY_BOMB + "<ProbeData>&i;</ProbeData>", name="an entity bomb in probe data")
expect_fault(-32500, "RecvProbeData", "<a>" * 100_000, name="deep nesting in probe data")
expect_fault(1, "RecvStats", "not XML", name="statistics that are not XML")
expect_fault(1, "RecvStats", ENTITY_BOMB + "<Statistics>&i;</Statistics>", name="an entity bomb in statistics")
expect_fault(1, "RecvStats", "<a>" * 100_000, name="deep nesting in statistics")
expect_fault(1, "RecvStats", "<upload-statistics/>", name="statistics without statistics")
