"""Frames: the messages between the master of a server and its workers, each a kind, a number and a payload.

On the socket, a frame is its kind (1 byte), sender, number and length of the payload (4 bytes each, in network order),
then the payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

_HEAD = struct.Struct("!BIII")


class Kind(IntEnum):
    """The kinds of frames.

    A worker sends TELL with a topic and a message, and gets DONE with a list of answers; it sends ANSWER for each TELL
    that it gets. GONE tells that another worker has ended, perhaps before it broadcast a change. READY, RELOADED and
    ALIVE are about the worker itself; they and GONE have no payload.
    """

    TELL = 1
    ANSWER = 2
    DONE = 3
    READY = 4
    RELOADED = 5
    ALIVE = 6
    GONE = 7


class Frame:
    """One message.

    Attributes:
        kind: its kind.
        sender: the number of the worker that sent the TELL; set by the master.
        number: connects a TELL with its ANSWERs and its DONE; unique for a sender.
        payload: its content, as the kind demands.
    """

    __slots__ = ("kind", "number", "payload", "sender")

    def __init__(self, kind: Kind, sender: int = 0, number: int = 0, payload: bytes = b"") -> None:
        self.kind = kind
        self.sender = sender
        self.number = number
        self.payload = payload

    def encode(self) -> bytes:
        """Return the bytes for the socket."""
        return _HEAD.pack(self.kind, self.sender, self.number, len(self.payload)) + self.payload


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that these bytes complete."""
        self._data += data
        while len(self._data) >= _HEAD.size:
            kind, sender, number, length = _HEAD.unpack_from(self._data)
            end = _HEAD.size + length
            if len(self._data) < end:
                return
            payload = bytes(self._data[_HEAD.size : end])
            del self._data[:end]
            yield Frame(Kind(kind), sender, number, payload)
