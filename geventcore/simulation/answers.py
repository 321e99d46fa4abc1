"""One HTTP answer, read as it comes in, without a parser: clients of a load have no time for one."""

from __future__ import annotations

import re
import zlib

_HEAD_LIMIT_BYTES = 64 * 1024
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_GZIP = re.compile(rb"\r\ncontent-encoding:[^\r]*gzip", re.IGNORECASE)


class AttemptFailed(Exception):
    """One attempt of a call failed; the text is the kind of error, the same for all of its kind."""


class Answer:
    """One HTTP answer."""

    __slots__ = ("_chunked", "_data", "_expected", "_gzip", "_head_end")

    def __init__(self) -> None:
        self._data = bytearray()
        self._head_end = 0
        self._expected: int | None = None
        self._chunked = self._gzip = False

    @property
    def size(self) -> int:
        """Number of bytes received."""
        return len(self._data)

    def receive(self, data: memoryview) -> bool:
        """Take the next bytes; return true if the answer is complete."""
        self._data += data
        if not self._head_end:
            self._read_head()
            if not self._head_end:
                return False
        if self._expected is not None:
            return len(self._data) >= self._expected
        return self._chunked and self._data.endswith(b"0\r\n\r\n")

    def end(self) -> None:
        """Note that the server has closed; `AttemptFailed` if something is missing."""
        if not self._data:
            raise AttemptFailed("the server closed the connection without an answer")
        if not self._head_end:
            raise AttemptFailed("the server closed the connection in the head of its answer")
        if self._expected is not None or self._chunked:
            raise AttemptFailed("the server closed the connection in the body of its answer")

    def body(self) -> bytes | bytearray:
        """Return the body of a complete answer; `AttemptFailed` if its status is not 200 or it is damaged."""
        status = self._data[9:12].decode("latin-1")
        if status != "200":
            raise AttemptFailed(f"HTTP status {status}")
        body: bytes | bytearray = self._data[self._head_end :]
        if not (self._chunked or self._gzip):
            return body
        try:
            if self._chunked:
                body = _dechunk(bytes(body))
            return zlib.decompress(body, 16 + zlib.MAX_WBITS) if self._gzip else body
        except (ValueError, zlib.error) as error:
            raise AttemptFailed("the body of the answer is damaged") from error

    def _read_head(self) -> None:
        end = self._data.find(b"\r\n\r\n", 0, _HEAD_LIMIT_BYTES)
        if end < 0:
            if len(self._data) > _HEAD_LIMIT_BYTES:
                raise AttemptFailed("the answer is not HTTP")
            return
        if not self._data.startswith(b"HTTP/1."):
            raise AttemptFailed("the answer is not HTTP")
        self._head_end = end + 4
        length = _CONTENT_LENGTH.search(self._data, 0, end)
        if length is not None:
            self._expected = self._head_end + int(length[1])
        self._chunked = length is None and _CHUNKED.search(self._data, 0, end) is not None
        self._gzip = _GZIP.search(self._data, 0, end) is not None


def _dechunk(body: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.index(b"\r\n", position)
        size = int(body[position:end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        position = end + 4 + size
