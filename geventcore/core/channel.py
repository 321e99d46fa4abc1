"""Messages between processes: a JSON head and a body of bytes, each with its length, over one end of a socket pair."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!Q")


class Channel:
    """One end of a socket pair that carries messages."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send one message; `OSError` if the other end is gone."""
        encoded = json.dumps(head).encode("utf-8")
        self._sock.sendall(_LENGTH.pack(len(encoded)) + _LENGTH.pack(len(body)) + encoded + body)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next message; `EOFError` if the other end is gone."""
        lengths = self._exactly(2 * _LENGTH.size)
        head_length, body_length = struct.unpack("!QQ", lengths)
        head: dict[str, Any] = json.loads(self._exactly(head_length))
        return head, self._exactly(body_length)

    def _exactly(self, length: int) -> bytes:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            try:
                count = self._sock.recv_into(view)
            except OSError as err:
                raise EOFError(str(err)) from err
            if not count:
                raise EOFError("the other end is gone")
            view = view[count:]
        return bytes(data)

    def close(self) -> None:
        """End the channel."""
        self._sock.close()
