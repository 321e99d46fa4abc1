"""The driver of a conversation for cores in which a connection has a thread or greenlet of its own.

Each phase has a deadline, so that a silent or slow client costs one thread or greenlet and never anyone else's time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from geventcore.rpc.conversation import Close, Conversation, Phase, Read, Run, Write

#: Reads while waiting are small, so that thousands of idle connections hold no large buffers; a body is read in
#: pieces of a TLS record's size, more than which OpenSSL never has at hand.
READ_BYTES = 16384


class Stream(Protocol):
    """A connection's bytes, in the clear. Deadlines are on `time.monotonic`'s clock; passing one is `TimeoutError`."""

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        """At least one byte, or ``b""`` at the end."""

    def send_all(self, data: Sequence[bytes], deadline: float) -> None:
        """Send all the buffers."""


@dataclass(frozen=True)
class Deadlines:
    """How long each phase of a connection may last, in seconds.

    Attributes:
        handshake: from the acceptance to the end of the TLS handshake.
        idle: from one answer to the first byte of the next request.
        head: from the first byte of a request to the end of its head.
        body: from the end of the head to the end of the body.
        write: for sending an answer.
    """

    handshake: float = 30.0
    idle: float = 15.0
    head: float = 30.0
    body: float = 90.0
    write: float = 90.0


class _PhaseClock:
    """The deadline of the current phase: it begins when the phase does, not at every read."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._seconds = {Phase.IDLE: deadlines.idle, Phase.HEAD: deadlines.head, Phase.BODY: deadlines.body}
        self._phase: Phase | None = None
        self._deadline = 0.0

    def deadline(self, phase: Phase) -> float:
        if phase is not self._phase:
            self._phase = phase
            self._deadline = time.monotonic() + self._seconds[phase]
        return self._deadline

    def reset(self) -> None:
        self._phase = None


def drive(conversation: Conversation, stream: Stream, deadlines: Deadlines) -> None:
    """Carry a conversation through to its end. Raises what the stream raises, `TimeoutError` for a slow reader."""
    clock = _PhaseClock(deadlines)
    while True:
        step = conversation.next_step()
        if isinstance(step, Read):
            try:
                conversation.receive_data(stream.receive(READ_BYTES, clock.deadline(step.phase)))
            except TimeoutError:
                conversation.timed_out(step.phase)
        elif isinstance(step, Run):
            step.work()
        elif isinstance(step, Write):
            stream.send_all(step.buffers, time.monotonic() + deadlines.write)
            clock.reset()
        elif isinstance(step, Close):
            return
