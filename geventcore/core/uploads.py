"""The memory for what clients send: a budget of a process, and one connection's part of it.

A small body is read at once. A large one waits for room, and until then it stays in the kernel's buffers, which hold
the client back. Room is taken for the expected length first. What is kept of a body may take more, since a parsed
document is larger than its text. If the budget is used up then, one connection at a time goes on, whatever it takes,
and the others wait before they read on. One body is always read, so bodies that are half there do not wait for each
other.

A client that stops sending, or sends slowly while others wait, gives the unused room back. It keeps what it has sent.
If such clients hold more than twice the budget, and others wait, those that have been silent for long are cut off.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from geventcore.core.fair_queue import FairQueue
from geventcore.deadline_clock import now
from geventcore.rpc.blocking_driver import NO_LIMITS, STALL_SECONDS

#: A body up to this size does not count: a TLS connection takes about as much anyway.
SMALL_BODY_BYTES = 16 * 1024
#: A client that sends less than this while others wait for room gives its unused room back.
SLOW_BYTES_PER_SECOND = 16 * 1024
#: Room is taken in steps of this size for what a document takes beyond the expected length.
GROWTH_BYTES = 1024 * 1024


#: Clients that have stopped sending may hold this much of the budget, as a factor, before one is cut off.
MOST_OVERUSE = 2
#: How long a client is silent before it is cut off for that, in seconds. Only a broken network delays packets so long.
SILENT_SECONDS = 10.0
CUT_OFF = "the client was too slow with its request, and others waited for the memory"


class Holder(Protocol):
    """A connection that holds room without reading."""

    def cut_off(self) -> None:
        """End the connection, soon."""


class Event(Protocol):
    """An event that a connection waits for."""

    def set(self) -> None:
        """Let it go on."""

    def is_set(self) -> bool:
        """Return true if it may go on."""

    def wait(self) -> Any:
        """Wait until then."""


class LoopEvent:
    """An event for cores whose event loop calls back.

    Attributes:
        on_set: called when it is set.
    """

    def __init__(self) -> None:
        self._is_set = False
        self.on_set: Callable[[], None] = lambda: None

    def set(self) -> None:
        """See `Event.set`."""
        self._is_set = True
        self.on_set()

    def is_set(self) -> bool:
        """See `Event.is_set`."""
        return self._is_set

    def wait(self) -> None:
        """See `Event.wait`; an event loop must not call it."""
        raise RuntimeError("an event loop cannot wait")


@dataclass(eq=False)
class Turn:
    """A connection in the queue.

    Attributes:
        size: bytes that it asks for.
        event: set when it gets them.
        held: bytes that it has already.
        cancel: called instead of waiting until then; gives back what it has got.
        finish: called when the event is set, by who has waited.
    """

    size: int
    event: Event
    held: int = 0
    cancel: Callable[[], None] = lambda: None
    finish: Callable[[], None] = lambda: None

    def wait(self) -> None:
        """Wait for it in a thread or greenlet."""
        try:
            self.event.wait()
        except BaseException:
            self.cancel()
            raise
        self.finish()


class UploadBudget:
    """Bytes of large bodies, or of the documents that they become, that may be in memory."""

    def __init__(
        self,
        size: int,
        new_event: Callable[[], Event] = threading.Event,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """`new_event` and `lock` are those of threads, unless the core has others."""
        self._size = size
        self._new_event = new_event
        self._lock = threading.Lock() if lock is None else lock
        self._queue: FairQueue[Turn] = FairQueue()
        self._next: Turn | None = None
        self._used = 0
        self._readers = 0
        # The one that may exceed the budget, and those that wait to do so.
        self._growing: object = None
        self._want_to_grow: deque[tuple[object, Turn]] = deque()
        # Those that hold room without reading, longest first: silent ones, and those that wait to read on.
        self._silent: dict[Holder, int] = {}
        self._silent_since: dict[Holder, float] = {}
        self._suspended: dict[Turn, str] = {}
        self._idle = 0
        # At most one is cut off at a time: it gives back its room a little later.
        self._leaving: Holder | None = None

    @property
    def used(self) -> int:
        """Bytes that are in memory or may be read at any time."""
        return self._used

    @property
    def waiting(self) -> int:
        """The number of connections that wait for room."""
        return len(self._queue) + (self._next is not None) + len(self._want_to_grow)

    @property
    def share(self) -> int:
        """The most bytes that a body waits for at first; a larger one takes more while it is read."""
        return self._size // 4

    def begin(self, address: str, size: int, urgent: bool) -> None:
        """Wait for room for a body."""
        turn = self.ask_to_begin(address, size, urgent)
        if turn is not None:
            turn.wait()

    def ask_to_begin(self, address: str, size: int, urgent: bool, held: int = 0) -> Turn | None:
        """Ask for room for a body, or for the rest of one that holds some; None if there is room at once."""
        turn = Turn(size, self._new_event(), held)
        with self._locked():
            if not self._queue and self._next is None and self._may_begin(turn):
                self._take(size)
                return None
            turn.cancel = lambda: self._leave_queue(address, turn)
            self._queue.add(address, turn, urgent)
            if held:
                self._suspended[turn] = address
                self._idle += held
            self._let_go_on()
        return turn

    def _leave_queue(self, address: str, turn: Turn) -> None:
        with self._locked():
            if turn.event.is_set():
                self._end(turn.size)
                return
            self._resume(turn)
            if turn is self._next:
                self._next = None
                self._let_go_on()
            else:
                self._queue.remove(address, turn)

    def _resume(self, turn: Turn) -> str:
        """Stop counting what a connection holds that waits to read on. Returns its address, if it did."""
        address = self._suspended.pop(turn, "")
        if address:
            self._idle -= turn.held
        return address

    def hold(self, holder: Holder, size: int) -> None:
        """Note that a connection holds so many bytes of room and reads nothing, so that it can be cut off."""
        with self._locked():
            self._silent[holder] = size
            self._silent_since[holder] = now()
            self._idle += size

    def still_silent(self) -> None:
        """Look whether somebody has been silent for long enough; called from time to time by those who are."""
        with self._locked():
            self._let_go_on()

    def _drop_silent(self, holder: Holder) -> None:
        if holder in self._silent:
            self._idle -= self._silent.pop(holder)
            del self._silent_since[holder]

    def release(self, holder: Holder) -> None:
        """Note that a connection reads on, or holds nothing more."""
        with self._lock:
            self._drop_silent(holder)

    def extend(self, size: int) -> None:
        """Take more room, without waiting, for a body whose length was not known."""
        with self._lock:
            self._used += size

    def ask_to_grow(self, owner: object, size: int) -> Turn | None:
        """Ask for more room for what a body has become; None if there is room at once.

        The owner goes on reading then, and calls `stop_growing`.
        """
        with self._locked():
            if self._growing is None and self._used + size > self._size:
                self._growing = owner
            if self._growing is owner or self._used + size <= self._size:
                self._used += size
                if self._idle > MOST_OVERUSE * self._size:
                    self._cut_off_one()
                return None
            turn = Turn(size, self._new_event())
            turn.cancel = lambda: self._grow_no_more(owner, turn)
            self._want_to_grow.append((owner, turn))
            return turn

    def _grow_no_more(self, owner: object, turn: Turn) -> None:
        with self._lock:
            if turn.event.is_set():
                self._used -= turn.size
            else:
                self._want_to_grow.remove((owner, turn))

    def stop_growing(self, owner: object) -> None:
        """Let the next one exceed the budget. Does nothing if another one does."""
        with self._lock:
            if self._growing is not owner:
                return
            self._growing = None
            if self._want_to_grow:
                self._growing, waiting = self._want_to_grow.popleft()
                self._used += waiting.size
                waiting.event.set()

    def end(self, size: int) -> None:
        """Stop reading, for a while or for good, and give room back."""
        with self._locked():
            self._end(size)

    def forget(self, holder: Holder) -> None:
        """Note that a connection holds nothing more."""
        with self._locked():
            self._drop_silent(holder)
            if self._leaving is holder:
                self._leaving = None

    def give_back(self, size: int) -> None:
        """Give room back."""
        with self._locked():
            self._give_back(size)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Change the budget, then end the connection that is to be cut off."""
        with self._lock:
            before = self._leaving
            yield
            leaving = self._leaving
        if leaving is not before and leaving is not None:
            leaving.cut_off()

    def _cut_off_one(self) -> None:
        """Let go the one that has been silent for longest, if that is long enough."""
        if self._leaving is not None:
            return
        holder = next(iter(self._silent), None)
        if holder is not None and now() - self._silent_since[holder] >= SILENT_SECONDS:
            self._drop_silent(holder)
            self._leaving = holder

    def _end(self, size: int) -> None:
        self._readers -= 1
        self._give_back(size)

    def _give_back(self, size: int) -> None:
        self._used -= size
        self._let_go_on()

    def _let_go_on(self) -> None:
        while True:
            if self._next is None:
                self._next = self._queue.take()
            # Nothing overtakes the next one: a large body would never get its turn.
            if self._next is None:
                return
            if not self._may_begin(self._next):
                if not self._readers:
                    self._cut_off_one()
                return
            waiting, self._next = self._next, None
            self._resume(waiting)
            self._take(waiting.size)
            waiting.event.set()

    def _may_begin(self, turn: Turn) -> bool:
        if self._used + turn.size <= self._size:
            return True
        held_by_others = self._idle - (turn.held if turn in self._suspended else 0)
        if self._readers:
            return False
        # Those that wait to read on are not slow. They are served even if they hold too much already.
        return held_by_others <= MOST_OVERUSE * self._size or not (self._silent or self._leaving)

    def _take(self, size: int) -> None:
        self._used += size
        self._readers += 1


