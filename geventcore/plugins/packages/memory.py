"""Giving memory back to the operating system."""

from __future__ import annotations

import ctypes
import time


def release_memory() -> None:
    """Return free pages of the heap, where the C library is glibc or another one that can.

    The trees of configurations with thousands of packages leave holes that are in nobody's use for a long time. It
    takes a millisecond.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return
    trim(0)


class MemoryRelease:
    """Releases memory while clients are served, at most once in some seconds."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds
        self._next = 0.0

    def run_if_due(self) -> None:
        """Release memory, unless that was done a short time ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._pause_seconds
            release_memory()
