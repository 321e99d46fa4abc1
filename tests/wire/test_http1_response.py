"""Responses as a client reads them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.wire import ResponseError
from geventcore.wire.http1 import (
    CLOSED,
    NEED_DATA,
    HTTPLimits,
    Response,
    ResponseParser,
    encode_response,
    gzip_body,
)

LIMITS = HTTPLimits(head_bytes=500, body_bytes=1000, framing_bytes=200)


def responses_of(pieces: Iterable[bytes], *, head_only: bool = False) -> list[Response]:
    """All responses of a server that sends these pieces and closes."""
    parser = ResponseParser(LIMITS, head_only=head_only)
    responses = []
    for piece in [*pieces, b""]:
        parser.receive_data(piece)
        while isinstance(event := parser.next_event(), Response):
            responses.append(event)
        if event is CLOSED:
            break
    return responses


def in_single_bytes(stream: bytes) -> list[bytes]:
    return [stream[place : place + 1] for place in range(len(stream))]


OK = b"HTTP/1.1 200 OK\r\n"

READ: dict[str, tuple[bytes, list[bytes]]] = {
    "sized": (OK + b"Content-Length: 5\r\n\r\nhello", [b"hello"]),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", [b""]),
    "chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", [b"hello"]),
    "until close": (b"HTTP/1.0 200 OK\r\n\r\nhello", [b"hello"]),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", [b"a"]),
    "after interim ones": (b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + OK + b"Content-Length: 1\r\n\r\na", [b"a"]),
    "two": ((OK + b"Content-Length: 1\r\n\r\na") * 2, [b"a", b"a"]),
    "nothing after the last": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\na" + OK, [b"a"]),
    "204 has no body": (b"HTTP/1.1 204 No Content\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", [b"", b"a"]),
}

REFUSED: dict[str, bytes] = {
    "not HTTP": b"SSH-2.0-OpenSSH\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "status": b"HTTP/1.1 20 OK\r\n\r\n",
    "header": OK + b"A : b\r\n\r\n",
    "lengths differ": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\naa",
    "length and chunked": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "head too large": OK + b"A: " + b"a" * 500,
    "declared body too large": OK + b"Content-Length: 1001\r\n\r\n",
    "chunked body too large": OK + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"a" * 1001,
    "body until close too large": OK + b"\r\n" + b"a" * 1001,
    "end in the head": b"HTTP/1.1 200 OK\r\nContent",
    "end in a sized body": OK + b"Content-Length: 5\r\n\r\nhell",
    "end in a chunked body": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "content coding": OK + b"Content-Encoding: br\r\nContent-Length: 1\r\n\r\na",
    "content coding twice": OK + b"Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\na",
}


@pytest.mark.parametrize("case", READ)
def test_read(case: str) -> None:
    stream, bodies = READ[case]
    assert [response.body for response in responses_of([stream])] == bodies
    assert [response.body for response in responses_of(in_single_bytes(stream))] == bodies


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    for pieces in ([REFUSED[case]], in_single_bytes(REFUSED[case])):
        with pytest.raises(ResponseError):
            responses_of(pieces)


def test_everything_of_a_response() -> None:
    stream = b"HTTP/1.0 401 Unauthorized\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno"
    (response,) = responses_of([stream])
    assert response == Response(
        status=401,
        headers=(("content-type", "text/html"), ("content-length", "2")),
        body=b"no",
        version="1.0",
        keep_alive=False,
    )
    assert response.get("content-type") == "text/html"


@pytest.mark.parametrize(
    ("stream", "keep_alive"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", True),
        (OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n", False),
        (OK + b"\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_keep_alive(stream: bytes, keep_alive: bool) -> None:
    assert [response.keep_alive for response in responses_of([stream])] == [keep_alive]


def test_nothing_more_after_a_refused_response() -> None:
    parser = ResponseParser(LIMITS)
    parser.receive_data(b"nonsense")
    with pytest.raises(ResponseError):
        parser.next_event()
    assert parser.next_event() is CLOSED


def test_answers_to_head_requests_have_no_body() -> None:
    stream = OK + b"Content-Length: 5000\r\n\r\n" + OK + b"Transfer-Encoding: chunked\r\n\r\n"
    assert [response.body for response in responses_of([stream], head_only=True)] == [b"", b""]


def test_need_data_before_anything_came() -> None:
    assert ResponseParser(LIMITS).next_event() is NEED_DATA


class TestGzip:
    @staticmethod
    def packed(body: bytes) -> bytes:
        return encode_response(200, body, keep_alive=True, headers=[("Content-Encoding", "gzip")])

    def test_is_unpacked(self) -> None:
        (response,) = responses_of([self.packed(gzip_body(b"a" * 1000, 6))])
        assert response.body == b"a" * 1000

    def test_bomb_is_refused(self) -> None:
        with pytest.raises(ResponseError, match="after decompression"):
            responses_of([self.packed(gzip_body(b"a" * 100_000, 9))])

    @pytest.mark.parametrize(
        "body",
        [b"plain", gzip_body(b"hello", 6)[:-1], gzip_body(b"hello", 6) + b"x", gzip_body(b"hello", 6)[:-6] + b"\0" * 6],
    )
    def test_broken_is_refused(self, body: bytes) -> None:
        with pytest.raises(ResponseError, match="broken"):
            responses_of([self.packed(body)])


@given(bodies=st.lists(st.binary(max_size=80), max_size=3), cuts=st.sets(st.integers(1, 500), max_size=8))
def test_what_the_server_writes_is_read(bodies: list[bytes], cuts: set[int]) -> None:
    stream = b"".join(encode_response(200, body, keep_alive=True) for body in bodies)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places) if end > start]
    assert [response.body for response in responses_of(pieces)] == bodies
