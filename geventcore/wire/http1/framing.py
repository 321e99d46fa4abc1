"""Message framing: the ends of heads and bodies, and parsing of heads.

The C parser cannot stop: it parses all input, including the next message, and does not report where a message ended. So
it never gets input that could contain the beginning of the next message. A head ends at its empty line and is parsed as
a whole. A body of known length needs no parser. A chunked body also ends with an empty line, but may contain others. So
the parser gets it in pieces that end with an empty line.

The C parser is strict: since httptools 0.6.4 it refuses bare line feeds, folded lines, spaces before colons, control
characters, repeated or malformed lengths, and a length beside a transfer coding. This prevents request smuggling, where
a proxy and this server disagree on the end of a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)


class Signal(Enum):
    """The results of `next_event` that are not events."""

    NEED_DATA = "need data"
    CLOSED = "closed"


#: No complete event has arrived: read from the peer and call `receive_data`.
NEED_DATA: Final = Signal.NEED_DATA
#: No further message can come on this connection.
CLOSED: Final = Signal.CLOSED


@dataclass(frozen=True)
class HTTPLimits:
    """Size limits for messages from a peer.

    Attributes:
        head_bytes: start line and headers. 16 KiB lies between Apache's 8 KiB for a line and nginx's 32 KiB in total; a
            Bcfg2 client sends about 300 bytes.
        body_bytes: body, also after decompression. The reports and probe results of a large host take a few megabytes;
            100 MiB leaves room for file contents. One caller can make the server hold this much.
        framing_bytes: chunk sizes, extensions and trailers of a chunked body, beyond one byte per byte of data; 16 KiB
            is node.js's limit for extensions.
    """

    head_bytes: int = 16 * 1024
    body_bytes: int = 100 * 1024 * 1024
    framing_bytes: int = 16 * 1024


class MessageError(Exception):
    """An unacceptable message; `status` is a server's answer to it. Internal to this package."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Message:
    """The common part of requests and responses."""

    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """Return a header by its lower-case name. The values of a repeated header are joined by commas."""
        return header_value(self.headers, name)


