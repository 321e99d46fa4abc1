"""The options of the gevent core.

They stand apart from the core so that they can be shown and checked where gevent is not patched in.
"""

from __future__ import annotations

from typing import Any

from geventcore.options import types
from geventcore.options.option import Option

POOL_SIZE = Option(
    "gevent",
    "pool_size",
    types.integer(1),
    4096,
    "How many connections are served at once; further ones wait in the kernel's queue.\n\n"
    "Each costs some 50 KB of memory, and its request's data while it is answered.",
)

MAX_RENDERS = Option(
    "gevent",
    "max_renders",
    types.integer(1),
    8,
    "How many configurations are built at once; further requests for one wait their turn.\n\n"
    "Building is work for the processor, so more at once are not faster: they only take the memory of as many "
    "half-built configurations. Builds that wait for something else, as a plugin may, do not count.",
)

#: All of them, in the order of the manual.
GEVENT_OPTIONS: tuple[Option[Any], ...] = (POOL_SIZE, MAX_RENDERS)
