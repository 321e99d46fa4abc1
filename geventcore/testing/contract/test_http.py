"""HTTP as clients use it and as it can be used: connections that are kept, bodies in pieces, compression, refusals."""

from __future__ import annotations

import gzip
import time
import xmlrpc.client
from collections.abc import Callable, Iterator

import pytest

from geventcore.testing.contract_repository import LARGE_CONTENT
from geventcore.testing.live_site import LiveServer, LiveSite
from geventcore.testing.wire_client import Client, Connection

#: Far shorter than the pauses of any client, and long enough for two segments to be two.
PAUSE_SECONDS = 0.05


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site(options={"server": {"gzip_level": "1"}}).start() as running:
        yield running


@pytest.fixture
def client(server: LiveServer) -> Client:
    return server.site.client("plain")


@pytest.fixture
def connection(client: Client) -> Iterator[Connection]:
    with client.connect() as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/RPC2", "/some/where?else=x", "//", "https://localhost/RPC2"])
def test_any_path_will_do(client: Client, path: str) -> None:
    assert client.exchange(client.request("ping", path, path=path)).value == [path]


def test_an_answer(client: Client) -> None:
    reply = client.exchange(client.request("ping", 1))
    assert (reply.version, reply.status) == ("HTTP/1.1", 200)
    assert reply.headers.get_content_type() == "text/xml"
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert reply.body.startswith(b"<?xml")


def test_faults_are_answers(client: Client) -> None:
    reply = client.exchange(client.request("no_such_method"))
    assert reply.status == 200
    with pytest.raises(xmlrpc.client.Fault):
        _ = reply.value


# -- connections that are kept


@pytest.mark.parametrize(
    ("version", "headers"), [("1.1", {}), ("1.1", {"Connection": "keep-alive"}), ("1.0", {"Connection": "keep-alive"})]
)
def test_several_calls_on_a_connection(
    client: Client, connection: Connection, version: str, headers: dict[str, str]
) -> None:
    for number in range(5):
        connection.send(client.request("ping", number, version=version, headers=headers))
        reply = connection.read_reply()
        assert reply.value == [number]
        assert reply.version == f"HTTP/{version}"
        if version == "1.0":
            assert reply.headers["Connection"].lower() == "keep-alive"


@pytest.mark.parametrize(("version", "headers"), [("1.1", {"Connection": "close"}), ("1.0", {})])
def test_the_last_call_on_a_connection(
    client: Client, connection: Connection, version: str, headers: dict[str, str]
) -> None:
    connection.send(client.request("ping", 1, version=version, headers=headers))
    reply = connection.read_reply()
    assert reply.value == [1]
    if version == "1.1":
        assert reply.headers["Connection"].lower() == "close"
    assert connection.read_to_end() == b""


def test_every_call_on_a_connection_is_authenticated(client: Client, connection: Connection) -> None:
    connection.send(client.request("ping", 1))
    assert connection.read_reply().value == [1]
    connection.send(client.with_changes(password="wrong").request("ping", 2))
    assert connection.read_reply().status == 401
    assert connection.read_to_end() == b""


def test_pipelined_calls_are_answered_in_their_order(client: Client, connection: Connection) -> None:
    connection.send(b"".join(client.request("ping", number) for number in range(20)))
    assert [connection.read_reply().value for _ in range(20)] == [[number] for number in range(20)]


def test_nothing_is_answered_after_the_last_of_pipelined_calls(client: Client, connection: Connection) -> None:
    last = client.request("ping", 2, headers={"Connection": "close"})
    connection.send(client.request("ping", 1) + last + client.request("ping", 3))
    assert connection.read_reply().value == [1]
    assert connection.read_reply().value == [2]
    assert connection.read_to_end() == b""


def test_a_connection_that_is_not_used_is_closed(new_site: Callable[..., LiveSite]) -> None:
    with new_site(options={"server": {"idle_timeout": "0.5"}}).start() as server:
        client = server.site.client("plain")
        with client.connect() as connection:
            connection.send(client.request("ping", 1))
            assert connection.read_reply().value == [1]
            assert connection.read_to_end() == b""
        assert not server.grave()


# -- how requests arrive


def test_head_and_body_in_two_segments(client: Client, connection: Connection) -> None:
    head, separator, body = client.request("ping", "x" * 1000).partition(b"\r\n\r\n")
    connection.send(head + separator)
    time.sleep(PAUSE_SECONDS)
    connection.send(body)
    assert connection.read_reply().value == ["x" * 1000]


