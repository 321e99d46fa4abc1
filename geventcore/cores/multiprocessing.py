"""The multiprocessing core: worker processes that serve each connection in a thread of its own.

Each of ``[server] children`` processes is a builtin core. They are forked when the repository is loaded, accept from
the same sockets, and tell each other what they learn (`geventcore.workers`).
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

from geventcore.cores.builtin import BuiltinCore
from geventcore.metrics.timings import merged
from geventcore.options import types
from geventcore.options.option import Option
from geventcore.workers.broadcasts import Statistics
from geventcore.workers.prefork import WorkerPlan, fit_to_plugins

#: As for workers of the gevent core: a larger number is a typing error that would keep the machine busy.
MOST_CHILDREN = 1024
#: How long a worker may be silent before it is replaced, in seconds: as the gevent core by default. Only C code that
#: keeps Python's lock for so long can cause that.
WORKER_TIMEOUT_SECONDS = 300.0

CHILDREN = Option(
    "server",
    "children",
    types.integer(1, MOST_CHILDREN),
    os.cpu_count() or 1,
    "Number of worker processes of the multiprocessing core.\n\n"
    "Each serves clients with threads, [builtin] threads at most. There is only one process if a plugin may keep data "
    "of clients where other processes do not see it, as plugins written for Bcfg2 may.",
    flags=("--children",),
    at_start=True,
)


class MultiprocessingCore(BuiltinCore):
    """A builtin core in several processes."""

    name: ClassVar[str] = "multiprocessing"
    options: ClassVar[tuple[Option[Any], ...]] = (*BuiltinCore.options, CHILDREN)

    def plan_workers(self) -> WorkerPlan:
        """Fork ``[server] children`` processes."""
        return WorkerPlan(self._count_workers, lambda: WORKER_TIMEOUT_SECONDS)

    def _count_workers(self) -> int:
        children = self.settings[CHILDREN]
        return fit_to_plugins(children, self.plugins, f"{CHILDREN.label} = {children} is not used.")

    def statistics(self) -> Statistics:
        """The durations of all processes, with those of each under the names that Bcfg2 gives them.

        ``Child-<number>:<name>`` is for each process, counted from 0, and ``Total:<name>`` for all; in these names the
        core is called ``Core``, as Bcfg2 calls the core of a child.
        """
        by_process = self.broadcasts.statistics()
        statistics = merged(by_process.values())
        for number, timings in by_process.items():
            child = f"Child-{max(number - 1, 0)}"
            statistics.update((f"{child}:{self._name_of_child(name)}", timing) for name, timing in timings.items())
        totals = merged(by_process.values())
        statistics.update((f"Total:{self._name_of_child(name)}", timing) for name, timing in totals.items())
        return statistics

    def _name_of_child(self, name: str) -> str:
        prefix = f"{self.timings.owner}:"
        return f"Core:{name.removeprefix(prefix)}" if name.startswith(prefix) else name
