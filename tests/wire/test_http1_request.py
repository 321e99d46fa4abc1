"""Requests as a server reads them: events, limits, and what must be refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.errors import RequestError
from geventcore.wire.http1 import (
    CLOSED,
    NEED_DATA,
    HTTPLimits,
    RequestBody,
    RequestHead,
    RequestParser,
)
from tests.support.own_process import count_cyclic_objects

LIMITS = HTTPLimits(head_bytes=500, body_bytes=1000, framing_bytes=200)


def pieces_of(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def events_of(pieces: Iterable[bytes], limits: HTTPLimits = LIMITS) -> list[object]:
    """All events of a connection that sends these pieces and closes; an error's status is the last one."""
    parser = RequestParser(limits)
    events: list[object] = []
    try:
        for piece in [*pieces, b""]:
            parser.receive_data(piece)
            while (event := parser.next_event()) not in (NEED_DATA, CLOSED):
                events.append(event)
            if event is CLOSED:
                break
    except RequestError as err:
        events.append(err.status)
    return events


def bodies_of(events: Iterable[object]) -> list[bytes]:
    return [event.data for event in events if isinstance(event, RequestBody)]


def request(*headers: bytes, line: bytes = b"POST /RPC2 HTTP/1.1", body: bytes = b"") -> bytes:
    return b"\r\n".join([line, b"Host: server:6789", *headers, b"", body])


def head_of(stream: bytes) -> RequestHead:
    parser = RequestParser(LIMITS)
    parser.receive_data(stream)
    head = parser.next_event()
    assert isinstance(head, RequestHead)
    return head


class TestHead:
    def test_client_request(self) -> None:
        head = head_of(
            b"POST /RPC2 HTTP/1.1\r\nHost: server:6789\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml\r\n"
            b"User-Agent: Python-xmlrpc/3.11\r\nAuthorization: Basic cm9vdDpzZWNyZXQ=\r\nContent-Length: 7\r\n\r\n"
        )
        assert head == RequestHead(
            method="POST",
            target="/RPC2",
            version="1.1",
            headers=(
                ("host", "server:6789"),
                ("accept-encoding", "gzip"),
                ("content-type", "text/xml"),
                ("user-agent", "Python-xmlrpc/3.11"),
                ("authorization", "Basic cm9vdDpzZWNyZXQ="),
                ("content-length", "7"),
            ),
            content_length=7,
            chunked=False,
            keep_alive=True,
            expect_continue=False,
        )

    def test_comes_before_the_body_is_there(self) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(request(b"Content-Length: 5"))
        assert isinstance(parser.next_event(), RequestHead)
        assert parser.next_event() is NEED_DATA
        parser.receive_data(b"hel")
        assert parser.next_event() is NEED_DATA
        parser.receive_data(b"lo")
        assert parser.next_event() == RequestBody(b"hello")

    def test_values_are_stripped_and_names_lowered(self) -> None:
        head = head_of(request(b"X-ONE: \t a b \t", b"X-Empty:", b"X-Latin: \xe9"))
        assert (head.get("x-one"), head.get("x-empty"), head.get("x-latin")) == ("a b", "", "é")
        assert head.get("x-none") is None

    def test_repeated_header_is_joined(self) -> None:
        assert head_of(request(b"Accept-Encoding: a", b"Accept-Encoding: b")).get("accept-encoding") == "a, b"

    @pytest.mark.parametrize(
        ("version", "connection", "keep_alive"),
        [
            (b"1.1", None, True),
            (b"1.1", b"keep-alive", True),
            (b"1.1", b"close", False),
            (b"1.1", b"TE, Close", False),
            (b"1.1", b"keep-alive, close", False),
            (b"1.0", None, False),
            (b"1.0", b"Keep-Alive", True),
            (b"1.0", b"close", False),
        ],
    )
    def test_keep_alive(self, version: bytes, connection: bytes | None, keep_alive: bool) -> None:
        headers = [] if connection is None else [b"Connection: " + connection]
        assert head_of(request(*headers, line=b"POST / HTTP/" + version)).keep_alive is keep_alive

    @pytest.mark.parametrize(
        ("stream", "expected"),
        [
            (request(b"Expect: 100-continue", b"Content-Length: 5"), True),
            (request(b"Expect: 100-Continue", b"Transfer-Encoding: chunked"), True),
            (request(b"Expect: 100-continue"), False),
            (request(b"Expect: 100-continue", b"Content-Length: 0"), False),
            (request(b"Expect: 100-continue", b"Content-Length: 5", line=b"POST / HTTP/1.0"), False),
            (request(b"Content-Length: 5"), False),
        ],
    )
    def test_expect_continue(self, stream: bytes, expected: bool) -> None:
        assert head_of(stream).expect_continue is expected

    def test_http_1_0_needs_no_host(self) -> None:
        assert head_of(b"GET / HTTP/1.0\r\n\r\n").version == "1.0"

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"])
    def test_other_methods_are_left_to_the_caller(self, method: str) -> None:
        target = b"server:1" if method == "CONNECT" else b"/"
        assert head_of(request(line=method.encode() + b" " + target + b" HTTP/1.1")).method == method


