"""Where a head ends, what it says, and where a body ends.

The C parser cannot stop: it parses all that it is given, a following message included, and does not tell where one
ended. So it is only given what cannot contain the beginning of the next message. A head is cut off at its empty line
and parsed at once. A body of known length needs no parser. A chunked body ends with an empty line, too, though not
every empty line ends it: the parser gets it in pieces that end with one.

The C parser is strict: it refuses bare line feeds, folded lines, spaces before colons, control characters, repeated or
malformed lengths, and a length beside a transfer coding; all of that since httptools 0.6.4. It keeps a proxy in front
and this server from disagreeing on where a request ends (request smuggling).
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
    """What `next_event` returns if there is no event."""

    NEED_DATA = "need data"
    CLOSED = "closed"


#: Nothing complete has arrived: read from the peer and pass it to `receive_data`.
NEED_DATA: Final = Signal.NEED_DATA
#: No further message can come on this connection.
CLOSED: Final = Signal.CLOSED


@dataclass(frozen=True)
class HTTPLimits:
    """How much a peer may send.

    Attributes:
        head_bytes: start line and headers. 16 KiB lies between Apache's 8 KiB a line and nginx's 32 KiB in all; a
            Bcfg2 client sends about 300 bytes.
        body_bytes: a body, also after decompression. The reports and probe results of a large host are a few
            megabytes; 100 MiB leaves room for file contents in them, and is what one caller can make the server hold.
        framing_bytes: what a chunked body may add to its data in sizes, extensions and trailers, beyond one byte per
            byte of data; 16 KiB is node.js's limit for extensions.
    """

    head_bytes: int = 16 * 1024
    body_bytes: int = 100 * 1024 * 1024
    framing_bytes: int = 16 * 1024


class MessageError(Exception):
    """A message that cannot be accepted; `status` is what a server would answer. It does not leave this package."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Message:
    """What requests and responses share."""

    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The value of a header by its lower-case name; a repeated header's values are joined by commas."""
        return header_value(self.headers, name)


def header_value(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    """The value of a header by its lower-case name; a repeated header's values are joined by commas."""
    values = None
    for key, value in headers:
        if key == name:
            values = value if values is None else f"{values}, {value}"
    return values


def list_items(value: str | None) -> Iterator[str]:
    """The items of a header that is a comma-separated list, in lower case; nothing for None."""
    for item in (value or "").split(","):
        stripped = item.strip().lower()
        if stripped:
            yield stripped


def keeps_alive(version: str, headers: tuple[tuple[str, str], ...]) -> bool:
    """Whether the sender will use the connection again."""
    value = header_value(headers, "connection")
    if value is None:
        return version == "1.1"
    options = set(list_items(value))
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


#: What is longer than this is kept in pieces of at least the other length, in bytes.
_LONG, _SHORT = 16 * 1024, 4 * 1024


class ReceiveBuffer:
    """What has arrived and is not used yet. Holds no memory to speak of while it is empty.

    Long bodies are kept in the pieces in which they came. Growing one array for each of many bodies at the same time
    leaves holes of every size in the memory: measured, ten times as much as the bodies have.
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
        """Add what the peer sent."""
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
        """Have everything in one array."""
        if self._pieces:
            self._data += b"".join(self._pieces)
            self._pieces.clear()

    def skip_empty_lines(self) -> None:
        """Drop line ends before a message, which old clients send after a body."""
        if self._data.startswith((b"\r", b"\n")):
            self._merge()
            self._data = self._data.lstrip(b"\r\n")
            self._length = len(self._data)

    def starts_like(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether a pattern matches at the beginning."""
        return pattern.match(self._data) is not None

    def take_head(self, limit: int) -> bytes | None:
        """Everything up to and with the first empty line; None if there is none yet.

        `MessageError` if that is, or will be, more than `limit` bytes.
        """
        self._merge()
        # A bare line feed ends a line here, so that a head with bare line feeds is refused now, not after a deadline.
        found = _EMPTY_LINE.search(self._data, max(0, self._searched - 2))
        if (found.end() if found else len(self._data) + 1) > limit:
            raise MessageError(f"the head has more than {limit} bytes", 431)
        if found is None:
            self._searched = len(self._data)
            return None
        return self.take(found.end())

    def take(self, size: int) -> bytes:
        """The first `size` bytes, which must have arrived."""
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
        """Everything that has arrived."""
        return self.take(self._length)


_EMPTY_LINE = re.compile(rb"\n\r?\n")


class _HeadCollector:
    """Gathers what the C parser says about a head.

    It does not know the parser: the two would keep each other alive until the garbage collector finds them.
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
        pass  # an upgrade is an offer, and CONNECT a method: both are for the caller to decline
    except HttpParserInvalidMethodError as err:
        raise MessageError(f"the method is not known: {raw[:40]!r}", 501) from err
    except HttpParserError as err:
        raise MessageError(f"the head is malformed: {err}") from err
    if not collector.complete:
        raise MessageError("the head is malformed: it has no end")


def parse_request_head(raw: bytes) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Method, target and headers of a head that ends with its empty line."""
    collector = _HeadCollector()
    parser = HttpRequestParser(collector)
    _feed_head(parser, collector, raw)
    return parser.get_method().decode("ascii"), collector.target.decode("latin-1"), tuple(collector.headers)


def parse_response_head(raw: bytes) -> tuple[str, int, tuple[tuple[str, str], ...]]:
    """Version, status and headers of a head that ends with its empty line."""
    collector = _HeadCollector()
    parser = HttpResponseParser(collector)
    _feed_head(parser, collector, raw)
    return parser.get_http_version(), parser.get_status_code(), tuple(collector.headers)


class _BodyCollector:
    """Gathers the data of a chunked body.

    In a bytearray: a list of one-byte chunks would take fifty times their size.
    """

    __slots__ = ("complete", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.data += data

    def on_message_complete(self) -> None:
        self.complete = True


class ChunkedBody:
    """One chunked body in the making."""

    __slots__ = ("_collector", "_limits", "_parser", "_received", "_tail")

    def __init__(self, limits: HTTPLimits) -> None:
        self._limits = limits
        self._collector = _BodyCollector()
        # A parser of its own with a head of its own: the peer's head may have told its parser to expect an upgrade.
        self._parser = HttpRequestParser(self._collector)
        self._parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._received = 0
        self._tail = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Take more of the body; the whole body and what follows it once it is complete, else None.

        `MessageError` if it is malformed or larger than the limits.
        """
        window = self._tail + data
        view = memoryview(window)
        fed = len(self._tail)
        search_from = 0
        while fed < len(window):
            line = window.find(b"\r\n\r\n", search_from)
            # The end cannot overlap with what was found before: the last line before it is not empty.
            search_from = end = len(window) if line < 0 else line + 4
            self._feed_piece(view[fed:end])
            fed = end
            if self._collector.complete:
                return bytes(self._collector.data), window[end:]
        self._tail = window[-3:]
        return None

    def _feed_piece(self, piece: memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except (HttpParserError, HttpParserUpgrade) as err:
            raise MessageError(f"the chunked body is malformed: {err}") from err
        size = len(self._collector.data)
        if size > self._limits.body_bytes:
            raise MessageError(f"the body has more than {self._limits.body_bytes} bytes", 413)
        self._received += len(piece)
        if self._received - size > self._limits.framing_bytes + size:
            raise MessageError("the chunked body consists mostly of chunk sizes, extensions or trailers")
