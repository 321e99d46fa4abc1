"""The stacks of everything that runs in this process, as text. Equal stacks are shown once."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable
from types import FrameType

#: How many names are listed for one stack.
MAX_NAMES = 10


def describe_threads() -> str:
    """The stacks of all threads."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()
    return describe_frames((names.get(ident, f"thread {ident}"), frame) for ident, frame in frames.items())


def describe_frames(named: Iterable[tuple[str, FrameType | None]]) -> str:
    """The stacks of named frames, the most frequent ones first; equal stacks once, under all their names."""
    names: dict[str, list[str]] = {}
    for name, frame in named:
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "  not started yet, or at its end\n"
        names.setdefault(stack, []).append(name)
    parts = []
    for stack, found in sorted(names.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(sorted(found)[:MAX_NAMES]) + (", …" if len(found) > MAX_NAMES else "")
        parts.append(f"{len(found)} at this place: {shown}\n{stack}")
    return "\n".join(parts)