class TestBody:
    def test_without_length_is_empty(self) -> None:
        events = events_of([request()])
        assert bodies_of(events) == [b""]

    def test_upgrade_is_declined_by_ignoring_it(self) -> None:
        upgrade = (b"Connection: Upgrade", b"Upgrade: h2c")
        chunks = b"2\r\nab\r\n0\r\n\r\n"
        stream = request(*upgrade, b"Content-Length: 2", body=b"ab") + request(
            *upgrade, b"Transfer-Encoding: chunked", body=chunks
        )
        assert bodies_of(events_of([stream])) == [b"ab", b"ab"]

    @pytest.mark.parametrize(
        ("chunks", "body"),
        [
            (b"0\r\n\r\n", b""),
            (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"5;name=value\r\nhello\r\n0;last\r\n\r\n", b"hello"),
            (b"2\r\nhe\r\n003\r\nllo\r\n000\r\n\r\n", b"hello"),
            (b"5\r\nhello\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", b"hello"),
            (b"8\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n\r\n\r\n"),
            (b"A\r\n0\r\n\r\n12345\r\n0\r\n\r\n", b"0\r\n\r\n12345"),
        ],
    )
    def test_chunked(self, chunks: bytes, body: bytes) -> None:
        stream = request(b"Transfer-Encoding: Chunked", body=chunks) + request(b"Content-Length: 4", body=b"next")
        assert bodies_of(events_of([stream])) == [body, b"next"]
        assert bodies_of(events_of(pieces_of(stream, range(len(stream))))) == [body, b"next"]
        for cut in range(1, len(stream)):
            assert bodies_of(events_of(pieces_of(stream, [cut]))) == [body, b"next"]

    def test_following_request_waits_until_it_is_asked_for(self) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(request(b"Content-Length: 1", body=b"a") + request(b"Content-Length: 1", body=b"b"))
        assert isinstance(parser.next_event(), RequestHead)
        assert parser.next_event() == RequestBody(b"a")
        assert not parser.idle
        assert isinstance(parser.next_event(), RequestHead)
        assert parser.next_event() == RequestBody(b"b")
        assert parser.idle
        assert parser.next_event() is NEED_DATA

    def test_short_request_follows_a_long_one_that_came_in_two_pieces(self) -> None:
        long, short = request(b"A: " + b"a" * 100), b"GET / HTTP/1.0\r\n\r\n"
        assert bodies_of(events_of([long[:-1], long[-1:] + short])) == [b"", b""]

    def test_nothing_follows_the_last_request(self) -> None:
        stream = request(b"Connection: close", b"Content-Length: 1", body=b"a") + request()
        parser = RequestParser(LIMITS)
        parser.receive_data(stream)
        assert isinstance(parser.next_event(), RequestHead)
        assert parser.next_event() == RequestBody(b"a")
        assert parser.next_event() is CLOSED
        parser.receive_data(request())
        assert parser.next_event() is CLOSED

    def test_peer_may_close_its_side_after_the_request(self) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(request(b"Content-Length: 1", body=b"a"))
        parser.receive_data(b"")
        assert isinstance(parser.next_event(), RequestHead)
        assert parser.next_event() == RequestBody(b"a")
        assert parser.next_event() is CLOSED

    def test_empty_lines_between_requests_are_skipped(self) -> None:
        stream = b"\r\n" + request(b"Content-Length: 1", body=b"a") + b"\r\n\r\n" + request()
        assert bodies_of(events_of([stream])) == [b"a", b""]


