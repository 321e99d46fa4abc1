"""The response parser, for simulated clients, health checks, and proxies in tests."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from geventcore.wire import ResponseError
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
    parse_response_head,
)

_BEGINNING = re.compile(rb"HTTP/1\.|(?:H|HT|HTT|HTTP|HTTP/|HTTP/1)\Z")


@dataclass(frozen=True)
class Response(Message):
    """A complete response.

    Attributes:
        status: the status code; interim ones (1xx) are skipped.
        headers: names in lower case, values decoded as latin-1 and stripped, in the order of their arrival.
        body: body without chunking and compression.
        version: ``1.0`` or ``1.1``.
        keep_alive: whether the server accepts another request on this connection.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    version: str
    keep_alive: bool


@dataclass(frozen=True)
class _Head(Message):
    status: int
    headers: tuple[tuple[str, str], ...]
    version: str
    content_length: int | None
    chunked: bool


class ResponseParser:
    """Parses the responses on one connection, one after the other.

    Pass `head_only` for HEAD requests, whose responses declare a body and have none.
    """

    __slots__ = ("_buffer", "_chunked", "_head", "_head_only", "_last", "_limits", "_peer_closed")

    def __init__(self, limits: HTTPLimits = HTTPLimits(), *, head_only: bool = False) -> None:  # noqa: B008 - immutable
        self._limits = limits
        self._head_only = head_only
        self._buffer = ReceiveBuffer()
        self._head: _Head | None = None
        self._chunked: ChunkedBody | None = None
        self._peer_closed = False
        self._last = False

    def receive_data(self, data: bytes) -> None:
        """Add received data; ``b""`` if the server closed its side."""
        if data:
            self._buffer.append(data)
        else:
            self._peer_closed = True

    def next_event(self) -> Response | Signal:
        """Return the next response, `NEED_DATA`, or `CLOSED` if no further one can come.

        Raises:
            ResponseError: a response is malformed, too large or incomplete. Close the connection then.
        """
        try:
            head = self._head or self._read_head()
            return head if isinstance(head, Signal) else self._read_response(head)
        except MessageError as err:
            self._last = True
            self._head = self._chunked = None
            raise ResponseError(str(err)) from err

    def _read_head(self) -> _Head | Signal:
        """Read the head of the next response that is not interim."""
        buffer = self._buffer
        while True:
            if self._last:
                buffer.clear()
                return CLOSED
            if not buffer:
                return CLOSED if self._peer_closed else NEED_DATA
            if not buffer.starts_like(_BEGINNING):
                raise MessageError("the received data is not HTTP")
            raw = buffer.take_head(self._limits.head_bytes)
            if raw is None:
                return self._incomplete("the head of the response")
            head = _parse_head(raw, self._head_only, self._limits)
            if head.status >= 200:
                break
        if head.chunked:
            self._chunked = ChunkedBody(self._limits)
        self._head = head
        return head

    def _read_response(self, head: _Head) -> Response | Signal:
        body = self._take_body(head)
        if body is None:
            return self._incomplete("the body of the response")
        until_close = head.content_length is None and not head.chunked
        keep_alive = keeps_alive(head.version, head.headers) and not until_close
        self._last = not keep_alive
        self._head = self._chunked = None
        return Response(
            status=head.status,
            headers=head.headers,
            body=_unpack(body, head, self._limits.body_bytes) if body else body,
            version=head.version,
            keep_alive=keep_alive,
        )

    def _take_body(self, head: _Head) -> bytes | None:
        buffer = self._buffer
        if self._chunked is not None:
            complete = self._chunked.feed(buffer.take_all())
            if complete is None:
                return None
            body, rest = complete
            buffer.append(rest)
            return body
        if head.content_length is not None:
            return buffer.take(head.content_length) if len(buffer) >= head.content_length else None
        if len(buffer) > self._limits.body_bytes:
            raise MessageError(f"the body has more than {self._limits.body_bytes} bytes")
        return buffer.take_all() if self._peer_closed else None

    def _incomplete(self, what: str) -> Signal:
        if self._peer_closed:
            raise MessageError(f"the server closed the connection in {what}")
        return NEED_DATA


def _parse_head(raw: bytes, head_only: bool, limits: HTTPLimits) -> _Head:
    version, status, headers = parse_response_head(raw)
    if status == 101:
        raise MessageError("the server switched to another protocol")
    coding = header_value(headers, "transfer-encoding")
    if coding is not None and coding.lower() != "chunked":
        raise MessageError(f"the transfer coding is not supported: {coding[:40]!r}")
    length = header_value(headers, "content-length")
    without_body = head_only or status < 200 or status in (204, 304)
    content_length = 0 if without_body else None if length is None else int(length)
    if content_length is not None and content_length > limits.body_bytes:
        raise MessageError(f"the body of {content_length} bytes is larger than {limits.body_bytes}")
    return _Head(status, headers, version, content_length, chunked=coding is not None and not without_body)


def _unpack(body: bytes, head: _Head, limit: int) -> bytes:
    codings = [coding for coding in list_items(head.get("content-encoding")) if coding != "identity"]
    if not codings:
        return body
    if codings not in (["gzip"], ["x-gzip"]):
        raise MessageError(f"the content coding is not supported: {', '.join(codings)[:40]!r}")
    # wbits 31 requires a gzip header and trailer
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error as err:
        raise MessageError(f"the gzipped body is broken: {err}") from err
    if len(unpacked) > limit:
        raise MessageError(f"the body has more than {limit} bytes after decompression")
    if not unpacker.eof or unpacker.unused_data:
        raise MessageError("the gzipped body is broken: there is data after its end, or the end is missing")
    return unpacked
