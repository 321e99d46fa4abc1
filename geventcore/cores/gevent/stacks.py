"""Where the greenlets of this process stand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import FrameType

from greenlet import getcurrent, greenlet

from geventcore.core.stacks import describe_frames


def describe_greenlets() -> str:
    """The stacks of all greenlets. Finding them takes some milliseconds: the garbage collector knows where they are."""
    return describe_frames(_greenlets())


def _greenlets() -> Iterator[tuple[str, FrameType | None]]:
    current = getcurrent()
    for found in gc.get_objects():
        if isinstance(found, greenlet) and found is not current and not found.dead:
            name = getattr(found, "name", None)
            yield str(name or type(found).__name__), found.gr_frame
