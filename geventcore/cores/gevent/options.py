"""The options of the gevent core.

They stand apart from the core so that they can be shown and checked where gevent is not patched in.
"""

from __future__ import annotations

from typing import Any

from geventcore.options import types
from geventcore.options.option import Option

#: Nobody has as many processors; more would only be a typing error that keeps the machine busy.
MOST_WORKERS = 1024
#: Workers say every two seconds that they live, see `geventcore.workers.link.ALIVE_SECONDS`.
LEAST_WORKER_TIMEOUT = 3

WORKERS = Option(
    "gevent",
    "workers",
    types.automatic(types.integer(1, MOST_WORKERS)),
    None,
    "How many processes serve clients. With ``auto`` there are as many as processors, but only one if a plugin may "
    "keep what it learns from clients where other processes do not see it.\n\n"
    "They are forked when the repository is loaded and share its memory. One that dies is replaced. Plugins written "
    "for Bcfg2 count as such if they take probes or statistics, note clients' runs, or have threads or methods of "
    "their own; set a number if they store what they learn.",
    at_start=True,
)

WORKER_TIMEOUT = Option(
    "gevent",
    "worker_timeout",
    types.seconds(LEAST_WORKER_TIMEOUT),
    300.0,
    "How long a worker may be stuck in one piece of code before it is ended and replaced, in seconds.\n\n"
    "Only code that does not let others run can do that, such as a plugin that computes for long. There is nobody to "
    "replace a worker if it is the only one.",
)

MAX_CONNECTIONS = Option(
    "gevent",
    "max_connections",
    types.integer(1),
    20_000,
    "How many connections a process has open at once; further ones wait in the kernel's queue.\n\n"
    "Each costs some 35 KB of memory. If the limit on open files does not allow as many, there are fewer.",
    at_start=True,
)

POOL_SIZE = Option(
    "gevent",
    "pool_size",
    types.integer(1),
    1000,
    "How many requests a process works on at once; further ones wait for their turn.\n\n"
    "A request is worked on from when it has arrived until its answer is made, so slow and idle connections do not "
    "count. One address has half of the places at most.",
    at_start=True,
)

MAX_RENDERS = Option(
    "gevent",
    "max_renders",
    types.integer(1),
    8,
    "How many requests of a process compute at once; further ones wait for their turn.\n\n"
    "More at once are not faster: they only take the memory of as many half-built configurations. Requests that wait "
    "for something else, as a plugin may, do not count.",
    at_start=True,
)

MAX_HANDSHAKES = Option(
    "gevent",
    "max_handshakes",
    types.integer(1),
    4,
    "How many steps of TLS handshakes a process computes before it looks after requests that are under way.\n\n"
    "A step takes up to a millisecond, with an RSA key more. So this is how long a flood of new connections can hold "
    "up a request each time it wants to go on.",
    at_start=True,
)

UPLOAD_MEMORY = Option(
    "gevent",
    "upload_memory",
    types.size(64 << 10),
    "32m",
    "How much memory a process gives to what clients send. Requests above 16 KB wait until there is room for them.\n\n"
    "The documents that they become count with their own size. One request may take more, as far as [reporting] "
    "max_size and [probes] max_result_size allow.",
    at_start=True,
)

ANSWER_MEMORY = Option(
    "gevent",
    "answer_memory",
    types.size(64 << 10),
    "128m",
    "How much memory a process gives to answers that clients have not read yet.\n\n"
    "If it is used up, further requests wait, and those clients are cut off that read too slowly to end within "
    "[server] request_timeout.",
    at_start=True,
)

MAX_BLOCKING = Option(
    "gevent",
    "max_blocking",
    types.seconds(0.01, or_zero=True),
    0.5,
    "Warn if a piece of code does not let other requests go on for this time, in seconds; 0 does not.\n\n"
    "The warning names the plugin and the line. What it does belongs into PluginContext.offload, or needs breathe().",
    at_start=True,
)

#: All of them, in the order of the manual.
GEVENT_OPTIONS: tuple[Option[Any], ...] = (
    WORKERS,
    WORKER_TIMEOUT,
    MAX_CONNECTIONS,
    POOL_SIZE,
    MAX_RENDERS,
    MAX_HANDSHAKES,
    UPLOAD_MEMORY,
    ANSWER_MEMORY,
    MAX_BLOCKING,
)
