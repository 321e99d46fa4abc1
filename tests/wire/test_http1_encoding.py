"""Messages as bytes, read back by the standard library's client or by our own parser."""

from __future__ import annotations

import gzip
import http.client
import io
import socket
from typing import cast

import pytest

from geventcore.wire.http1 import (
    RequestBody,
    RequestHead,
    RequestParser,
    accepts_gzip,
    encode_head,
    encode_request,
    encode_response,
    gzip_body,
)


class _Recording:
    """The part of a socket that `http.client.HTTPResponse` uses."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._stream)


def read_by_http_client(stream: bytes, method: str = "POST") -> tuple[http.client.HTTPResponse, bytes]:
    response = http.client.HTTPResponse(cast(socket.socket, _Recording(stream)), method=method)
    response.begin()
    return response, response.read()


@pytest.mark.parametrize(
    ("version", "keep_alive", "connection"),
    [("1.1", True, None), ("1.1", False, "close"), ("1.0", False, None), ("1.0", True, "keep-alive")],
)
def test_response(version: str, keep_alive: bool, connection: str | None) -> None:
    stream = encode_response(
        401, b"<html/>", content_type="text/html", version=version, keep_alive=keep_alive, headers=[("X-A", "b")]
    )
    response, body = read_by_http_client(stream)
    assert (response.status, response.reason, body) == (401, "Unauthorized", b"<html/>")
    assert response.version == (11 if version == "1.1" else 10)
    assert response.getheader("Content-Type") == "text/html"
    assert response.getheader("Content-Length") == "7"
    assert response.getheader("Connection") == connection
    assert response.getheader("X-A") == "b"


def test_head_and_body_apart_are_the_same_bytes() -> None:
    body = b"x" * 1000
    whole = encode_response(200, body, keep_alive=True)
    assert encode_head(200, len(body), keep_alive=True) + body == whole
    assert encode_response(200, body, keep_alive=True, head_only=True) + body == whole


def test_empty_body_has_a_length() -> None:
    response, body = read_by_http_client(encode_response(500, b"", keep_alive=False))
    assert (response.status, response.getheader("Content-Length"), body) == (500, "0", b"")


@pytest.mark.parametrize("status", [100, 204, 304])
def test_statuses_without_body(status: int) -> None:
    assert b"Content-Length" not in encode_response(status, b"", keep_alive=True)
    with pytest.raises(ValueError, match="cannot have a body"):
        encode_response(status, b"x", keep_alive=True)


@pytest.mark.parametrize(
    ("name", "value"), [("A", "b\r\nC: d"), ("A", "b\nc"), ("A: b\r\nC", "d"), ("A b", "c"), ("", "a"), ("A", "\u20ac")]
)
def test_headers_that_would_break_the_head_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="invalid header"):
        encode_response(200, b"", keep_alive=True, headers=[(name, value)])


def read_request(stream: bytes) -> tuple[RequestHead, bytes]:
    parser = RequestParser()
    parser.receive_data(stream)
    head, body = parser.next_event(), parser.next_event()
    assert isinstance(head, RequestHead)
    assert isinstance(body, RequestBody)
    return head, body.data


def test_request() -> None:
    head, body = read_request(encode_request("POST", "/RPC2", [("Host", "a:1"), ("X-Latin", "é")], b"hello"))
    assert (head.method, head.target, head.version, body) == ("POST", "/RPC2", "1.1", b"hello")
    assert (head.get("host"), head.get("x-latin"), head.content_length) == ("a:1", "é", 5)


def test_request_without_body() -> None:
    assert read_request(encode_request("GET", "/", [("Host", "a")]))[0].content_length is None
    assert read_request(encode_request("POST", "/", [("Host", "a")]))[0].content_length == 0


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/ HTTP/1.1\r\n\r\n"), ("GET", ""), ("G T", "/"), ("GET", "/é")]
)
def test_request_lines_that_would_break_the_head_are_refused(method: str, target: str) -> None:
    with pytest.raises(ValueError, match="invalid method"):
        encode_request(method, target, [("Host", "a")])


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip ; Q=0.1", True),
        ("gzip;q=nonsense", False),
        ("gzip;q=nan", False),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("gzip, *;q=0", True),
        ("identity", False),
        ("gzipped", False),
        (", ,gzip", True),
    ],
)
def test_accepts_gzip(accepted: str | None, expected: bool) -> None:
    headers = [("Host", "a")] if accepted is None else [("Host", "a"), ("Accept-Encoding", accepted)]
    head, _ = read_request(encode_request("GET", "/", headers))
    assert accepts_gzip(head) is expected


@pytest.mark.parametrize("level", [1, 6, 9])
def test_gzip_body(level: int) -> None:
    data = b"<Path name='/etc/motd'/>\n" * 100
    packed = gzip_body(data, level)
    assert gzip.decompress(packed) == data
    assert len(packed) < len(data)
    assert gzip_body(data, level) == packed
