"""The driver of a conversation for cores in which a connection has a thread or greenlet of its own.

Each phase has a deadline, so a silent or slow client takes one thread or greenlet and delays nobody else. A core that
has more connections than it can work for at once makes requests wait by `Limits`. That time does not count against the
client.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from geventcore.deadline_clock import now
from geventcore.rpc.conversation import Close, Conversation, Phase, Read, Run, Write

#: Reads while waiting are small, so that thousands of idle connections hold no large buffers; a body is read in
#: pieces of a TLS record's size, more than which OpenSSL never has at hand.
READ_BYTES = 16384


class Stream(Protocol):
    """A connection's bytes, in the clear.

    Deadlines are moments of `geventcore.deadline_clock.now`. Both methods raise `TimeoutError` when one passes.
    """

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        """Return at least one byte, or ``b""`` at the end."""

    def send_all(self, data: Sequence[bytes], deadline: float) -> None:
        """Send all the buffers."""


#: After this time without data in a body, in seconds, `Limits.stalled` is called.
STALL_SECONDS = 1.0


class Limits(Protocol):
    """The limits that the requests of one connection wait for."""

    def before_body(self, received: int, expected: int, held: int) -> None:
        """Wait until more of a body may be read.

        `received` bytes of it have been read, `expected` will have been read in the end, and what is kept of those
        takes `held` bytes of memory.
        """

    def stalled(self, held: int) -> None:
        """Note that the client has stopped sending in the middle of a body; called again each second."""

    def working(self, call: str) -> AbstractContextManager[None]:
        """Return a block that answers a call of this method. Entering it waits until that may begin."""

    def sending(self, size: int, deadline: float) -> AbstractContextManager[None]:
        """Return a block that sends a response of so many bytes."""


class NoLimits:
    """No limits, for cores that limit connections instead."""

    def before_body(self, received: int, expected: int, held: int) -> None:
        """See `Limits`."""

    def stalled(self, held: int) -> None:
        """See `Limits`."""

    def working(self, call: str) -> AbstractContextManager[None]:
        """See `Limits`."""
        return nullcontext()

    def sending(self, size: int, deadline: float) -> AbstractContextManager[None]:
        """See `Limits`."""
        return nullcontext()


NO_LIMITS = NoLimits()


@dataclass(frozen=True)
class Deadlines:
    """The longest duration of each phase of a connection, in seconds.

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


#: A piece of a request with fewer bytes is tiny: no network cuts so small.
TINY_BYTES = 64
#: The number of tiny pieces in a row that are read as they come.
TINY_PIECES = 4
#: The pause after each further tiny piece, at first and at most, in seconds.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


class SlowSenderThrottle:
    """Reads rarely from a client that sends a few bytes at a time, since waking up for each piece costs most.

    After some tiny pieces it pauses before each further read, so that data gathers.
    """

    def __init__(self) -> None:
        self._pieces = 0

    def complete(self, data: bytes, stream: Stream, deadline: float) -> bytes:
        """Return a received piece, and after a pause what else has come."""
        if len(data) >= TINY_BYTES or not data:
            self._pieces = 0
            return data
        self._pieces += 1
        if self._pieces <= TINY_PIECES:
            return data
        pause = FIRST_PAUSE_SECONDS * 2.0 ** min(self._pieces - TINY_PIECES - 1, 10)
        time.sleep(max(0.0, min(pause, LONGEST_PAUSE_SECONDS, deadline - now())))
        pieces = [data]
        size = len(data)
        while size < READ_BYTES:
            try:
                # Each piece may be a record of TLS, and only one is read at once.
                piece = stream.receive(READ_BYTES, 0.0)
            except TimeoutError:
                break
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)


class _PhaseDeadline:
    """The deadline of the current phase. It begins with the phase, not with each read."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._seconds = {Phase.IDLE: deadlines.idle, Phase.HEAD: deadlines.head, Phase.BODY: deadlines.body}
        self._phase: Phase | None = None
        self._deadline = 0.0

    def deadline(self, phase: Phase) -> float:
        if phase is not self._phase:
            self._phase = phase
            self._deadline = now() + self._seconds[phase]
        return self._deadline

    def extend(self, phase: Phase, seconds: float) -> None:
        """Move the deadline by a time for which the server made the client wait."""
        if phase is self._phase:
            self._deadline += seconds

    def reset(self) -> None:
        self._phase = None


def drive(conversation: Conversation, stream: Stream, deadlines: Deadlines, limits: Limits = NO_LIMITS) -> None:
    """Carry a conversation to its end.

    Raises what the stream raises, `TimeoutError` for a client that reads too slowly.
    """
    clock = _PhaseDeadline(deadlines)
    throttle = SlowSenderThrottle()
    while True:
        step = conversation.next_step()
        if isinstance(step, Read):
            try:
                if step.phase is Phase.BODY:
                    data = _receive_body(step, stream, clock, limits)
                else:
                    data = stream.receive(READ_BYTES, clock.deadline(step.phase))
            except TimeoutError:
                conversation.timed_out(step.phase)
            else:
                if step.phase is not Phase.IDLE:
                    data = throttle.complete(data, stream, clock.deadline(step.phase))
                conversation.receive_data(data)
        elif isinstance(step, Run):
            if step.call:
                with limits.working(step.call):
                    step.work()
            else:
                step.work()
        elif isinstance(step, Write):
            deadline = now() + deadlines.write
            with limits.sending(sum(map(len, step.buffers)), deadline):
                try:
                    stream.send_all(step.buffers, deadline)
                except TimeoutError:
                    raise TimeoutError("timed out waiting for the client to read its answer") from None
            clock.reset()
        elif isinstance(step, Close):
            return


def _receive_body(step: Read, stream: Stream, clock: _PhaseDeadline, limits: Limits) -> bytes:
    began = now()
    limits.before_body(step.received, step.expected, step.held)
    allowed = now()
    clock.extend(step.phase, allowed - began)
    deadline = clock.deadline(step.phase)
    while (look_at := now() + STALL_SECONDS) < deadline:
        try:
            return stream.receive(READ_BYTES, look_at)
        except TimeoutError:
            limits.stalled(step.held)
    return stream.receive(READ_BYTES, deadline)
