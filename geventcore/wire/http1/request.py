"""The request parser of a server.

Each request yields two events. The first is the head, as soon as it is complete. So the caller can authenticate before
it accepts the body and sends ``100 Continue``. The second is the complete body, also if it is empty. A body whose
declared length is too large is refused in place of the head.

A caller that reads bodies as streams asks for parts. Then `BodyPart` events come between the two, and the second event
has only the last part.

A request without a length has no body (RFC 9112, section 6.3). The caller decides on status 411.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from geventcore.errors import RequestError
from geventcore.wire.http1.framing import (
    CLOSED,
    NEED_DATA,
    ChunkedBody,
    HTTPLimits,
    Message,
    MessageError,
    ReceiveBuffer,
    Signal,
    header_value,
    keeps_alive,
    list_items,
    parse_request_head,
)

#: The possible beginnings of a request, to recognise TLS and other protocols at their first byte.
_METHOD = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_BEGINNING = re.compile(_METHOD + rb"{1,32}(?: |\Z)")
#: The request line. The C parser reads it, too, but also accepts HTTP/0.9, RTSP and doubled spaces.
_REQUEST_LINE = re.compile(_METHOD + rb"+ [^\s]+ HTTP/([0-9]\.[0-9])\r\n")
_VERSIONS = {b"1.0": "1.0", b"1.1": "1.1"}


@dataclass(frozen=True)
class RequestHead(Message):
    """The head of a request.

    Attributes:
        method: method in upper case, one that the C parser knows; others are refused with 501.
        target: target as sent.
        version: ``1.0`` or ``1.1``.
        headers: names in lower case, values decoded as latin-1 and stripped, in the order of their arrival.
        content_length: declared size of the body in bytes; None if it is chunked or there is none.
        chunked: whether the body is chunked.
        keep_alive: whether the peer may send another request after the response.
        expect_continue: whether the peer waits for ``100 Continue`` before it sends the body.
    """

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool


@dataclass(frozen=True)
class BodyPart:
    """A part of the body, which is not the last one."""

    data: bytes


@dataclass(frozen=True)
class RequestBody:
    """The whole body, chunks joined; of a body in parts, the last part, which may be empty."""

    data: bytes


class RequestParser:
    """Parses the requests on one connection, one after the other.

    After a `RequestError`, answer with its status and close the connection.
    """

    __slots__ = ("_buffer", "_chunked", "_error", "_head", "_in_parts", "_last", "_limits", "_peer_closed", "_taken")

    def __init__(self, limits: HTTPLimits = HTTPLimits(), *, in_parts: bool = False) -> None:  # noqa: B008 - immutable
        """`in_parts`: return bodies in parts, see above."""
        self._limits = limits
        self._in_parts = in_parts
        self._taken = 0
        self._buffer = ReceiveBuffer()
        self._head: RequestHead | None = None
        self._chunked: ChunkedBody | None = None
        self._peer_closed = False
        self._last = False
        self._error: tuple[str, int] | None = None

    @property
    def idle(self) -> bool:
        """True between requests, if nothing of the next one has arrived."""
        return self._head is None and not self._buffer

    def receive_data(self, data: bytes) -> None:
        """Add received data; ``b""`` if the peer closed its side. Call this after `NEED_DATA`."""
        if data:
            self._buffer.append(data)
        else:
            self._peer_closed = True

    def next_event(self) -> RequestHead | BodyPart | RequestBody | Signal:
        """Return the next head or body, `NEED_DATA`, or `CLOSED` if no further request can come.

        Raises:
            RequestError: a request is unacceptable or incomplete. Further calls raise the same error.
        """
        if self._error is not None:
            raise RequestError(*self._error)
        try:
            return self._next_head() if self._head is None else self._next_body(self._head)
        except MessageError as err:
            self._error = str(err), err.status
            self._buffer.clear()
            self._chunked = None
            raise RequestError(*self._error) from err

    def _next_head(self) -> RequestHead | Signal:
        buffer = self._buffer
        if self._last:
            buffer.clear()
            return CLOSED
        buffer.skip_empty_lines()
        if not buffer:
            return CLOSED if self._peer_closed else NEED_DATA
        if not buffer.starts_like(_BEGINNING):
            raise MessageError("the received data is not HTTP")
        raw = buffer.take_head(self._limits.head_bytes)
        if raw is None:
            return self._incomplete("the head of the request")
        head = _read_head(raw, self._limits)
        if head.chunked:
            self._chunked = ChunkedBody(self._limits)
        self._last = not head.keep_alive
        self._head = head
        self._taken = 0
        return head

    def _next_body(self, head: RequestHead) -> BodyPart | RequestBody | Signal:
        missing = (head.content_length or 0) - self._taken
        body = self._take_chunked(self._chunked) if self._chunked else self._take_sized(missing)
        if body is None:
            part = self._take_part() if self._in_parts else b""
            return BodyPart(part) if part else self._incomplete("the body of the request")
        self._head = self._chunked = None
        return RequestBody(body)

    def _take_sized(self, size: int) -> bytes | None:
        return self._buffer.take(size) if len(self._buffer) >= size else None

    def _take_chunked(self, chunked: ChunkedBody) -> bytes | None:
        complete = chunked.feed(self._buffer.take_all())
        if complete is None:
            return None
        body, rest = complete
        self._buffer.append(rest)
        return body

    def _take_part(self) -> bytes:
        """Take what has arrived of an incomplete body."""
        part = self._chunked.take() if self._chunked else self._buffer.take_all()
        self._taken += len(part)
        return part

    def _incomplete(self, what: str) -> Signal:
        if self._peer_closed:
            raise MessageError(f"the peer closed the connection in {what}")
        return NEED_DATA


def _read_head(raw: bytes, limits: HTTPLimits) -> RequestHead:
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise MessageError(f"the request line is malformed: {raw[:40]!r}")
    version = _VERSIONS.get(line[1])
    if version is None:
        raise MessageError(f"HTTP/{line[1].decode()} is not supported", 505)
    method, target, headers = parse_request_head(raw)
    hosts = [name for name, _ in headers].count("host")
    if hosts > 1 or (version == "1.1" and not hosts):
        raise MessageError(f"expected one Host header, not {hosts}")
    chunked = _is_chunked(version, headers)
    length = header_value(headers, "content-length")
    content_length = None if length is None else int(length)
    if content_length is not None and content_length > limits.body_bytes:
        raise MessageError(f"the body of {content_length} bytes is larger than {limits.body_bytes}", 413)
    return RequestHead(
        method=method,
        target=target,
        version=version,
        headers=headers,
        content_length=content_length,
        chunked=chunked,
        keep_alive=keeps_alive(version, headers),
        expect_continue=_expects_continue(version, headers) and (chunked or bool(content_length)),
    )


def _is_chunked(version: str, headers: tuple[tuple[str, str], ...]) -> bool:
    coding = header_value(headers, "transfer-encoding")
    if coding is None:
        return False
    if version == "1.0":
        raise MessageError("HTTP/1.0 has no Transfer-Encoding")
    if coding.lower() != "chunked":
        raise MessageError(f"the transfer coding is not supported: {coding[:40]!r}", 501)
    return True


def _expects_continue(version: str, headers: tuple[tuple[str, str], ...]) -> bool:
    value = header_value(headers, "expect")
    if value is None:
        return False
    expected = set(list_items(value))
    if version == "1.0" or not expected:
        return False  # RFC 9110, section 10.1.1: ignore the expectation of an HTTP/1.0 client
    if expected != {"100-continue"}:
        raise MessageError(f"unsupported expectation: {', '.join(sorted(expected))[:40]!r}", 417)
    return True
