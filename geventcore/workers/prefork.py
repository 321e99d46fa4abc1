"""The worker processes of a server, which are forked when everything is loaded: a part that each network core has.

With one worker the server is a single process, and nothing is forked. With more, the process that was started becomes
their master (`geventcore.workers.master`). Each worker does what the single process would do: accept from the listening
sockets, which all share, watch files, and run the threads of plugins.

A core says how many workers it wants by a `WorkerPlan`. This part sees the core only as a `ForkingServer`.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import socket
from _socket import socket as plain_socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from geventcore.errors import GeventcoreError
from geventcore.metrics.families import reset_all
from geventcore.plugin.base import Plugin
from geventcore.process.signals import SignalQueue
from geventcore.workers.bus import Bus
from geventcore.workers.frames import Kind
from geventcore.workers.link import WorkerLink
from geventcore.workers.master import Master, MasterEvents, SystemCalls

log = logging.getLogger(__name__)


class ForkingServer(MasterEvents, Protocol):
    """A server as its worker processes need it. The methods of `MasterEvents` are called in the master."""

    @property
    def bus(self) -> Bus:
        """Carries the broadcasts of this process."""

    def become_worker(self, slot: int) -> None:
        """Give up what belongs to the master. Called first in a worker; `slot` counts from 1."""

    def join_workers(self, is_replacement: bool) -> None:
        """Catch up with the repository and the other workers. Called when broadcasts are received already."""

    def forget_metadata(self) -> None:
        """Forget all cached metadata: a worker has died, perhaps before it could broadcast a change."""

    def terminate(self) -> None:
        """End this process in order. Returns at once."""

    def shutdown(self) -> None:
        """Stop everything that runs in this process."""


@dataclass(frozen=True)
class WorkerPlan:
    """The worker processes that a core wants.

    Attributes:
        count: returns their number; called once, when the plugins are loaded.
        timeout: returns how long a worker may be silent before it is replaced, in seconds.
        timeout_option: the option for that, for the log.
        before_fork: ends what a fork would break, in the master. Returns the system calls that the master may use.
    """

    count: Callable[[], int]
    timeout: Callable[[], float]
    timeout_option: str = ""
    before_fork: Callable[[], SystemCalls] = SystemCalls


#: The plan of a core that does not fork.
SINGLE_PROCESS = WorkerPlan(lambda: 1, lambda: float("inf"))


class Prefork:
    """Runs a server in as many processes as its plan has workers.

    Attributes:
        slot: the number of this worker, from 1 on; 0 in the master and in a server of one process.
    """

    def __init__(
        self, server: ForkingServer, plan: WorkerPlan, signals: SignalQueue, drain_seconds: Callable[[], float]
    ) -> None:
        """`drain_seconds` returns how long requests may take when the server ends."""
        self.slot = 0
        self._server = server
        self._plan = plan
        self._signals = signals
        self._drain_seconds = drain_seconds
        self._link: WorkerLink | None = None
        self._serve_here: Callable[[], None] | None = None

    @functools.cached_property
    def count(self) -> int:
        """The number of processes that serve. Plugins have a say, so read it only when they are loaded."""
        return self._plan.count()

    @property
    def is_only_process(self) -> bool:
        """True if the server has no other process."""
        return self.count == 1

    @property
    def logs_for_all(self) -> bool:
        """True if this process logs what every process notices by itself."""
        return self.is_only_process or self.slot == 1

    def serve(self, serve_here: Callable[[], None]) -> None:
        """Serve until the server is told to end. `serve_here` does that in one process."""
        # Loaded data stay: the collector need not look at them again and again. It would also write to their memory,
        # which workers share only while nobody writes.
        gc.collect()
        gc.freeze()
        if self.is_only_process:
            serve_here()
            return
        self._serve_here = serve_here
        master = Master(
            self._server,
            self._work,
            self.count,
            self._signals,
            self._plan.before_fork(),
            drain_seconds=self._drain_seconds,
            timeout=self._plan.timeout,
            timeout_option=self._plan.timeout_option,
        )
        master.run()

    def report_ready(self) -> bool:
        """Tell the master that this worker serves. False in a server of one process."""
        if self._link is None:
            return False
        self._link.say(Kind.READY)
        return True

    def report_reloaded(self) -> None:
        """Tell the master that this worker has read the configuration again."""
        if self._link is not None:
            self._link.say(Kind.RELOADED)

    def leave(self) -> None:
        """Tell the master nothing more: this process ends."""
        if self._link is not None:
            self._link.close()

    def _work(self, slot: int, sock: plain_socket, is_replacement: bool) -> NoReturn:
        """Be a worker; `sock` is connected to the master."""
        status = 1
        server = self._server
        try:
            self.slot = slot
            reset_all()
            server.become_worker(slot)
            self._link = WorkerLink(
                socket.socket(fileno=sock.detach()), server.bus, server.terminate, server.forget_metadata
            )
            self._link.start()
            server.bus.add_relay(self._link)
            server.join_workers(is_replacement)
            assert self._serve_here is not None, "the master runs"
            self._serve_here()
            server.shutdown()
            status = 0
        except Exception as err:
            log.critical("Worker %d failed: %s", slot, err, exc_info=not isinstance(err, GeventcoreError))
        finally:
            logging.shutdown()
            os._exit(status)


def fit_to_plugins(count: int, plugins: Iterable[Plugin], hint: str) -> int:
    """Return `count`, or 1 if a plugin needs a single process; then `hint` ends the warning."""
    single_process_plugins = [plugin.name for plugin in plugins if plugin.needs_one_process]
    if count == 1 or not single_process_plugins:
        return count
    log.warning(
        "The server runs in 1 process instead of %d: data that clients send to %s may be in the memory of one process "
        "only. %s",
        *(count, ", ".join(single_process_plugins), hint),
    )
    return 1
