"""A server that listens: what is the same for every core that serves clients over the network.

A network core accepts connections, gives each a thread or greenlet, and calls `NetworkCore.serve_connection`, which
does the rest: TLS, HTTP, authentication, dispatch. It overrides `_run` (set up what accepts, on `listeners`) and
`_block` (accept until `wait_for_termination` returns, then stop accepting and call `drain`).

The order of a start: read keys and certificates and open the sockets, which may need root; become a daemon if asked;
`_run`; load the plugins; serve.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from geventcore.core import daemon
from geventcore.core.admin import Admin
from geventcore.core.admin_options import ADMIN_OPTIONS
from geventcore.core.base import Core
from geventcore.core.listening import open_sockets, socket_name
from geventcore.core.methods import CoreMethods, IntrospectionMethods
from geventcore.core.network_options import (
    CRL,
    DRAIN_TIMEOUT,
    GZIP_LEVEL,
    HANDSHAKE_TIMEOUT,
    IDLE_TIMEOUT,
    MAX_BODY,
    NETWORK_OPTIONS,
    PID_FILE,
    PROXY_PROTOCOL,
    REQUEST_TIMEOUT,
    SECOND_CERTIFICATE,
    SECOND_KEY,
)
from geventcore.core.proxies import BEGINNING_BYTES, HEADER_SECONDS, endpoint, is_header, read_header
from geventcore.core.readiness import Readiness
from geventcore.core.service_manager import ServiceManager
from geventcore.core.signals import RELOADING, REOPENING_LOGS, TERMINATING, SignalQueue
from geventcore.core.stacks import describe_threads
from geventcore.errors import GeventcoreError, RequestError, TLSError
from geventcore.log import reopen_log_files
from geventcore.metrics.definitions import CONNECTIONS_ACCEPTED, HANDSHAKE_FAILURES, HANDSHAKES, PHASE_SECONDS
from geventcore.metrics.pools import Pools
from geventcore.options.common import (
    CA,
    CERTIFICATE,
    GROUP,
    KEY,
    LISTEN_ALL,
    PROTOCOL,
    SERVER_URL,
    UMASK,
    USER,
)
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.interfaces import ClientACLs
from geventcore.rpc.access import AccessControl
from geventcore.rpc.conversation import Conversation
from geventcore.rpc.driving import EVERYONE_ADMITTED, Admission, Deadlines, drive
from geventcore.rpc.methods import MethodTable, exposed_methods, remote_methods
from geventcore.rpc.peer import Peer
from geventcore.rpc.service import Service
from geventcore.tls.context import ServerContext, TLSFiles, build_server_context
from geventcore.tls.identity import PeerIdentity
from geventcore.tls.reasons import failure_kind
from geventcore.tls.stream import LINGER_SECONDS, TLSStream
from geventcore.tls.waiter import Waiter
from geventcore.wire.http1 import HTTPLimits
from geventcore.wire.proxy_protocol import ProxyHeaderParser

log = logging.getLogger(__name__)

#: How long a client that has connected before the server was told to end may take for its TLS handshake, in seconds:
#: several round trips around the world. One that says nothing must not delay the end.
DRAIN_HANDSHAKE_SECONDS = 2.0


class Abortable(Protocol):
    """An open connection, as far as draining is concerned."""

    def abort(self) -> None:
        """End it at once; may be called from any thread."""


class NetworkCore(Core):
    """A core that listens.

    Attributes:
        listeners: open, non-blocking sockets, for `_run` to accept from.
        service: answers requests.
        tls: the settings of new connections; replaced by a reload.
        readiness: the checks of ``/readyz``; whatever clients depend on adds one.
        pools: what bounds how much is done at once, for the metrics; whoever has a pool adds it.
        admin: the admin listener.
        cut_off: whether the server has ended although requests were under way. Their threads may go on for ever.
    """

    options: ClassVar[tuple[Option[Any], ...]] = (*NETWORK_OPTIONS, *ADMIN_OPTIONS)

    def __init__(self, settings: LoadedSettings) -> None:
        """Reads keys and certificates. `ConfigError`, `CoreInitError` or `TLSError` if the settings cannot work."""
        super().__init__(settings)
        self.tls = self._load_tls()
        self.listeners: list[socket.socket] = []
        self.methods = self.make_methods()
        self.methods.follow_changes()
        self.service = Service(
            MethodTable(),
            AccessControl(lambda: self.plugins.by_type(ClientACLs), self.methods.client_metadata),
            self.authenticate,
            self.timings,
            self.offload,
        )
        self._signals = SignalQueue()
        self._service_manager = ServiceManager()
        self._pid_file: daemon.PidFile | None = None
        self._start_report: daemon.StartReport | None = None
        self._connections: dict[Abortable, Conversation | None] = {}
        self._connections_changed = threading.Condition()
        self._draining = False
        self._is_serving = False
        self.cut_off = False
        self.pools = Pools()
        self.readiness = Readiness()
        self.readiness.add("serving", self._why_not_serving)
        self.readiness.add("repository", lambda: "" if self.is_repository_read else "it is being read")
        self.admin = Admin(self)

    def make_methods(self) -> CoreMethods:
        """The methods that clients call; a core that does some of the work elsewhere has its own."""
        return CoreMethods(self)

    # -- start

    def run(self) -> bool:
        """Open the sockets, become a daemon if asked, and carry the server through its life."""
        settings = self.settings
        self.import_plugins()
        raise_descriptor_limit()
        url = settings[SERVER_URL]
        self.listeners = open_sockets(url.host, url.port, settings[LISTEN_ALL])
        try:
            self.admin.sockets.open(settings)
            if settings[PID_FILE] is not None:
                if not self._daemonize():
                    return False
                self.admin.sockets.adopt()
            else:
                os.umask(settings[UMASK])
            self._signals.install()
            return super().run()
        except Exception as err:
            if self._start_report is not None:
                self._start_report.send(str(err))
            if self._signals.is_told_to_end:
                log.info("Told to end before clients were served: %s", err)
                return True
            raise
        finally:
            self.shutdown()
            self.admin.sockets.close()
            self._signals.restore()
            self.stop_listening()
            if self._pid_file is not None:
                self._pid_file.remove()

    def _daemonize(self) -> bool:
        """Detach, hold the pid file, drop privileges; false if the server should not go on."""
        settings = self.settings
        path = settings[PID_FILE]
        if path is None:
            return True
        identity = daemon.Identity(settings[USER], settings[GROUP], settings[UMASK])
        self._pid_file = daemon.PidFile(path, identity)
        self._start_report = daemon.detach(self.into_background)
        self._pid_file.write()
        daemon.drop_privileges(identity)
        return True

    def into_background(self) -> None:
        """Go on in a process in the background; a core whose library does that itself has its own way."""
        daemon.fork_into_background()

    def load(self) -> None:
        """Load plugins, and make their methods callable."""
        super().load()
        table = self.service.methods
        core_methods = exposed_methods(self.methods) + exposed_methods(IntrospectionMethods(self.service))
        table.add(sorted(core_methods, key=lambda method: method.name))
        monitor = self.file_monitor
        table.add(remote_methods(monitor.name, {name: getattr(monitor, name) for name in monitor.remote_methods}))
        for plugin in self.plugins:
            table.add(remote_methods(plugin.name, plugin.remote_interface()))
            table.add(self.shared_state.in_all_processes(plugin))

    def ready(self) -> None:
        """Say that clients are served now; called by `_block`."""
        self.start_admin()
        self.announce()
        interval = self._service_manager.watchdog_interval
        if interval is not None:
            self._start_thread("service manager", lambda: self._say_alive(interval))

    def start_admin(self) -> None:
        """This process serves clients, and answers on the admin listener that it does."""
        self._is_serving = True
        self.admin.start()

    def announce(self) -> None:
        """Tell the log, whoever waits for the start, and the service manager that clients are served."""
        for sock in self.listeners:
            log.info("%s listens on %s", self.statistics_name, socket_name(sock))
        if self._start_report is not None:
            self._start_report.send("")
        self._service_manager.ready()

    def _say_alive(self, interval: float) -> None:
        # A thread, or greenlet, of its own: if nothing runs any more, this does not either.
        while not self._terminate.wait(interval):
            self._service_manager.alive()

    def _load_tls(self, predecessor: ServerContext | None = None) -> ServerContext:
        settings = self.settings
        return build_server_context(
            TLSFiles(
                settings[CERTIFICATE],
                settings[KEY],
                settings[CA],
                settings[CRL],
                settings[SECOND_CERTIFICATE],
                settings[SECOND_KEY],
            ),
            protocol=settings[PROTOCOL],
            protocol_is_explicit=settings.is_set(PROTOCOL),
            predecessor=predecessor,
        )

    # -- life

    @property
    def is_terminating(self) -> bool:
        """Whether the server has been asked to end, or has a signal to do so that nobody has taken yet."""
        return super().is_terminating or self._signals.is_told_to_end

    def wait_for_termination(self) -> None:
        """Handle signals until the server is told to end; called by `_block`."""
        while not super().is_terminating:
            received = self._signals.wait()
            if received in TERMINATING:
                log.info("Told to end by signal %d", received)
                self.terminate()
            elif received == RELOADING:
                self.reload()
            elif received == REOPENING_LOGS:
                self.reopen_logs()

    def terminate(self) -> None:
        """Ask the server to end; returns at once and may be called from anywhere."""
        super().terminate()
        self._signals.wake()

    def reload(self) -> None:
        """Read the configuration, certificates and keys again. Connections go on; a mistake keeps what was."""
        self._service_manager.reloading()
        self.read_again()
        self._service_manager.ready()

    def read_again(self) -> None:
        """Read the configuration, certificates and keys; a mistake is told and keeps what was."""
        self.reload_settings()
        try:
            self.tls = self._load_tls(self.tls)
        except TLSError as err:
            self.complain(f"Certificates are not reloaded: {err}")

    def reopen_logs(self) -> None:
        """Let go of log files that were moved away."""
        reopen_log_files()

    def shutdown(self) -> None:
        """End everything in order; the admin listener tells until now that the server ends."""
        self.admin.stop()
        super().shutdown()

    def stop_listening(self) -> None:
        """Close the listening sockets: from now on, connections are refused. What accepts must have ended."""
        for sock in self.listeners:
            sock.close()
        self.listeners = []

    def drain(self) -> None:
        """Let requests that are under way finish, close the idle connections; called by `_block` at its end.

        What is not finished after ``[server] drain_timeout`` is cut off, and who has not even said hello before that.
        """
        self._service_manager.stopping()
        deadline = time.monotonic() + self.settings[DRAIN_TIMEOUT]
        handshake_deadline = time.monotonic() + DRAIN_HANDSHAKE_SECONDS
        self._draining = True
        with self._connections_changed:
            while self._connections:
                for stream, conversation in list(self._connections.items()):
                    if conversation.is_idle if conversation else time.monotonic() >= handshake_deadline:
                        stream.abort()
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    self.cut_off = True
                    log.warning("%d connections are cut off", len(self._connections))
                    for stream in list(self._connections):
                        stream.abort()
                    break
                self._connections_changed.wait(min(remaining, 0.5))

    # -- what the admin listener asks

    def _why_not_serving(self) -> str:
        if self._draining or self.is_terminating:
            return "the server ends"
        return "" if self._is_serving else "the server starts"

    @property
    def open_connections(self) -> int:
        """How many connections are served."""
        return len(self._connections)

    def connection_states(self) -> dict[str, int]:
        """How many connections are in the handshake, idle, and active."""
        with self._connections_changed:
            conversations = list(self._connections.values())
        handshake = conversations.count(None)
        idle = sum(conversation is not None and conversation.is_idle for conversation in conversations)
        return {"handshake": handshake, "idle": idle, "active": len(conversations) - handshake - idle}

    def describe_stacks(self) -> str:
        """Where everything that runs in this process stands; a core that has something else than threads says so."""
        return describe_threads()

    # -- connections

    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: tuple[Any, ...]) -> bool:
        """Whether a caller is who it says. Without a CA in the configuration a certificate says nothing."""
        if self.settings[CA] is None:
            identity = None
        return self.metadata_source().authenticate(identity, user, password, address)

    def deadlines(self) -> Deadlines:
        """How long each phase of a new connection may last."""
        return _deadlines(self.settings)

    def new_conversation(self, peer: Peer) -> Conversation:
        """The server's side of a new connection, once it is known who is at the other end."""
        settings = self.settings
        return Conversation(
            self.service,
            peer,
            _http_limits(settings),
            gzip_level=settings[GZIP_LEVEL],
            may_continue=lambda: not self._draining,
        )

    def admission(self, peer: Peer, stream: TLSStream) -> AbstractContextManager[Admission]:
        """What says when a connection may go on, as a context for as long as it is served."""
        return nullcontext(EVERYONE_ADMITTED)

    def track(self, connection: Abortable, conversation: Conversation | None) -> None:
        """Note an open connection, and its conversation once there is one, so that it can be drained."""
        # Without a lock, as in `untrack`: these are single operations of a dictionary, and every connection makes them.
        self._connections[connection] = conversation

    def untrack(self, connection: Abortable) -> None:
        """Note that a connection is closed."""
        self._connections.pop(connection, None)
        if self._draining:
            with self._connections_changed:
                self._connections_changed.notify_all()

    def take_handshake_turn(self) -> None:
        """Called before a step of a TLS handshake computes; may wait. In threads, the system shares out the time."""

    def note_source(self, source: tuple[str, int] | None) -> None:
        """Called in the connection's thread when it is known whom a connection of a balancer is for; None before, and
        for good if it is the balancer's own."""

    def new_proxy_header(self, address: Any) -> ProxyHeaderParser | None:
        """What reads the PROXY header of a new connection; None if there must not be one."""
        return ProxyHeaderParser() if self.settings[PROXY_PROTOCOL].include(address) else None

    def serve_connection(self, sock: socket.socket, address: Any, waiter: Waiter) -> None:
        """Serve one accepted connection to its end and close it; never raises what the peer can cause.

        `address` is what the system tells of the other end, `waiter` waits for the socket in the way of the core.
        """
        deadlines = self.deadlines()
        peer = Peer(endpoint(address))
        is_check = False
        stream = TLSStream(self.tls, sock, waiter)
        conversation: Conversation | None = None
        self.track(stream, None)
        CONNECTIONS_ACCEPTED.inc()
        started = time.perf_counter()
        try:
            proxy_header = self.new_proxy_header(address)
            if proxy_header is not None:
                self.note_source(None)
                deadline = time.monotonic() + HEADER_SECONDS
                source = read_header(sock, lambda: waiter.wait_readable(sock, deadline), proxy_header)
                is_check = source is None
                if source is not None:
                    peer = Peer(source)
                    self.note_source(source)
            stream.handshake(time.monotonic() + deadlines.handshake, self.take_handshake_turn)
            count_handshake(stream.protocol, time.perf_counter() - started)
            peer = Peer(peer.address, stream.peer_identity)
            conversation = self.new_conversation(peer)
            self.track(stream, conversation)
            with self.admission(peer, stream) as admission:
                drive(conversation, stream, deadlines, admission)
            stream.shutdown(time.monotonic() + deadlines.write, peer_is_sending=conversation.left_unread)
        except (TLSError, RequestError, TimeoutError) as err:
            log.warning(
                "%s: connection ended: %s%s", peer, err, proxy_hint(_peek(sock)) if conversation is None else ""
            )
            if conversation is None:
                count_handshake_failure(err)
            # The peer should get the alert that says why.
            stream.shutdown(time.monotonic() + LINGER_SECONDS)
        except OSError as err:
            log.log(loss_level(stream.has_begun, conversation, is_check), "%s: connection lost: %s", peer, err)
            if conversation is None:
                count_handshake_failure(err)
        except GeventcoreError as err:
            log.error("%s: %s", peer, err)
        finally:
            stream.close()
            self.untrack(stream)


