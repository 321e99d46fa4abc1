"""The supervisors of a server: the process that has started a daemon, and the service manager.

Both wait to hear that the server is ready, or has failed. A worker process reports to neither: the master does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from geventcore.process.daemon import Identity, PidFile, StartReport, detach, drop_privileges
from geventcore.process.systemd import ServiceManager


class Supervision:
    """The supervisors of this process.

    Attributes:
        pid_file: the file by which administrators find the server; None without one, and in a worker.
        has_service_manager: true if a service manager has started the server.
    """

    def __init__(self) -> None:
        self._service_manager = ServiceManager()
        self.has_service_manager = self._service_manager.exists
        self._start_report: StartReport | None = None
        self.pid_file: PidFile | None = None

    def hold_pid_file(self, pid_file: Path, identity: Identity) -> None:
        """Wait until an ending server has let go of the pid file, and lock it; `CoreInitError` if a server keeps it.

        Its port is free then, too.
        """
        self.pid_file = PidFile(pid_file, identity)

    def become_daemon(
        self, pid_file: Path, identity: Identity, into_background: Callable[[], None], inherited: int | None = None
    ) -> None:
        """Detach, hold the pid file, drop privileges; `CoreInitError` if that is not possible.

        `inherited` is the descriptor of the file of a server that this one replaces. It names that server until this
        one has started.
        """
        if self.pid_file is None:
            self.pid_file = PidFile(pid_file, identity, inherited)
        self._start_report = detach(into_background)
        if inherited is None:
            self.pid_file.write()
        drop_privileges(identity)

    def become_worker(self) -> None:
        """Leave everything to the master, in a process that it has forked."""
        self._service_manager = ServiceManager.nobody()
        self._start_report = None
        self.pid_file = None

    def started(self) -> None:
        """Report that clients are served."""
        if self.pid_file is not None:
            self.pid_file.write()
        if self._start_report is not None:
            self._start_report.send("")
        self._service_manager.ready()

    def failed(self, reason: str) -> None:
        """Report that the server cannot start."""
        if self._start_report is not None:
            self._start_report.send(reason)

    def reloading(self) -> None:
        """Report that the configuration is being read again; `reloaded` follows."""
        self._service_manager.reloading()

    def reloaded(self) -> None:
        """Report that the configuration has been read."""
        self._service_manager.ready()

    def stopping(self) -> None:
        """Report that the server ends."""
        self._service_manager.stopping()

    @property
    def watchdog_interval(self) -> float | None:
        """See `ServiceManager.watchdog_interval`."""
        return self._service_manager.watchdog_interval

    def alive(self) -> None:
        """Report that the server works, if the service manager wants to know."""
        if self.watchdog_interval is not None:
            self._service_manager.alive()

    def report_life(self, stop: threading.Event) -> None:
        """Report that the server works, at the interval of the service manager, until `stop` is set.

        Run it in a thread, or greenlet, of its own: if no other runs any more, this does not either.
        """
        while not stop.wait(self.watchdog_interval):
            self.alive()

    def close(self) -> None:
        """Remove the pid file."""
        if self.pid_file is not None:
            self.pid_file.remove()
