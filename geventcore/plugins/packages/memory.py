"""Giving memory back to the operating system."""

from __future__ import annotations

import ctypes


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
