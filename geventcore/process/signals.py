"""Signals, for every core alike.

A handler only notes the signal, so that nothing happens between two arbitrary instructions. The kernel may give a
signal to any thread, but only the main thread runs Python's handlers, and only when it executes Python. So what wakes
the main loop is a pipe that Python writes to at once, in whatever thread. Waiting goes through the standard library's
``select``, which a core may have made cooperative.

A process that is forked gets a pipe of its own before any signal can reach it: see `SignalQueue.fork`.
"""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from collections.abc import Callable
from types import FrameType

#: What a server reacts to.
TERMINATING = (signal.SIGTERM, signal.SIGINT)
RELOADING = signal.SIGHUP
REOPENING_LOGS = signal.SIGUSR1
#: Another process serves in the place of this server, which ends and leaves its files to that one.
REPLACED = signal.SIGUSR2
_CAUGHT = (*TERMINATING, RELOADING, REOPENING_LOGS, REPLACED)


class SignalQueue:
    """Signals in the order of their arrival, and a way to wake whoever waits for them."""

    def __init__(self) -> None:
        self._open()
        self._received: deque[int] = deque()
        self._previous: dict[int, object] = {}
        self._previous_wakeup = -1

    def _open(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def install(self) -> None:
        """Catch the signals; only in the main thread."""
        for number in _CAUGHT:
            self._previous[number] = signal.signal(number, self._note)
        self._previous_wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        if self._previous:
            signal.set_wakeup_fd(self._previous_wakeup)
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned
        self._previous.clear()

    def fork(self, fork: Callable[[], int]) -> int:
        """Call `fork`, which returns what `os.fork` does, in a process that has installed this; returns the same.

        A signal that is sent to either process meanwhile waits in the kernel, and is then noted by that process. What
        was noted before stays with the parent.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _CAUGHT)
        try:
            pid = fork()
            if pid == 0:
                self._received.clear()
                self.close()
                self._open()
                signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received.append(number)
        self.wake()

    def wake(self) -> None:
        """Have `wait` return; may be called from anywhere."""
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:
            # The pipe is full, so the waiter wakes up anyway.
            return

    def wait(self, timeout: float | None = None) -> int | None:
        """The next signal, or None if `wake` was called or `timeout` seconds have passed."""
        if not self._received:
            select.select([self._read], [], [], timeout)
        return self.take()

    def take(self) -> int | None:
        """The next signal, or None if there is none; never waits."""
        if not self._received:
            try:
                os.read(self._read, 4096)
            except BlockingIOError:
                return None
        return self._received.popleft() if self._received else None

    @property
    def is_told_to_end(self) -> bool:
        """True if a signal that ends a server was received and not taken yet."""
        return any(number in (*TERMINATING, REPLACED) for number in self._received)

    def fileno(self) -> int:
        """The file descriptor that becomes readable when there may be a signal."""
        return self._read

    def close(self) -> None:
        """Free the pipe."""
        os.close(self._read)
        os.close(self._write)
