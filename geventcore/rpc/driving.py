"""The driver of a conversation for cores in which a connection has a thread or greenlet of its own.

Each phase has a deadline, so that a silent or slow client costs one thread or greenlet and never anyone else's time. A
core that has more connections than it can work for at once says by an `Admission` when each may go on; that time is not
the client's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
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


#: How long nothing of a body may come before that is told to the `Admission`, in seconds.
STALL_SECONDS = 1.0


class Admission(Protocol):
    """Says when one connection may go on."""

    def before_body(self, received: int, expected: int) -> None:
        """Wait until more of a body may be read: so many bytes are there, so many may be in memory then."""

    def stalled(self, received: int) -> None:
        """The client has stopped sending in the middle of a body."""

    def working(self, call: str) -> AbstractContextManager[None]:
        """Entered to answer a call of this method; waits until that may begin."""

    def sending(self, size: int, deadline: float) -> AbstractContextManager[None]:
        """Entered to send so many bytes."""


class EveryoneAdmitted:
    """Nobody waits: for cores that bound their connections."""

    def before_body(self, received: int, expected: int) -> None:
        """See `Admission`."""

    def stalled(self, received: int) -> None:
        """See `Admission`."""

    def working(self, call: str) -> AbstractContextManager[None]:
        """See `Admission`."""
        return nullcontext()

    def sending(self, size: int, deadline: float) -> AbstractContextManager[None]:
        """See `Admission`."""
        return nullcontext()


EVERYONE_ADMITTED = EveryoneAdmitted()


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


#: A piece of a request is tiny if it has fewer bytes: no network cuts so small.
TINY_BYTES = 64
#: How many tiny pieces in a row are taken as they come.
TINY_PIECES = 4
#: How long pieces gather after that, at first and at most, in seconds.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


class _Dribble:
    """Somebody who sends a few bytes at a time: waking up for each of them costs more than all else that they cost.

    So after some of them what comes is left to gather for a while.
    """

    def __init__(self) -> None:
        self._pieces = 0

    def complete(self, data: bytes, stream: Stream, deadline: float) -> bytes:
        """A piece that was received, and what else has come after a pause if one was due."""
        if len(data) >= TINY_BYTES or not data:
            self._pieces = 0
            return data
        self._pieces += 1
        if self._pieces <= TINY_PIECES:
            return data
        pause = FIRST_PAUSE_SECONDS * 2.0 ** min(self._pieces - TINY_PIECES - 1, 10)
        time.sleep(max(0.0, min(pause, LONGEST_PAUSE_SECONDS, deadline - time.monotonic())))
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

    def extend(self, phase: Phase, seconds: float) -> None:
        """Do not count a time for which the client was made to wait."""
        if phase is self._phase:
            self._deadline += seconds

    def reset(self) -> None:
        self._phase = None


def drive(
    conversation: Conversation, stream: Stream, deadlines: Deadlines, admission: Admission = EVERYONE_ADMITTED
) -> None:
    """Carry a conversation through to its end. Raises what the stream raises, `TimeoutError` for a slow reader."""
    clock = _PhaseClock(deadlines)
    dribble = _Dribble()
    while True:
        step = conversation.next_step()
        if isinstance(step, Read):
            try:
                if step.phase is Phase.BODY:
                    data = _receive_body(step, stream, clock, admission)
                else:
                    data = stream.receive(READ_BYTES, clock.deadline(step.phase))
            except TimeoutError:
                conversation.timed_out(step.phase)
            else:
                if step.phase is not Phase.IDLE:
                    data = dribble.complete(data, stream, clock.deadline(step.phase))
                conversation.receive_data(data)
        elif isinstance(step, Run):
            if step.call:
                with admission.working(step.call):
                    step.work()
            else:
                step.work()
        elif isinstance(step, Write):
            deadline = time.monotonic() + deadlines.write
            with admission.sending(sum(map(len, step.buffers)), deadline):
                stream.send_all(step.buffers, deadline)
            clock.reset()
        elif isinstance(step, Close):
            return


def _receive_body(step: Read, stream: Stream, clock: _PhaseClock, admission: Admission) -> bytes:
    start = time.monotonic()
    admission.before_body(step.received, step.expected)
    now = time.monotonic()
    clock.extend(step.phase, now - start)
    deadline = clock.deadline(step.phase)
    if now + STALL_SECONDS < deadline:
        try:
            return stream.receive(READ_BYTES, now + STALL_SECONDS)
        except TimeoutError:
            admission.stalled(step.received)
    return stream.receive(READ_BYTES, deadline)