def _granted(turn: Turn | None, finish: Callable[[], None]) -> Turn | None:
    """Call `finish` at once, or at the end of the wait."""
    if turn is None:
        finish()
    else:
        turn.finish = finish
    return turn


class UploadRoom:
    """One connection's part of the budget."""

    def __init__(self, budget: UploadBudget, address: str, cut_off: Callable[[], None]) -> None:
        """`cut_off` ends the connection soon, which then calls `close`; it may be called from any thread."""
        self._budget = budget
        self._address = address
        self.cut_off = cut_off
        self._room = 0
        self._is_reading = False
        self._seen = 0
        self._seen_at = 0.0

    def before_body(self, received: int, expected: int, held: int) -> None:
        """Wait until more of a body may be read; see `geventcore.rpc.blocking_driver.Limits`."""
        turn = self.ask(received, expected, held)
        if turn is not None:
            turn.wait()

    def ask(self, received: int, expected: int, held: int) -> Turn | None:
        """Ask for room to read more of a body, as `before_body`; None if it may be read at once."""
        wanted = min(expected, self._budget.share)
        if self._is_reading and self._is_slow(received):
            self.stalled(held)
        if self._is_reading:
            if wanted > self._room:
                self._budget.extend(wanted - self._room)
                self._room = wanted
            if held > self._room:
                growth = held - self._room + GROWTH_BYTES
                return _granted(self._budget.ask_to_grow(self, growth), lambda: self._have_grown(growth))
        elif max(expected, held) > SMALL_BODY_BYTES:
            room = max(wanted, held, self._room)
            self._budget.release(self)
            turn = self._budget.ask_to_begin(
                self._address, room - self._room, received > SMALL_BODY_BYTES, held=self._room
            )
            return _granted(turn, lambda: self._have_begun(room, received))
        return None

    def _have_grown(self, size: int) -> None:
        self._room += size

    def _have_begun(self, room: int, received: int) -> None:
        self._room = room
        self._is_reading = True
        self._seen, self._seen_at = received, now()

    def _is_slow(self, received: int) -> bool:
        """Return true if little has come since the last look, while others waited for room."""
        moment = now()
        elapsed, progress = moment - self._seen_at, received - self._seen
        if elapsed < STALL_SECONDS:
            return False
        self._seen, self._seen_at = received, moment
        return self._budget.waiting > 0 and progress < SLOW_BYTES_PER_SECOND * elapsed

    def stalled(self, held: int) -> None:
        """Give back the room that a client which has stopped sending does not use; called again and again."""
        if not self._is_reading:
            self._budget.still_silent()
        else:
            self._is_reading = False
            kept = min(self._room, held)
            unused, self._room = self._room - kept, kept
            self._budget.stop_growing(self)
            if kept:
                self._budget.hold(self, kept)
            self._budget.end(unused)

    def close(self) -> None:
        """Give everything back."""
        room, self._room = self._room, 0
        self._budget.stop_growing(self)
        if self._is_reading or room:
            self._budget.forget(self)
        if self._is_reading:
            self._is_reading = False
            self._budget.end(room)
        elif room:
            self._budget.give_back(room)


class ThreadLimits:
    """The limits of a connection that has a thread: `geventcore.rpc.blocking_driver.Limits`.

    As a context it gives back at the end what the connection has taken.
    """

    def __init__(self, budget: UploadBudget, address: str, cut_off: Callable[[], None]) -> None:
        """See `UploadRoom`."""
        self._room = UploadRoom(budget, address, cut_off)
        self.before_body = self._room.before_body
        self.stalled = self._room.stalled
        self.sending = NO_LIMITS.sending

    def working(self, call: str) -> AbstractContextManager[None]:
        """Return a block at whose end the room of the body is given back."""
        return _Working(self._room)

    def __enter__(self) -> ThreadLimits:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.close()


class _Working:
    def __init__(self, room: UploadRoom) -> None:
        self._room = room

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._room.close()
