"""The events of a network core whose server has several processes (`geventcore.workers.prefork`)."""

from __future__ import annotations

import os
from typing import Protocol

from geventcore.core.certificates import Certificates
from geventcore.core.configuration import Configuration
from geventcore.core.metadata_building import MetadataService
from geventcore.log import set_worker
from geventcore.metrics.process import OtherProcessMeter
from geventcore.metrics.snapshot import Sampler
from geventcore.metrics.timings import Timings
from geventcore.process.supervision import Supervision
from geventcore.repository.repository import Repository
from geventcore.workers.broadcasts import Broadcasts
from geventcore.workers.bus import Bus


class Server(Protocol):
    """The parts and the life cycle of a network core, as far as its processes change them."""

    @property
    def configuration(self) -> Configuration: ...
    @property
    def certificates(self) -> Certificates: ...
    @property
    def supervision(self) -> Supervision: ...
    @property
    def repository(self) -> Repository: ...
    @property
    def metadata(self) -> MetadataService: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def broadcasts(self) -> Broadcasts: ...
    @property
    def timings(self) -> Timings: ...
    @property
    def sampler(self) -> Sampler: ...

    def announce(self) -> None: ...

    def reopen_logs(self) -> None: ...

    def stop_listening(self) -> None: ...

    def note_replaced(self) -> None: ...

    def leave_predecessor(self) -> None: ...

    def terminate(self) -> None: ...

    def shutdown(self) -> None: ...


class WorkerEvents:
    """The events in the life of the master and of its workers: `geventcore.workers.prefork.ForkingServer`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    # -- in the master

    def announce(self) -> None:
        """Report that all workers serve."""
        self._server.announce()

    def reload_in_master(self) -> None:
        """Read the configuration before the workers do; workers that are forked later begin with it."""
        self._server.supervision.reloading()
        self._server.configuration.reload()
        self._server.certificates.reload()

    def workers_reloaded(self) -> None:
        """Report that the reload is done."""
        self._server.supervision.reloaded()

    def reopen_logs(self) -> None:
        """Open log files again that were moved away."""
        self._server.reopen_logs()

    def replaced_in_master(self) -> None:
        """Leave the files to the process that serves in the place of this server."""
        self._server.note_replaced()

    def stop_in_master(self) -> None:
        """Accept nothing more; the workers end."""
        self._server.terminate()
        self._server.supervision.stopping()
        self._server.stop_listening()

    def tick(self) -> None:
        """Report that the server works."""
        self._server.supervision.alive()

    # -- in a worker

    @property
    def bus(self) -> Bus:
        """The bus of this process."""
        return self._server.bus

    def become_worker(self, slot: int) -> None:
        """Leave the supervisors to the master, and count from zero."""
        self._server.supervision.become_worker()
        set_worker(slot)
        self._server.leave_predecessor()
        self._server.timings.clear()
        if slot == 1:
            # The master measures nothing, because it does nothing that could make it wait.
            self._server.sampler.add(OtherProcessMeter(os.getppid()).refresh)

    def join_workers(self, is_replacement: bool) -> None:
        """Watch files, read what has changed since the master loaded it, and debug what the others debug."""
        self._server.repository.file_monitor.start()
        self._server.repository.handle_file_events()
        if is_replacement:
            self._server.broadcasts.adopt_debug_state()

    def forget_metadata(self) -> None:
        """Forget all cached metadata of this process."""
        self._server.metadata.expire()

    def terminate(self) -> None:
        """Ask this process to end; returns at once."""
        self._server.terminate()

    def shutdown(self) -> None:
        """Stop everything that runs in this process."""
        self._server.shutdown()
