"""A server that listens: what is the same for every core that serves clients over the network.

A network core accepts connections, gives each a thread or greenlet, and calls `NetworkCore.serve_connection`, which
does the rest: TLS, HTTP, authentication, dispatch. It overrides `_run` (set up what accepts, on `listeners`) and
`_block` (accept until `wait_for_termination` returns, then stop accepting and call `drain`). The sockets stay open
until the drain has ended.

The order of a start: read keys and certificates and open the sockets, which may need root; become a daemon if asked;
`_run`; load the plugins; serve.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, ClassVar

from geventcore import tracing
from geventcore.core.base import Core
from geventcore.core.certificates import Certificates
from geventcore.core.connection import BlockingConnection, ConnectionTable
from geventcore.core.methods import CoreMethods, IntrospectionMethods
from geventcore.core.network_options import DRAIN_TIMEOUT, NETWORK_OPTIONS, PID_FILE, UPLOAD_MEMORY
from geventcore.core.side_services import SideServices
from geventcore.core.start_checks import check_content, start_warnings
from geventcore.core.uploads import UploadBudget
from geventcore.core.worker_events import WorkerEvents
from geventcore.deadline_clock import CLOCK
from geventcore.log import reopen_log_files
from geventcore.metrics.pools import Pools
from geventcore.options.option import Option
from geventcore.options.server import CA, GROUP, LISTEN_ALL, SERVER_URL, UMASK, USER
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.interfaces import ClientACLs
from geventcore.process.daemon import Identity, fork_into_background
from geventcore.process.listening import open_sockets, socket_name
from geventcore.process.signals import RELOADING, REOPENING_LOGS, REPLACED, TERMINATING, SignalQueue
from geventcore.process.supervision import Supervision
from geventcore.process.takeover import Predecessor
from geventcore.repository.broken_files import MOST_DESCRIBED, describe
from geventcore.rpc.access import AccessControl
from geventcore.rpc.methods import MethodTable, exposed_methods, remote_methods
from geventcore.rpc.service import Service
from geventcore.tls.context import ServerContext
from geventcore.tls.identity import PeerIdentity
from geventcore.tls.waiter import Waiter
from geventcore.workers.prefork import SINGLE_PROCESS, Prefork, WorkerPlan

log = logging.getLogger(__name__)

#: When the server ends: how long clients that have connected already may take to begin their first request, in seconds.
#: That is several round trips around the world; silent clients must not delay the end.
DRAIN_HANDSHAKE_SECONDS = 2.0


class NetworkCore(Core):
    """The life cycle of a server that listens, and its further parts.

    Attributes:
        listeners: open, non-blocking sockets, for `_run` to accept from.
        certificates: the keys and certificates of new connections, and their reload.
        connections: the table of open connections.
        uploads: the memory for what clients send, unless the core has another budget.
        methods: the methods that clients call.
        service: the answers to requests.
        workers: the processes that serve; this one only, unless the core plans more.
        side_services: the services beside the one for clients, such as the admin listener.
        supervision: those who wait to hear how the server is.
        readiness_checks: name -> a function that returns why clients cannot be served, or ``""``. It has to answer
            within a second, from any thread. Everything that clients depend on adds one.
        pools: the use of everything that has a limit, for the metrics; the owner of a pool adds it.
        cut_off: true if the server has ended although requests were under way. Their threads may never end.
        predecessor: the running server whose sockets this one takes over, if any; set before `run`.
        is_replaced: true if the server ends because another process serves in its place.
    """

    options: ClassVar[tuple[Option[Any], ...]] = NETWORK_OPTIONS

    def __init__(self, settings: LoadedSettings) -> None:
        """Reads keys and certificates. `ConfigError`, `CoreInitError` or `TLSError` if the settings cannot work."""
        super().__init__(settings)
        self.certificates = Certificates(self.configuration)
        self.listeners: list[socket.socket] = []
        self._copies: list[socket.socket] = []
        self.connections = ConnectionTable()
        self.uploads = UploadBudget(settings[UPLOAD_MEMORY])
        self.methods = CoreMethods(self)
        self.methods.follow_changes()
        self.service = Service(
            MethodTable(),
            AccessControl(lambda: self.plugins.by_type(ClientACLs), self.methods.client_metadata),
            self.authenticate,
            self.timings,
            self.offload,
        )
        self.side_services = SideServices()
        self.supervision = Supervision()
        self._signals = SignalQueue()
        drain_seconds = lambda: self.settings[DRAIN_TIMEOUT]  # noqa: E731 - read when the server ends
        self.workers = Prefork(WorkerEvents(self), self.plan_workers(), self._signals, drain_seconds)
        self.configuration.logs_messages = lambda: self.workers.logs_for_all
        self._is_serving = False
        self.cut_off = False
        self.predecessor: Predecessor | None = None
        self.is_replaced = False
        self._main_process = os.getpid()
        self.pools = Pools()
        self.sampler.add(self.pools.refresh)
        self.readiness_checks: dict[str, Callable[[], str]] = {
            "serving": self._why_not_serving,
            "repository": self.repository.why_not_ready,
        }

    # -- what an implementation may override

    def plan_workers(self) -> WorkerPlan:
        """Return the worker processes that this core wants; asked in the constructor. By default it does not fork.

        A core that forks begins no thread before `_block`, and makes there what accepts.
        """
        return SINGLE_PROCESS

    def into_background(self) -> None:
        """Go on in a process in the background; a core whose library does that itself has its own way."""
        fork_into_background()

    def tasks(self) -> Iterable[tuple[str, FrameType | None]]:
        """Name and stack frame of everything that runs in this process besides threads, such as greenlets."""
        return ()

    # -- start

    def run(self) -> bool:
        """Open the sockets, become a daemon if asked, and carry the server through its life."""
        settings = self.settings
        raise_descriptor_limit()
        url = settings[SERVER_URL]
        taken = self.predecessor.take if self.predecessor is not None else lambda _: None
        try:
            pid_file = settings[PID_FILE]
            if pid_file is not None and self.predecessor is None:
                # A server that ends keeps its port until it has answered the current requests.
                self.supervision.hold_pid_file(pid_file, self._identity())
            # Before everything else: from now on, clients wait in the kernel's queue, and are not refused.
            self.listeners = open_sockets(url.host, url.port, settings[LISTEN_ALL], taken)
            # Before plugins are loaded, which may leave no descriptors.
            self._copies = [sock.dup() for sock in self.listeners]
            self.plugins.import_classes(settings)
            self.side_services.open(settings)
            if settings[PID_FILE] is not None:
                if not self._daemonize():
                    return False
                self._main_process = os.getpid()
            else:
                os.umask(settings[UMASK])
            self.side_services.adopt()
            self._signals.install()
            return super().run()
        except Exception as err:
            still = f"; {self.predecessor} goes on serving" if self.predecessor is not None else ""
            self.supervision.failed(f"{err}{still}")
            if self._signals.is_told_to_end:
                log.info("Told to end before clients were served: %s", err)
                return True
            raise
        finally:
            self.shutdown()
            self.side_services.close()
            self._signals.restore()
            self.stop_listening()
            self.leave_predecessor()
            self.supervision.close()

    def _identity(self) -> Identity:
        return Identity(self.settings[USER], self.settings[GROUP], self.settings[UMASK])

    def _daemonize(self) -> bool:
        """Detach, hold the pid file, drop privileges; false if the server should not go on."""
        settings = self.settings
        path = settings[PID_FILE]
        if path is not None:
            identity = self._identity()
            inherited = self.predecessor.take_file(path) if self.predecessor is not None else None
            self.supervision.become_daemon(path, identity, self.into_background, inherited)
        return True

    def load(self) -> None:
        """Load plugins, and make their methods callable. `CoreInitError` if there is nothing to read."""
        self.plugins.import_classes(self.settings)
        check_content(self)
        super().load()
        table = self.service.methods
        core_methods = exposed_methods(self.methods) + exposed_methods(IntrospectionMethods(self.service))
        table.add(sorted(core_methods, key=lambda method: method.name))
        monitor = self.repository.file_monitor
        table.add(remote_methods(monitor.name, {name: getattr(monitor, name) for name in monitor.remote_methods}))
        for plugin in self.plugins:
            table.add(remote_methods(plugin.name, plugin.remote_interface()))
            table.add(self.broadcasts.methods_for_all(plugin))

    def start_warnings(self) -> list[str]:
        """See `Core.start_warnings`; a server needs a password, too."""
        return start_warnings(self.settings)

    def start_monitor(self) -> None:
        """Watch files, in the processes that serve."""
        if self.workers.is_only_process:
            super().start_monitor()

    def serve(self) -> None:
        """Serve until told to stop: in this process, or in workers that it forks."""
        self.workers.serve(super().serve)

    def ready(self) -> None:
        """Report that clients are served from now on; called by `_block`."""
        self._is_serving = True
        tracing.start()
        CLOCK.start()
        self.start_ticks()
        self.side_services.start()
        if self.workers.report_ready():
            return
        self.announce()
        if self.supervision.watchdog_interval is not None:
            self._start_thread("service manager", lambda: self.supervision.report_life(self._terminate))

    def start_ticks(self) -> None:
        """Have the clock of the clients' deadlines tick where clients are served; called by `ready`.

        This one ticks in a thread, which gets as little processor time as those of the clients. A core with an event
        loop calls ``CLOCK.tick`` of `geventcore.deadline_clock` from its loop.
        """
        threading.Thread(target=CLOCK.tick_in_thread, name="deadline clock", daemon=True).start()

    def announce(self) -> None:
        """Report to the log and the supervisors that clients are served."""
        for sock in self.listeners:
            log.info("%s listens on %s", self.timings.owner, socket_name(sock))
        broken = self.repository.file_monitor.broken_files()
        for file in broken[:MOST_DESCRIBED]:
            log.warning("A file cannot be used: %s", describe(file, self.repository.path))
        if len(broken) > MOST_DESCRIBED:
            log.warning("%d further files cannot be used; see above", len(broken) - MOST_DESCRIBED)
        self.supervision.started()
        if self.predecessor is not None:
            log.info("Serving in the place of %s, which ends", self.predecessor)
            self.predecessor.replace()

    # -- another process in the place of this one

    @property
    def cache_mode(self) -> str:
        """See `Core.cache_mode`. Changes in a server that still ends could be missed."""
        if self.predecessor is not None and not self.predecessor.has_ended:
            return "off"
        return super().cache_mode

    def hand_over(self) -> None:
        """End, because another process serves in the place of this server; called in a process that serves."""
        if os.getpid() == self._main_process:
            self.note_replaced()
            self.terminate()
        elif os.getppid() == self._main_process:
            os.kill(self._main_process, REPLACED)

    def note_replaced(self) -> None:
        """Leave the pid file and the UNIX sockets to the process that serves in the place of this server."""
        self.is_replaced = True

    def leave_predecessor(self) -> None:
        """End the connection to the server that this one replaces."""
        if self.predecessor is not None:
            self.predecessor.leave()

    # -- life

    @property
    def tls(self) -> ServerContext:
        """The keys, certificates and parameters of new connections."""
        return self.certificates.context

    @property
    def process_number(self) -> int:
        """The number of this worker process, from 1 on; 0 in the master and in a server of one process."""
        return self.workers.slot

    @property
    def is_terminating(self) -> bool:
        """True if the server has been asked to end, or has a signal to do so that was not handled yet."""
        return super().is_terminating or self._signals.is_told_to_end

    def wait_for_termination(self) -> None:
        """Handle signals until the server is told to end; called by `_block`."""
        while not super().is_terminating:
            received = self._signals.wait()
            if received in TERMINATING:
                log.info("Told to end by signal %d", received)
                self.terminate()
            elif received == REPLACED:
                self.note_replaced()
                self.terminate()
            elif received == RELOADING:
                self.reload()
            elif received == REOPENING_LOGS:
                self.reopen_logs()

    def terminate(self) -> None:
        """Ask the server to end; returns at once. May be called from anywhere."""
        super().terminate()
        self._signals.wake()

    def reload(self) -> None:
        """Read the configuration, certificates and keys again. Connections go on; after a mistake nothing changes."""
        self.supervision.reloading()
        self.configuration.reload()
        self.certificates.reload()
        self.supervision.reloaded()
        self.workers.report_reloaded()

    def reopen_logs(self) -> None:
        """Open log files again that were moved away."""
        reopen_log_files()

    def shutdown(self) -> None:
        """End everything in order, side services first."""
        self.workers.leave()
        self.side_services.stop()
        super().shutdown()
        tracing.stop()
        CLOCK.stop()

    def sockets_to_accept(self) -> list[socket.socket]:
        """Return a copy of each listening socket, for who closes it to stop accepting.

        Connections still wait in the kernel's queue then, and are not refused. A client that is refused tries again
        after a second, and gives up after three tries; one that waits has lost no try yet when the next server starts.
        """
        return self._copies

    def stop_listening(self) -> None:
        """Close the listening sockets: from now on, connections are refused. Called at the very end."""
        for sock in (*self.listeners, *self._copies):
            sock.close()
        self.listeners, self._copies = [], []

    def drain(self) -> None:
        """Close idle connections and let requests that are under way finish; called by `_block` at its end.

        Requests that take longer than ``[server] drain_timeout`` are cut off. Connections on which no request
        has begun are aborted after `DRAIN_HANDSHAKE_SECONDS`.
        """
        self.supervision.stopping()
        seconds = self.settings[DRAIN_TIMEOUT]
        cut_off = self.connections.drain(seconds, DRAIN_HANDSHAKE_SECONDS)
        if cut_off:
            self.cut_off = True
            log.warning("%d connections are cut off: their requests took longer than %g s", cut_off, seconds)

    def _why_not_serving(self) -> str:
        if self.connections.is_draining or self.is_terminating:
            return "the server ends"
        return "" if self._is_serving else "the server starts"

    # -- connections

    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: tuple[Any, ...]) -> bool:
        """Return true if the caller proves who it is. Without a CA in the configuration, certificates do not count."""
        if self.settings[CA] is None:
            identity = None
        return self.plugins.metadata_source.authenticate(identity, user, password, address)

    def serve_connection(self, sock: socket.socket, address: Any, waiter: Waiter) -> None:
        """Serve one accepted connection to its end and close it; raises nothing that a client can cause.

        `address` is the other end's as the system gives it, `waiter` waits for the socket in the way of the core.
        """
        with BlockingConnection(self, sock, address, waiter) as connection:
            connection.handshake()
            connection.converse()


def raise_descriptor_limit() -> None:
    """Allow as many open files as the administrator permits: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
