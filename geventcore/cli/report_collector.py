"""``geventcore report-collector``: store reports that servers have written to a directory or to Redis."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import click

from geventcore.cli.command import start_logging, with_settings
from geventcore.core.databases import Databases, require_libraries
from geventcore.core.network_options import PID_FILE
from geventcore.errors import DatabaseMisconfigured, DatabaseUnavailable, GeventcoreError
from geventcore.log import reopen_log_files
from geventcore.options import LoadedSettings
from geventcore.options.server import GROUP, STATE_DIRECTORY, UMASK, USER
from geventcore.process import daemon
from geventcore.process.signals import REOPENING_LOGS, TERMINATING, SignalQueue
from geventcore.process.systemd import ServiceManager
from geventcore.reporting.options import MAX_CHILDREN, REPORTING_OPTIONS, TRANSPORT
from geventcore.reporting.transports import TransportContext, transport_class
from geventcore.storage.file_rights import require_writable

log = logging.getLogger(__name__)

#: Timeout for open batches when the collector stops, in seconds: a little longer than the database's timeout.
PATIENCE_SECONDS = 25.0


@click.command()
@with_settings(PID_FILE, MAX_CHILDREN)
def command(settings: LoadedSettings) -> int:
    """Store reports that servers have written to a directory or to Redis.

    The command is for the transports LocalFilesystem and RedisTransport. With DirectStore the server stores reports
    itself. The collector stays in the foreground unless -D names a pid file. On SIGTERM it stores the open batches and
    stops. On SIGUSR1 it reopens the log file. It waits for an unavailable database.
    """
    require_libraries()
    from geventcore.reporting.collector import Collector
    from geventcore.reporting.delivery import DatabaseSink
    from geventcore.reporting.retention import remove_old_reports
    from geventcore.storage.database import call_directly

    settings.options.add(*REPORTING_OPTIONS)
    settings.check()
    start_logging(settings, server=True)
    name = settings[TRANSPORT]
    databases = Databases(lambda: settings, call_directly)
    context = TransportContext(
        lambda: settings,
        Path(settings[STATE_DIRECTORY]) / "Reporting" / name,
        databases.reporting,
        call_directly,
    )
    source = transport_class(name).make_source(context)
    process = _Process(settings)
    try:
        process.become()
        try:
            require_writable(databases.reporting().config)
        except DatabaseMisconfigured:
            raise
        except DatabaseUnavailable as err:
            log.error("reports wait until the database is available: %s", err)
        collector = Collector(
            source,
            DatabaseSink(databases.reporting),
            max(1, settings[MAX_CHILDREN]),
            lambda: remove_old_reports(databases.reporting(), settings),
        )
        collector.start()
        log.info("collecting reports from %s", name)
        process.serve()
        if not collector.stop(PATIENCE_SECONDS):
            log.warning("stopped before all open batches were stored; the next collector stores them")
            process.end()
            logging.shutdown()
            os._exit(0)
        databases.close()
    except GeventcoreError as err:
        process.failed(err)
        raise
    finally:
        process.end()
    return 0


class _Process:
    """The collector's process: daemon and signals."""

    def __init__(self, settings: LoadedSettings) -> None:
        self._settings = settings
        self._signals = SignalQueue()
        self._service_manager = ServiceManager()
        self._pid_file: daemon.PidFile | None = None
        self._start_report: daemon.StartReport | None = None
        self._ended = threading.Event()

    def become(self) -> None:
        """Become a daemon if there is a pid file, and handle signals."""
        settings = self._settings
        path = settings[PID_FILE]
        if path is None:
            os.umask(settings[UMASK])
        else:
            identity = daemon.Identity(settings[USER], settings[GROUP], settings[UMASK])
            self._pid_file = daemon.PidFile(path, identity)
            self._start_report = daemon.detach()
            self._pid_file.write()
            daemon.drop_privileges(identity)
        self._signals.install()

    def serve(self) -> None:
        """Report a successful start, and return when a signal asks to stop."""
        if self._start_report is not None:
            self._start_report.send("")
        self._service_manager.ready()
        while True:
            received = self._signals.wait()
            if received in TERMINATING:
                log.info("stopping on signal %d", received)
                self._service_manager.stopping()
                return
            if received == REOPENING_LOGS:
                reopen_log_files()

    def failed(self, err: Exception) -> None:
        """Report a failed start to the starting process."""
        if self._start_report is not None:
            self._start_report.send(str(err))

    def end(self) -> None:
        """Restore signal handlers and remove the pid file. May be called twice."""
        if not self._ended.is_set():
            self._ended.set()
            self._signals.restore()
            if self._pid_file is not None:
                self._pid_file.remove()
