"""The greenlets of this process and their stack frames."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import FrameType

from greenlet import getcurrent, greenlet


def running_greenlets() -> Iterator[tuple[str, FrameType | None]]:
    """Name and frame of all other greenlets. It takes some milliseconds: the garbage collector finds them."""
    current = getcurrent()
    for found in gc.get_objects():
        if isinstance(found, greenlet) and found is not current and not found.dead:
            name = getattr(found, "name", None)
            yield str(name or type(found).__name__), found.gr_frame
