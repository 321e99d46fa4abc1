"""Many writers, one commit.

Whoever writes while nobody else does carries out its function at once. Functions that come meanwhile wait, and the
first of them then carries out all that wait, one after the other. So a hundred clients that report at the same moment
cost a few commits, and a single one does not wait for others.

Nobody waits without end: carrying out is bounded in time by whoever does it, and a writer that is ended from outside
hands over what it has not done.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from geventcore.errors import StorageError
from geventcore.storage.announcements import Announcement

#: How many functions share a transaction at most: a longer one would keep other processes from writing.
BATCH_LIMIT = 100


class Write:
    """One function that wants to write, and what came of it.

    Attributes:
        function: takes the connection.
        announcements: what others shall hear when it is stored.
        since: when it came, in the seconds of `time.monotonic`.
        result: what the function returned.
        error: why nothing of it is stored, or None.
        is_done: whether `result` and `error` are final.
    """

    __slots__ = ("_event", "announcements", "error", "function", "is_done", "is_leader", "result", "since")

    def __init__(self, function: Callable[[Connection], Any], announcements: Sequence[Announcement] = ()) -> None:
        self.function = function
        self.announcements = announcements
        self.since = time.monotonic()
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self.is_leader = False
        self._event = threading.Event()

    def wait(self) -> None:
        """Return when it is done, or when it is this one's turn to do all."""
        self._event.wait()

    def wake(self) -> None:
        """End `wait`."""
        self._event.set()

    def finish(self, error: BaseException | None = None) -> None:
        """It is done; the result is kept only if there is no error."""
        self.error = error
        self.is_done = True


class GroupCommit:
    """Lets those who wait at the same time share a call of `carry_out`.

    `carry_out` finishes each of the writes that it is given, and does not raise for their failures.
    """

    def __init__(self, carry_out: Callable[[Sequence[Write]], None]) -> None:
        self._carry_out = carry_out
        self._lock = threading.Lock()
        self._waiting: deque[Write] = deque()
        self._is_busy = False

    def write(self, function: Callable[[Connection], Any], announcements: Sequence[Announcement] = ()) -> Any:
        """What `function` returned, when it is durable; raises why it is not."""
        write = Write(function, announcements)
        with self._lock:
            self._waiting.append(write)
            if not self._is_busy:
                self._is_busy = write.is_leader = True
        if not write.is_leader:
            write.wait()
        if not write.is_done:
            self._lead()
        if write.error is not None:
            raise write.error
        return write.result

    def _lead(self) -> None:
        """Carry out what waits. This one is the first of them."""
        # Greenlets and threads that are about to write can become part of the batch.
        time.sleep(0)
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_LIMIT))]
        try:
            self._carry_out(batch)
        finally:
            for write in batch:
                if not write.is_done:
                    write.finish(StorageError("the writing of this was interrupted"))
                write.wake()
            # After the others, some of whom may have something more to write, which can be part of the next batch.
            with self._lock:
                successor = self._waiting[0] if self._waiting else None
                self._is_busy = successor is not None
            if successor is not None:
                successor.wake()
