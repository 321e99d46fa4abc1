"""The options of the gevent core.

They stand apart from the core so that they can be shown and checked where gevent is not patched in.
"""

from __future__ import annotations

import os
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

WORKERS = Option(
    "gevent",
    "workers",
    types.integer(1),
    len(os.sched_getaffinity(0)),
    "How many processes serve clients; by default as many as there are processors.\n\n"
    "They are forked when the repository is loaded and share its memory. One that dies is replaced.",
)

WORKER_TIMEOUT = Option(
    "gevent",
    "worker_timeout",
    types.FLOAT,
    300.0,
    "How long a worker may be stuck in one piece of code before it is ended and replaced, in seconds.\n\n"
    "Only code that does not let others run can do that, such as a plugin that computes for long. There is nobody to "
    "replace a worker if it is the only one.",
)

#: All of them, in the order of the manual.
GEVENT_OPTIONS: tuple[Option[Any], ...] = (WORKERS, WORKER_TIMEOUT, POOL_SIZE, MAX_RENDERS)
