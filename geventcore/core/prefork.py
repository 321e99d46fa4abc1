"""A network core that may serve in several processes, which are forked when everything is loaded.

With one worker it is a network core like any other. With more, the process that was started becomes their master
(`geventcore.core.master`), and each worker does what the one process would do: accept from the listening sockets, which
they share, watch files, run the plugins' threads.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
from _socket import socket as plain_socket
from abc import abstractmethod
from typing import NoReturn

from geventcore.core.frames import Kind
from geventcore.core.master import Master, SystemCalls
from geventcore.core.network import NetworkCore
from geventcore.core.network_options import DRAIN_TIMEOUT
from geventcore.core.service_manager import ServiceManager
from geventcore.core.worker_link import WorkerLink
from geventcore.errors import GeventcoreError
from geventcore.metrics.families import reset_all
from geventcore.metrics.process import OtherProcessMeter

log = logging.getLogger(__name__)


class PreforkCore(NetworkCore):
    """Serves in as many processes as it has workers.

    Attributes:
        slot: which worker this process is, from 1 on; 0 in the master, and where there is no other process.
    """

    slot = 0
    _link: WorkerLink | None = None

    # -- what an implementation overrides

    @property
    @abstractmethod
    def worker_count(self) -> int:
        """How many processes serve."""

    @property
    @abstractmethod
    def worker_timeout(self) -> float:
        """How long a worker may do nothing but compute before it is replaced, in seconds."""

    def prepare_fork(self) -> SystemCalls:
        """Called in the master before workers are forked: end what a fork would break. What the master may use."""
        return SystemCalls()

    def after_fork(self) -> None:
        """Called first in a worker."""

    # -- the master

    def start_monitor(self) -> None:
        """Files are watched by those who serve."""
        if self.worker_count == 1:
            super().start_monitor()

    def serve(self) -> None:
        """Serve, or keep the workers that do."""
        # What is loaded stays: the collector need not look at it again and again. It would also write to its memory,
        # which workers share only while nobody does.
        gc.collect()
        gc.freeze()
        if self.worker_count == 1:
            super().serve()
            return
        master = Master(
            self,
            self.worker_count,
            self._signals,
            self.prepare_fork(),
            drain=lambda: self.settings[DRAIN_TIMEOUT],
            silence=lambda: self.worker_timeout,
        )
        master.run()

    def all_ready(self) -> None:
        """See `geventcore.core.master.Server`."""
        self.announce()

    def reload_master(self) -> None:
        """See `geventcore.core.master.Server`: workers that are forked later begin with these settings."""
        self._service_manager.reloading()
        self.read_again()

    def reloaded_all(self) -> None:
        """See `geventcore.core.master.Server`."""
        self._service_manager.ready()

    def stopping(self) -> None:
        """See `geventcore.core.master.Server`."""
        self.terminate()
        self._service_manager.stopping()
        self.stop_listening()

    def tick(self) -> None:
        """See `geventcore.core.master.Server`."""
        if self._service_manager.watchdog_interval is not None:
            self._service_manager.alive()

    def complain(self, complaint: str, level: int = logging.ERROR) -> None:
        """Log a mistake in the configuration; of all processes, which read the same one, one does."""
        if self.worker_count == 1 or self.slot == 1:
            super().complain(complaint, level)
        else:
            log.debug("%s", complaint)

    # -- a worker

    def work(self, slot: int, sock: plain_socket, is_replacement: bool) -> NoReturn:
        """See `geventcore.core.master.Server`."""
        status = 1
        try:
            self.slot = slot
            self.after_fork()
            self._become_worker(socket.socket(fileno=sock.detach()), is_replacement)
            super().serve()
            self.shutdown()
            status = 0
        except Exception as err:
            log.critical("Worker %d cannot go on: %s", slot, err, exc_info=not isinstance(err, GeventcoreError))
        finally:
            logging.shutdown()
            os._exit(status)

    def _become_worker(self, sock: socket.socket, is_replacement: bool) -> None:
        self._service_manager = ServiceManager.nobody()
        self._start_report = None
        self._pid_file = None
        self.timings.clear()
        reset_all()
        if self.slot == 1:
            # The master measures nothing, since it does nothing that could make it wait.
            self.admin.gatherer.sampler.add(OtherProcessMeter(os.getppid()).refresh)
        self._link = WorkerLink(sock, self.bus, self.terminate, self.metadata.expire)
        self._link.start()
        self.bus.add_relay(self._link)
        super().start_monitor()
        self.handle_file_events()
        if is_replacement:
            self.shared_state.adopt_debug_state()

    def ready(self) -> None:
        """Say that clients are served now."""
        if self._link is None:
            super().ready()
            return
        self.start_admin()
        self._link.say(Kind.READY)

    def reload(self) -> None:
        """Read the configuration, certificates and keys again."""
        super().reload()
        if self._link is not None:
            self._link.say(Kind.RELOADED)

    def shutdown(self) -> None:
        """End everything in order."""
        if self._link is not None:
            self._link.close()
        super().shutdown()