#: What must be refused, with the status that the answer gets. Each is tried whole and byte by byte.
REFUSED: dict[str, tuple[int, bytes]] = {
    # not HTTP, or not a version that is spoken
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "SSH": (400, b"SSH-2.0-OpenSSH_9.2\r\n"),
    "XML": (400, b"<?xml version='1.0'?>\r\n\r\n"),
    "leading space": (400, b" " + request()),
    "NUL": (400, b"\0" + request()),
    "endless method": (400, b"A" * 100),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/1.2": (505, request(line=b"POST / HTTP/1.2")),
    "HTTP/3.0": (505, request(line=b"POST / HTTP/3.0")),
    "lower-case HTTP": (400, request(line=b"POST / http/1.1")),
    "HTTP/1.10": (400, request(line=b"POST / HTTP/1.10")),
    "RTSP": (400, request(line=b"POST / RTSP/1.0")),
    # request line
    "unknown method": (501, request(line=b"BREW / HTTP/1.1")),
    "lower-case method": (501, request(line=b"post / HTTP/1.1")),
    "two spaces": (400, request(line=b"POST  / HTTP/1.1")),
    "space at its end": (400, request(line=b"POST / HTTP/1.1 ")),
    "space in the target": (400, request(line=b"POST /a b HTTP/1.1")),
    "control character in the target": (400, request(line=b"POST /\x01 HTTP/1.1")),
    "no target": (400, request(line=b"POST HTTP/1.1")),
    # headers
    "no Host": (400, b"POST / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, request(b"Host: other")),
    "folded": (400, request(b"A: b\r\n c")),
    "space before colon": (400, request(b"A : b")),
    "space in the name": (400, request(b"A b: c")),
    "space before the first": (400, b"POST / HTTP/1.1\r\n Host: a\r\n\r\n"),
    "no colon": (400, request(b"Abc")),
    "no name": (400, request(b": b")),
    "NUL in a value": (400, request(b"A: b\0c")),
    "DEL in a value": (400, request(b"A: b\x7f")),
    "carriage return in a value": (400, request(b"A: b\rc")),
    "not ASCII in a name": (400, request(b"A\xe9: b")),
    "bare line feeds": (400, request(b"Content-Length: 0").replace(b"\r\n", b"\n")),
    "one bare line feed": (400, b"POST / HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n\r\n"),
    "empty line is a bare line feed": (400, b"POST / HTTP/1.1\r\nHost: a\r\n\n"),
    "two carriage returns": (400, b"POST / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    "expectation": (417, request(b"Expect: a-miracle", b"Content-Length: 1")),
    # how long the body is
    "lengths differ": (400, request(b"Content-Length: 1", b"Content-Length: 2", body=b"aa")),
    "length twice": (400, request(b"Content-Length: 1", b"Content-Length: 1", body=b"a")),
    "list of lengths": (400, request(b"Content-Length: 1, 1", body=b"a")),
    "length with sign": (400, request(b"Content-Length: +1", body=b"a")),
    "negative length": (400, request(b"Content-Length: -1", body=b"a")),
    "hexadecimal length": (400, request(b"Content-Length: 0x1", body=b"a")),
    "empty length": (400, request(b"Content-Length:")),
    "length beyond 64 bits": (400, request(b"Content-Length: 99999999999999999999")),
    "length, then chunked": (400, request(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    "chunked, then length": (400, request(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n")),
    "chunked twice": (400, request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")),
    "chunked before another": (400, request(b"Transfer-Encoding: chunked, gzip")),
    "coding without chunked": (400, request(b"Transfer-Encoding: gzip")),
    "coding before chunked": (501, request(b"Transfer-Encoding: gzip, chunked")),
    "almost chunked": (400, request(b"Transfer-Encoding: xchunked")),
    "chunked with vertical tab": (400, request(b"Transfer-Encoding: \x0bchunked")),
    "chunked in HTTP/1.0": (400, request(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0")),
}

#: The same for chunked bodies.
REFUSED_CHUNKS: dict[str, tuple[int, bytes]] = {
    "no size": (400, b"\r\nabc\r\n"),
    "not hexadecimal": (400, b"xyz\r\n"),
    "negative": (400, b"-3\r\nabc\r\n0\r\n\r\n"),
    "0x": (400, b"0x3\r\nabc\r\n0\r\n\r\n"),
    "beyond 64 bits": (400, b"fffffffffffffffff\r\n"),
    "space before": (400, b" 3\r\nabc\r\n0\r\n\r\n"),
    "space after": (400, b"3 \r\nabc\r\n0\r\n\r\n"),
    "bare line feed after size": (400, b"3\nabc\r\n0\r\n\r\n"),
    "bare line feed after data": (400, b"3\r\nabc\n0\r\n\r\n"),
    "bare line feeds at the end": (400, b"3\r\nabc\r\n0\n\n"),
    "bare line feed at the end": (400, b"3\r\nabc\r\n0\r\n\n"),
    "more data than said": (400, b"3\r\nabcd\r\n0\r\n\r\n"),
    "line feed in extension": (400, b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    "NUL in extension": (400, b"3;\0\r\nabc\r\n0\r\n\r\n"),
    "length in trailer": (400, b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "coding in trailer": (400, b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "endless extension": (400, b"3;" + b"a" * 400),
    "endless trailer": (400, b"3\r\nabc\r\n0\r\nA: " + b"a" * 400),
    "mostly sizes": (400, b"1\r\na\r\n" * 100 + b"0\r\n\r\n"),
    "too large": (413, b"1f4\r\n" + b"a" * 500 + b"\r\n1f5\r\n" + b"a" * 501 + b"\r\n0\r\n\r\n"),
}


class TestRefused:
    @pytest.mark.parametrize("case", REFUSED)
    def test_request(self, case: str) -> None:
        status, stream = REFUSED[case]
        assert events_of([stream]) == [status]
        assert events_of(pieces_of(stream, range(len(stream)))) == [status]

    @pytest.mark.parametrize("case", REFUSED_CHUNKS)
    def test_chunked_body(self, case: str) -> None:
        status, chunks = REFUSED_CHUNKS[case]
        stream = request(b"Transfer-Encoding: chunked", body=chunks)
        for pieces in ([stream], pieces_of(stream, range(len(stream)))):
            head, *rest = events_of(pieces)
            assert isinstance(head, RequestHead)
            assert rest == [status]

    @pytest.mark.parametrize("case", ["TLS", "SSH", "XML", "bare line feeds", "empty line is a bare line feed"])
    def test_at_once_without_waiting_for_more(self, case: str) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(REFUSED[case][1])
        with pytest.raises(RequestError):
            parser.next_event()

    @pytest.mark.parametrize(
        "stream",
        [
            b"P",
            b"POST / HTTP/1.1\r\nHost",
            request(b"Content-Length: 5"),
            request(b"Content-Length: 5", body=b"hell"),
            request(b"Transfer-Encoding: chunked"),
            request(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n"),
        ],
    )
    def test_end_in_the_middle(self, stream: bytes) -> None:
        assert events_of([stream])[-1] == 400

    def test_error_stays(self) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(b"nonsense\r\n\r\n")
        with pytest.raises(RequestError) as first:
            parser.next_event()
        parser.receive_data(request())
        with pytest.raises(RequestError) as second:
            parser.next_event()
        assert (str(first.value), first.value.status) == (str(second.value), second.value.status)

    @given(stream=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
    def test_noise_is_answered(self, stream: bytes, cuts: list[int]) -> None:
        assert all(event == 400 for event in events_of(pieces_of(stream, cuts)))

    @given(data=st.data())
    def test_damaged_request_is_read_or_refused(self, data: st.DataObject) -> None:
        stream = bytearray(request(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n") + request())
        for _ in range(data.draw(st.integers(1, 3))):
            stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
        for event in events_of([bytes(stream)]):
            assert isinstance(event, RequestHead | RequestBody) or event in (400, 413, 417, 431, 501, 505)


class TestLimits:
    def test_head_at_its_limit(self) -> None:
        filler = LIMITS.head_bytes - len(request(b"A: "))
        assert isinstance(head_of(request(b"A: " + b"a" * filler)), RequestHead)
        assert events_of([request(b"A: " + b"a" * (filler + 1))]) == [431]

    def test_endless_head(self) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(b"POST / HTTP/1.1\r\nA: " + b"a" * LIMITS.head_bytes)
        with pytest.raises(RequestError) as caught:
            parser.next_event()
        assert caught.value.status == 431

    def test_declared_length_is_refused_with_the_head(self) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(request(b"Content-Length: 1001"))
        with pytest.raises(RequestError) as caught:
            parser.next_event()
        assert caught.value.status == 413

    def test_body_at_its_limit(self) -> None:
        sized = request(b"Content-Length: 1000", body=b"a" * 1000)
        chunked = request(b"Transfer-Encoding: chunked", body=b"3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n")
        assert bodies_of(events_of([sized + chunked])) == [b"a" * 1000] * 2

    def test_chunked_body_is_refused_once_it_passes_the_limit(self) -> None:
        parser = RequestParser(LIMITS)
        parser.receive_data(request(b"Transfer-Encoding: chunked", body=b"ffff\r\n" + b"a" * 1001))
        assert isinstance(parser.next_event(), RequestHead)
        with pytest.raises(RequestError) as caught:
            parser.next_event()
        assert caught.value.status == 413


def read_two_requests() -> None:
    stream = request(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n") + request()
    assert bodies_of(events_of([stream])) == [b"a", b""]


class TestMemory:
    @pytest.mark.parametrize("coding", ["sized", "chunked"])
    def test_body_in_single_bytes_takes_no_multiple_of_its_size(self, coding: str) -> None:
        size = 100_000
        header = b"Content-Length: %d" % size if coding == "sized" else b"Transfer-Encoding: chunked"
        body = b"a" * size if coding == "sized" else b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"a" * size)
        # Other threads of the process allocate, too: the smallest of a few peaks is the parser's own.
        peaks = []
        for _ in range(3):
            parser = RequestParser()
            parser.receive_data(request(header))
            assert isinstance(parser.next_event(), RequestHead)
            tracemalloc.start()
            try:
                for place in range(len(body)):
                    parser.receive_data(body[place : place + 1])
                    event = parser.next_event()
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            assert event == RequestBody(b"a" * size)
        assert min(peaks) < 3.5 * size

    def test_idle_connection_holds_next_to_nothing(self) -> None:
        body = b"a" * 500_000
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        stream = request(b"Content-Length: 500000", body=body) + request(b"Transfer-Encoding: chunked", body=chunks)
        RequestParser().receive_data(b"x")  # whatever is allocated once
        tracemalloc.start()
        try:
            parsers = [RequestParser() for _ in range(10)]
            for parser in parsers:
                parser.receive_data(stream)
                while parser.next_event() is not NEED_DATA:
                    pass
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held < 1000 * len(parsers)

    def test_refused_body_is_dropped(self) -> None:
        parser = RequestParser(HTTPLimits(body_bytes=500_000))
        tracemalloc.start()
        try:
            parser.receive_data(request(b"Transfer-Encoding: chunked", body=b"fffff\r\n" + b"a" * 600_000))
            assert isinstance(parser.next_event(), RequestHead)
            with pytest.raises(RequestError, match="500000 bytes"):
                parser.next_event()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held < 100_000

    def test_no_reference_cycles(self) -> None:
        assert count_cyclic_objects(read_two_requests) == 0


BODIES = st.binary(max_size=60) | st.text(alphabet="\r\n0a", max_size=40).map(str.encode)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A request and its body."""
    body = draw(BODIES)
    if draw(st.booleans()):
        return request(b"Content-Length: %d" % len(body), body=body), body
    parts = [part for part in pieces_of(body, draw(st.lists(st.integers(0, 60), max_size=4))) if part]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return request(b"Transfer-Encoding: chunked", body=chunks), body


@given(sent=st.lists(requests(), min_size=1, max_size=4), cuts=st.lists(st.integers(0, 600), max_size=12))
def test_pieces_do_not_matter(sent: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(raw for raw, _ in sent)
    events = events_of(pieces_of(stream, cuts))
    assert bodies_of(events) == [body for _, body in sent]
    assert events == events_of([stream])