# Every connection asks for these two, and settings change only when they are replaced.


@lru_cache(maxsize=1)
def _deadlines(settings: LoadedSettings) -> Deadlines:
    seconds = settings[REQUEST_TIMEOUT]
    return Deadlines(
        handshake=settings[HANDSHAKE_TIMEOUT],
        idle=settings[IDLE_TIMEOUT],
        head=seconds,
        body=seconds,
        write=seconds,
    )


@lru_cache(maxsize=1)
def _http_limits(settings: LoadedSettings) -> HTTPLimits:
    return HTTPLimits(body_bytes=settings[MAX_BODY])


def loss_level(has_begun: bool, conversation: Conversation | None, is_check: bool) -> int:
    """How grave it is that a connection was lost, on which TLS has begun or not, and a conversation after it.

    Who only looks whether somebody listens has not said a word of TLS, or is a balancer that has connected on its own
    account (`is_check`), and does it every second. A client that breaks off the TLS handshake does not like what it was
    shown. One that leaves its answer unread is not worth more than a note.
    """
    if is_check or not has_begun:
        return logging.DEBUG
    return logging.WARNING if conversation is None else logging.INFO


def proxy_hint(seen: bytes) -> str:
    """What to add to the reason why a TLS handshake failed; `seen` as in `geventcore.core.proxies.is_header`."""
    if not is_header(seen):
        return ""
    return f"; it begins with a PROXY header, but its address is not among those in {PROXY_PROTOCOL.label}"


def _peek(sock: socket.socket) -> bytes:
    """What the peer has sent and nobody has read."""
    try:
        return sock.recv(BEGINNING_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return b""


def count_handshake(protocol: str | None, seconds: float) -> None:
    """A TLS handshake has succeeded."""
    HANDSHAKES.inc(protocol or "")
    PHASE_SECONDS.observe(seconds, "handshake")


def count_handshake_failure(err: Exception) -> None:
    """A TLS handshake has failed."""
    if isinstance(err, TLSError):
        reason = failure_kind(str(err))
    else:
        reasons = {TimeoutError: "timeout", RequestError: "proxy_header"}
        reason = next((reason for kind, reason in reasons.items() if isinstance(err, kind)), "closed")
    HANDSHAKE_FAILURES.inc(reason)


def raise_descriptor_limit() -> None:
    """Allow as many open files as the administrator permits: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