def test_byte_by_byte(client: Client, connection: Connection) -> None:
    """Each byte is a TLS record, and mostly a segment, of its own."""
    for byte in client.request("ping", 7):
        connection.send(bytes([byte]))
    assert connection.read_reply().value == [7]


def test_a_large_request(client: Client) -> None:
    text = "0123456789" * 300_000
    assert client.exchange(client.request("ping", text, headers={"Accept-Encoding": "gzip"})).status == 200
    assert client.call("ping", text) == [text]


def test_a_chunked_request(client: Client, connection: Connection) -> None:
    body = xmlrpc.client.dumps(("x" * 5000,), "ping").encode()
    head = client.request("ping", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=b"")
    pieces = [body[start : start + 999] for start in range(0, len(body), 999)]
    connection.send(head)
    for piece in [*pieces, b""]:
        connection.send(b"%x;extension=1\r\n%s\r\n" % (len(piece), piece))
    assert connection.read_reply().value == ["x" * 5000]
    assert connection.call(client, "ping", 2) == [2]


def test_a_client_that_waits_for_leave_to_send_its_body(client: Client, connection: Connection) -> None:
    request = client.request("ping", 1, headers={"Expect": "100-continue"})
    head, separator, body = request.partition(b"\r\n\r\n")
    connection.send(head + separator)
    assert connection.read_reply().status == 100
    connection.send(body)
    assert connection.read_reply().value == [1]


def test_a_client_that_gets_no_leave_to_send_its_body(client: Client, connection: Connection) -> None:
    stranger = client.with_changes(password="wrong")
    head, separator, _ = stranger.request("ping", 1, headers={"Expect": "100-continue"}).partition(b"\r\n\r\n")
    connection.send(head + separator)
    assert connection.read_reply().status == 401


def test_a_client_that_closes_without_a_word(server: LiveServer, client: Client) -> None:
    """Every real client does so, and the log has no line about it."""
    before = len(server.grave())
    with client.connect() as connection:
        assert connection.call(client, "ping", 1) == [1]
    client.connect().close()
    assert client.call("ping", 2) == [2]
    assert len(server.grave()) == before


# -- answers


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "*"])
def test_a_compressed_answer(client: Client, accepted: str) -> None:
    large = client.with_changes(user="large")
    reply = large.exchange(large.request("GetConfig", headers={"Accept-Encoding": accepted}))
    assert reply.headers["Content-Encoding"] == "gzip"
    (text,), _ = xmlrpc.client.loads(gzip.decompress(reply.body))
    assert LARGE_CONTENT in str(text)


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "deflate"])
def test_an_answer_that_must_not_be_compressed(client: Client, accepted: str) -> None:
    large = client.with_changes(user="large")
    reply = large.exchange(large.request("GetConfig", headers={"Accept-Encoding": accepted}))
    assert "Content-Encoding" not in reply.headers
    text = reply.value
    assert isinstance(text, str)
    assert LARGE_CONTENT in str(text)


def test_short_answers_are_not_compressed(client: Client) -> None:
    reply = client.exchange(client.request("ping", headers={"Accept-Encoding": "gzip"}))
    assert "Content-Encoding" not in reply.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_allowed(client: Client, connection: Connection, method: str) -> None:
    connection.send(client.request("ping", body=b"").replace(b"POST", method.encode(), 1))
    reply = connection.read_reply(head_only=method == "HEAD")
    assert reply.status == 405
    assert reply.headers["Allow"] == "POST"
    assert bool(reply.body) is (method != "HEAD")
    assert connection.read_to_end() == b""


@pytest.mark.parametrize("sent_before_the_answer_is_read", [0, 100_000, None])
def test_a_refusal_can_be_read_although_the_body_is_sent(
    client: Client, connection: Connection, sent_before_the_answer_is_read: int | None
) -> None:
    """The server answers by the head and does not read the body; neither its size nor a reset may hide the answer."""
    stranger = client.with_changes(password="wrong")
    head, separator, body = stranger.request("RecvStats", "x" * 1_000_000).partition(b"\r\n\r\n")
    connection.send(head + separator)
    connection.send(body[:sent_before_the_answer_is_read])
    reply = connection.read_reply()
    assert reply.status == 401
    assert b"</html>" in reply.body