def header_value(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    """Return a header by its lower-case name. The values of a repeated header are joined by commas."""
    values = None
    for key, value in headers:
        if key == name:
            values = value if values is None else f"{values}, {value}"
    return values


def list_items(value: str | None) -> Iterator[str]:
    """Return the lower-case items of a comma-separated header; an empty list for None."""
    for item in (value or "").split(","):
        stripped = item.strip().lower()
        if stripped:
            yield stripped


def keeps_alive(version: str, headers: tuple[tuple[str, str], ...]) -> bool:
    """Return whether the sender will use the connection again."""
    value = header_value(headers, "connection")
    if value is None:
        return version == "1.1"
    options = set(list_items(value))
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


#: Data longer than the first length is kept in pieces of at least the second one, in bytes.
_LONG, _SHORT = 16 * 1024, 4 * 1024


class ReceiveBuffer:
    """A buffer of received and unused data. It needs almost no memory while it is empty.

    Long bodies are kept in the pieces in which they arrived. Growing one array for each of many concurrent bodies
    fragments the memory: measured, it takes ten times the size of the bodies.
    """

    __slots__ = ("_data", "_length", "_pieces", "_searched")

    def __init__(self) -> None:
        self._data = bytearray()
        self._pieces: list[bytes] = []
        self._length = 0
        self._searched = 0

    def __len__(self) -> int:
        return self._length

    def append(self, data: bytes) -> None:
        """Add received data."""
        self._length += len(data)
        if not self._pieces and len(self._data) < _LONG:
            self._data += data
        elif self._pieces and len(self._pieces[-1]) < _SHORT:
            self._pieces[-1] += data
        else:
            self._pieces.append(data)

    def clear(self) -> None:
        """Drop everything."""
        self._data.clear()
        self._pieces.clear()
        self._length = self._searched = 0

    def _merge(self) -> None:
        """Join all pieces to one array."""
        if self._pieces:
            self._data += b"".join(self._pieces)
            self._pieces.clear()

    def skip_empty_lines(self) -> None:
        """Drop line ends before a message; old clients send them after a body."""
        if self._data.startswith((b"\r", b"\n")):
            self._merge()
            self._data = self._data.lstrip(b"\r\n")
            self._length = len(self._data)

    def starts_like(self, pattern: re.Pattern[bytes]) -> bool:
        """Return whether a pattern matches at the beginning."""
        return pattern.match(self._data) is not None

    def take_head(self, limit: int) -> bytes | None:
        """Take everything up to the first empty line, inclusive; return None if it has not arrived.

        Raises:
            MessageError: this is, or will be, more than `limit` bytes.
        """
        self._merge()
        # A bare line feed also ends a line here, so that the parser refuses such a head at once, not after a deadline.
        found = _EMPTY_LINE.search(self._data, max(0, self._searched - 2))
        if (found.end() if found else len(self._data) + 1) > limit:
            raise MessageError(f"the head has more than {limit} bytes", 431)
        if found is None:
            self._searched = len(self._data)
            return None
        return self.take(found.end())

    def take(self, size: int) -> bytes:
        """Take the first `size` bytes, which must have arrived."""
        if size == self._length and self._pieces:
            taken = b"".join([self._data, *self._pieces])
            self.clear()
            return taken
        self._merge()
        self._searched = 0
        with memoryview(self._data) as view:
            taken = bytes(view[:size])
        del self._data[:size]
        self._length -= size
        return taken

    def take_all(self) -> bytes:
        """Take everything that has arrived."""
        return self.take(self._length)


_EMPTY_LINE = re.compile(rb"\n\r?\n")


class _HeadCollector:
    """Collects the C parser's events for a head.

    It has no reference to the parser: a reference cycle would keep both alive until a garbage collection.
    """

    __slots__ = ("complete", "headers", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[str, str]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


def _feed_head(parser: HttpRequestParser | HttpResponseParser, collector: _HeadCollector, raw: bytes) -> None:
    try:
        parser.feed_data(raw)
    except HttpParserUpgrade:
        pass  # The caller declines upgrades and CONNECT.
    except HttpParserInvalidMethodError as err:
        raise MessageError(f"unknown method: {raw[:40]!r}", 501) from err
    except HttpParserError as err:
        raise MessageError(f"the head is malformed: {err}") from err
    if not collector.complete:
        raise MessageError("the head is malformed: it has no end")


def parse_request_head(raw: bytes) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Parse a complete request head. Return method, target and headers."""
    collector = _HeadCollector()
    parser = HttpRequestParser(collector)
    _feed_head(parser, collector, raw)
    return parser.get_method().decode("ascii"), collector.target.decode("latin-1"), tuple(collector.headers)


def parse_response_head(raw: bytes) -> tuple[str, int, tuple[tuple[str, str], ...]]:
    """Parse a complete response head. Return version, status and headers."""
    collector = _HeadCollector()
    parser = HttpResponseParser(collector)
    _feed_head(parser, collector, raw)
    return parser.get_http_version(), parser.get_status_code(), tuple(collector.headers)


class _BodyCollector:
    """Collects a chunked body in a bytearray. A list of one-byte chunks would take fifty times their size."""

    __slots__ = ("complete", "data", "size")

    def __init__(self) -> None:
        self.data = bytearray()
        self.size = 0
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.data += data
        self.size += len(data)

    def on_message_complete(self) -> None:
        self.complete = True


class ChunkedBody:
    """A chunked body that is being received."""

    __slots__ = ("_collector", "_limits", "_parser", "_received", "_tail")

    def __init__(self, limits: HTTPLimits) -> None:
        self._limits = limits
        self._collector = _BodyCollector()
        # Use a new parser and a new head: the peer's head may have made its parser expect an upgrade.
        self._parser = HttpRequestParser(self._collector)
        self._parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._received = 0
        self._tail = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add data. Return the whole body and the data that follows it when the body is complete, else None.

        Raises:
            MessageError: the body is malformed or larger than the limits.
        """
        window = self._tail + data
        view = memoryview(window)
        fed = len(self._tail)
        search_from = 0
        while fed < len(window):
            line = window.find(b"\r\n\r\n", search_from)
            # The end cannot overlap with an earlier piece: the last line before it is not empty.
            search_from = end = len(window) if line < 0 else line + 4
            self._feed_piece(view[fed:end])
            fed = end
            if self._collector.complete:
                return bytes(self._collector.data), window[end:]
        self._tail = window[-3:]
        return None

    def take(self) -> bytes:
        """Take the data that have arrived, so that `feed` returns only those that arrive later."""
        taken = bytes(self._collector.data)
        self._collector.data.clear()
        return taken

    def _feed_piece(self, piece: memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except (HttpParserError, HttpParserUpgrade) as err:
            raise MessageError(f"the chunked body is malformed: {err}") from err
        size = self._collector.size
        if size > self._limits.body_bytes:
            raise MessageError(f"the body has more than {self._limits.body_bytes} bytes", 413)
        self._received += len(piece)
        if self._received - size > self._limits.framing_bytes + size:
            raise MessageError("the chunked body consists mostly of chunk sizes, extensions or trailers")
