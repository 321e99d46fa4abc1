"""The server without a network: plugins, metadata, configurations, file events.

`Core` is the contract of every core: `Core.run` carries a server through its life, and an implementation overrides
`Core._run` (start up, return at once) and `Core._block` (serve until told to stop). Used as it is, it serves local
tools: nothing listens, and file events are handled on demand.

A core has the life cycle, and parts for everything else. Parts see each other, or a narrow protocol, never the core.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, ParamSpec, TypeVar

from lxml import etree

from geventcore.core.configuration import Configuration
from geventcore.core.databases import Databases
from geventcore.core.debug_switches import DebugSwitches
from geventcore.core.failing_hosts import FailingHosts
from geventcore.core.metadata_building import MetadataService
from geventcore.core.performance_log import log_performance
from geventcore.core.plugin_context import CorePluginContext
from geventcore.core.plugin_loading import PluginTable
from geventcore.core.rendering import Renderer
from geventcore.errors import CoreInitError
from geventcore.filemonitor import FileMonitor, create_monitor
from geventcore.metrics.snapshot import Sampler
from geventcore.metrics.timings import Timings, merged
from geventcore.options.server import (
    ANSWERS,
    BOUND_ENTRIES,
    CACHE_MODE,
    FAM_BLOCKING,
    FILEMONITOR,
    IGNORE_FILES,
    MAX_FILE_SIZE,
    PERFORMANCE,
    PERFORMANCE_INTERVAL,
    QUIET_SECONDS,
    REPOSITORY,
)
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import MetadataSource, Threaded, Version
from geventcore.regular_files import limit_sizes
from geventcore.render.guard import FAILURES, guarded
from geventcore.repository.durable_writes import TEMPORARY_GLOB
from geventcore.repository.repository import UNKNOWN_REVISION, WATCH_INTERVAL_SECONDS, Repository
from geventcore.workers.broadcasts import EXPIRE, Broadcasts, Statistics
from geventcore.workers.bus import Bus

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Core:
    """A server's life cycle, and its parts.

    Attributes:
        name: the name in ``[server] core``.
        configuration: the current settings, and their reload.
        repository: the directory, its version, lock and file events.
        plugins: the loaded plugins.
        metadata: the metadata of clients.
        renderer: the configurations of clients.
        failing_hosts: the clients that could not be given their configuration.
        databases: the databases, each opened when it is asked for.
        bus: the messages to and from the other processes of the server.
        broadcasts: the actions that all processes of the server take together.
        switches: the debug switches.
        timings: the durations that ``get_statistics`` tells.
        sampler: takes the metrics of this process.
        plugin_context: the view of the server that plugins have.
        readiness_notes: name -> a function that returns what is wrong although clients are served, or ``""``.
        read_only: true for a command that only inspects the site; set before plugins are loaded.
    """

    name: ClassVar[str] = "local"

    def __init__(self, settings: LoadedSettings, file_monitor: FileMonitor | None = None) -> None:
        """Nothing is loaded yet. `ConfigError` or `CoreInitError` if the settings cannot work."""
        path = Path(settings[REPOSITORY])
        if not path.is_dir():
            raise CoreInitError(f"the repository {path} is not a directory; see [server] repository")
        monitor = file_monitor or create_monitor(settings[FILEMONITOR], [*settings[IGNORE_FILES], TEMPORARY_GLOB])
        limit_sizes(settings[MAX_FILE_SIZE])
        self.read_only = False
        self.readiness_notes: dict[str, Callable[[], str]] = {}
        self._terminate = threading.Event()
        self._is_shut_down = False
        self._threads: list[threading.Thread] = []
        self.configuration = Configuration(settings)
        self.timings = Timings(type(self).__name__)
        self.sampler = Sampler()
        self.bus = Bus()
        self.plugins = PluginTable()
        self.repository = Repository(
            path,
            monitor,
            self._find_revision,
            plugin_names=lambda: list(self.plugins.by_name),
            quiet_seconds=lambda: self.settings[QUIET_SECONDS],
        )
        self.databases = Databases(
            lambda: self.settings, self.offload, lambda: self.is_terminating, lambda: self.read_only
        )
        self.metadata = MetadataService(
            self.plugins, lambda: self.cache_mode, self.timings, lambda: self.repository.version
        )
        self.renderer = Renderer(
            self.repository,
            self.plugins,
            self.metadata,
            self.timings,
            self,
            settings[BOUND_ENTRIES],
            settings[ANSWERS],
            self.configuration,
        )
        self.failing_hosts = FailingHosts(self.bus)
        self.sampler.add(self.failing_hosts.refresh)
        self.switches = DebugSwitches(self.plugins, monitor)
        self.broadcasts = Broadcasts(self)
        self.plugin_context = CorePluginContext(self)
        self.configuration.on_change(lambda: limit_sizes(self.settings[MAX_FILE_SIZE]))
        self.configuration.on_change(self.repository.note_change)
        self.configuration.on_change(self.metadata.expire)
        self.configuration.on_change(FAILURES.clear)
        self.broadcasts.on_upload(self.metadata.connector_results.forget)

    # -- what an implementation overrides

    def _run(self) -> bool:
        """Start up and return at once; true on success. Called before plugins are loaded."""
        return True

    def _block(self) -> None:
        """Serve until told to stop. A core for local tools returns at once."""

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks, without holding up others. By default it is called in this thread."""
        return function(*args, **kwargs)

    def breathe(self) -> None:
        """Let others run after a while of computing. Threads do that by themselves."""

    # -- life

    @property
    def settings(self) -> LoadedSettings:
        """The current values of options; replaced when the configuration file changes."""
        return self.configuration.settings

    @property
    def cache_mode(self) -> str:
        """The cache mode of client metadata; ``off`` while changes on other machines could be missed."""
        return self.settings[CACHE_MODE] if self.databases.may_remember else "off"

    def run(self) -> bool:
        """Carry the server from start-up to shutdown; false if it could not start."""
        try:
            if not self._run():
                return False
            self.load()
            self.serve()
            return True
        finally:
            self.shutdown()

    def load(self) -> None:
        """Load the plugins and handle the initial file events; local tools call it.

        `ConfigError`, `PluginError` or `CoreInitError` if that fails.
        """
        self.plugins.import_classes(self.settings)
        self.plugins.load(self.plugin_context)
        self.plugins.metadata_source.query.by_name = self.build_metadata
        self.renderer.use_loaded_plugins()
        for warning in self.start_warnings():
            log.warning("%s", warning)
        self.start_monitor()
        for path in self.settings.files:
            self.repository.file_monitor.add_monitor(str(path), self.configuration)
        if self.settings[FAM_BLOCKING]:
            self.repository.handle_file_events()

    def start_warnings(self) -> list[str]:
        """Return what is suspicious in the settings but no error."""
        return self.settings.warnings

    def start_monitor(self) -> None:
        """Begin to watch files; a server that forks watches in the processes that serve."""
        self.repository.file_monitor.start()

    def serve(self) -> None:
        """Start the threads, and serve until told to stop; called when everything is loaded."""
        self._start_threads()
        self._block()

    def _start_threads(self) -> None:
        relay = self.databases.start_notifications([EXPIRE], self.bus.deliver, self.metadata.expire)
        if relay is not None:
            self.bus.add_relay(relay, to_machines=True)
        self._start_thread("file watcher", lambda: self.repository.watch(self._terminate))
        if self.settings[PERFORMANCE] and self.settings[PERFORMANCE_INTERVAL]:
            self._start_thread(
                "performance log", lambda: log_performance(self.timings, self.configuration, self._terminate)
            )
        for plugin in self.plugins.by_type(Threaded):
            plugin.start_threads()

    def _start_thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def terminate(self) -> None:
        """Ask the server to end; returns at once. May be called from anywhere, also from a signal handler."""
        self._terminate.set()

    @property
    def is_terminating(self) -> bool:
        """True if the server has been asked to end."""
        return self._terminate.is_set()

    def shutdown(self) -> None:
        """End everything in order: file monitor, plugins, threads, databases. May be called twice."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self._terminate.set()
        self.repository.file_monitor.shutdown()
        self.plugins.shutdown()
        for thread in self._threads:
            thread.join(timeout=WATCH_INTERVAL_SECONDS + 1)
        self.databases.close()

    def _find_revision(self) -> str:
        for plugin in self.plugins.by_type(Version):
            with self.timings.measure_own("_update_vcs_revision"), guarded(plugin, "get_revision", None):
                return str(plugin.get_revision())
        return UNKNOWN_REVISION

    # -- several processes

    @property
    def process_number(self) -> int:
        """The number of this process among those of the server: 0, or from 1 on for worker processes."""
        return 0

    def statistics(self) -> Statistics:
        """The durations that all processes of the server have measured, by name."""
        return merged(self.broadcasts.statistics().values())

    # -- for local tools

    def handle_file_events(self) -> None:
        """Apply the pending file events."""
        self.repository.handle_file_events()

    def metadata_source(self) -> MetadataSource:
        """The plugin that knows the clients; `MetadataRuntimeError` before it is loaded."""
        return self.plugins.metadata_source

    def build_metadata(self, hostname: str) -> ClientMetadata:
        """The full metadata of a client; `MetadataError` if it is unknown or contradictory."""
        return self.metadata.build(hostname)

    def build_configuration(self, hostname: str) -> etree._Element:
        """See `Renderer.build`."""
        return self.renderer.build(hostname)

    def write_configuration(self, hostname: str) -> bytes:
        """See `Renderer.write`."""
        return self.renderer.write(hostname)
