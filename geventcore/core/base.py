"""The server without a network: plugins, metadata, configurations, file events.

`Core` is the contract of every core: `Core.run` carries a server through its life, and an implementation overrides
`Core._run` (start up, return at once) and `Core._block` (serve until told to stop). Used as it is, it serves local
tools: nothing listens, and file events are handled on demand.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, TypeVar

from lxml import etree

from geventcore.core.bus import Bus
from geventcore.core.databases import Databases
from geventcore.core.metadata_building import MetadataService
from geventcore.core.plugin_context import CorePluginContext
from geventcore.core.plugin_loading import (
    MISSING_PLUGINS,
    PluginTable,
    find_metadata_source,
    load_plugins,
    plugin_classes,
)
from geventcore.core.repository_lock import RepositoryLock
from geventcore.core.shared_state import EXPIRE, SharedState
from geventcore.errors import ConfigError, CoreInitError, MetadataConsistencyError, MetadataRuntimeError
from geventcore.filemonitor import FileAction, FileEvent, FileMonitor, create_monitor
from geventcore.log import set_debug as set_log_debug
from geventcore.metrics.timings import Timings
from geventcore.options import Option
from geventcore.options.common import (
    BOUND_ENTRIES,
    CACHE_MODE,
    FAM_BLOCKING,
    FILEMONITOR,
    IGNORE_FILES,
    PERFORMANCE,
    PERFORMANCE_INTERVAL,
    PLUGINS,
    REPOSITORY,
)
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import (
    Connector,
    Decision,
    Generator,
    MetadataSource,
    Threaded,
    Version,
)
from geventcore.render.binder import Binder
from geventcore.render.entry_store import EntryStore
from geventcore.render.guard import guarded
from geventcore.render.pipeline import build_configuration, error_document, write_configuration
from geventcore.specfiles.durable import TEMPORARY_GLOB

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: The revision of a repository that no Version plugin knows.
UNKNOWN_REVISION = "-1"
#: How long the file watcher waits before it looks whether the server ends, in seconds.
WATCH_INTERVAL = 2.0
#: For how long the same mistake in the configuration is not told again, in seconds.
COMPLAINT_SECONDS = 5.0


class Core:
    """A server's plugins and what they make.

    Attributes:
        name: what the core is called in ``[server] core``.
        settings: the values of options; replaced when the configuration file changes.
        plugins: the loaded plugins.
        file_monitor: tells the plugins about files.
        timings: durations of everything worth counting.
        entry_store: what is kept from one configuration to the next.
        bus: what other processes of the server are told, and tell.
        databases: opened when they are asked for.
        shared_state: what all processes of the server do together.
        revision: the repository's revision.
        is_repository_read: whether the first file events have been applied.
    """

    name: ClassVar[str] = "local"

    def __init__(self, settings: LoadedSettings, file_monitor: FileMonitor | None = None) -> None:
        """Nothing is loaded yet. `ConfigError` or `CoreInitError` if the settings cannot work."""
        self.settings = settings
        self.repository = Path(settings[REPOSITORY])
        if not self.repository.is_dir():
            raise CoreInitError(f"the repository {self.repository} is not a directory; see [server] repository")
        self.file_monitor = file_monitor or create_monitor(
            settings[FILEMONITOR], [*settings[IGNORE_FILES], TEMPORARY_GLOB]
        )
        self.timings = Timings()
        self.plugins = PluginTable()
        self._plugin_classes: list[type[Plugin]] = []
        self.revision = UNKNOWN_REVISION
        self.debug = False
        self.lock = RepositoryLock()
        self.bus = Bus()
        self.databases = Databases(lambda: self.settings, self.offload, lambda: self.is_terminating)
        self._terminate = threading.Event()
        self._is_shut_down = False
        self._threads: list[threading.Thread] = []
        self._started_with = settings
        self._reloaded: float | None = None
        self._complaints: dict[str, float] = {}
        self.is_repository_read = False
        self._refreshers: list[Callable[[], None]] = []
        self._metadata_source: MetadataSource | None = None
        self._binder: Binder | None = None
        self.entry_store = EntryStore(settings[BOUND_ENTRIES])
        self.metadata = MetadataService(
            self.metadata_source,
            lambda: self.plugins.by_type(Connector),
            lambda: self.cache_mode,
            self.timings,
            self.statistics_name,
        )
        self.plugin_context = CorePluginContext(self)
        self.shared_state = SharedState(self)

    # -- what an implementation overrides

    def _run(self) -> bool:
        """Start up and return at once; true on success. Called before plugins are loaded."""
        return True

    def _block(self) -> None:
        """Serve until told to stop. What serves local tools returns at once."""

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that blocks without holding up others; here nobody else is served by this thread."""
        return function(*args, **kwargs)

    def breathe(self) -> None:
        """Let others go on after a while of computing; threads do that by themselves."""

    # -- life

    @property
    def cache_mode(self) -> str:
        """How client metadata are cached; not at all while changes on other machines could be missed."""
        return self.settings[CACHE_MODE] if self.databases.may_remember else "off"

    @property
    def statistics_name(self) -> str:
        """What the names of this core's statistics begin with."""
        return type(self).__name__

    def run(self) -> bool:
        """The whole life of a server, from start-up to shutdown; false if it could not start."""
        try:
            if not self._run():
                return False
            self.load()
            self.serve()
            return True
        finally:
            self.shutdown()

    def serve(self) -> None:
        """Start the threads, and serve until told to stop; called when everything is loaded."""
        self._start_threads()
        self._block()

    def start_monitor(self) -> None:
        """Begin to watch files; what serves in processes that it forks does it there."""
        self.file_monitor.start()

    def load(self) -> None:
        """Load the plugins and handle the initial file events; what local tools call. `ConfigError`, `PluginError` or
        `CoreInitError` if that fails."""
        self.load_plugins()
        self.start_monitor()
        for path in self.settings.files:
            self.file_monitor.add_monitor(str(path), self)
        if self.settings[FAM_BLOCKING]:
            self.handle_file_events()

    def import_plugins(self) -> None:
        """Import the plugins that ``[server] plugins`` names, and check their options.

        A server does it while it still has the rights that it was started with.
        """
        names = self.settings[PLUGINS]
        self._plugin_classes = plugin_classes(names, self.settings[MISSING_PLUGINS])
        options: list[Option[Any]] = [
            option for plugin_class in self._plugin_classes for option in plugin_class.options
        ]
        self.settings.options.add(*options)
        self.settings.check(options)

    def load_plugins(self) -> None:
        """Instantiate the plugins that ``[server] plugins`` names."""
        if not self._plugin_classes:
            self.import_plugins()
        load_plugins(self._plugin_classes, self.plugin_context, self.plugins)
        self._metadata_source = find_metadata_source(self.plugins)
        self._metadata_source.query.by_name = self.build_metadata
        self._binder = Binder(self.plugins.by_type(Generator), self.timings, self.statistics_name)
        for warning in self.settings.warnings:
            log.warning("%s", warning)

    def _start_threads(self) -> None:
        relay = self.databases.start_notifications([EXPIRE], self.bus.deliver, self.metadata.expire)
        if relay is not None:
            self.bus.add_relay(relay, to_machines=True)
        self._start_thread("file watcher", self._watch_files)
        if self.settings[PERFORMANCE] and self.settings[PERFORMANCE_INTERVAL]:
            self._start_thread("performance log", self._log_performance)
        for plugin in self.plugins.by_type(Threaded):
            plugin.start_threads()

    def _start_thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def terminate(self) -> None:
        """Ask the server to end; returns at once and may be called from anywhere, also from a signal handler."""
        self._terminate.set()

    @property
    def is_terminating(self) -> bool:
        """Whether the server has been asked to end."""
        return self._terminate.is_set()

    def shutdown(self) -> None:
        """End everything in order: file monitor, plugins, threads, databases. May be called twice."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self._terminate.set()
        self.file_monitor.shutdown()
        for plugin in self.plugins:
            with guarded(plugin, "shutdown", None):
                plugin.shutdown()
        for thread in self._threads:
            thread.join(timeout=WATCH_INTERVAL + 1)
        self.databases.close()

    # -- file events

    def handle_file_events(self) -> None:
        """Apply the pending file events, so that no render sees half a change."""
        if self.file_monitor.pending():
            with self.lock.exclusive():
                self._update_revision()
                self.file_monitor.handle_events()
        self.is_repository_read = True

    def _watch_files(self) -> None:
        while not self._terminate.is_set():
            if self.file_monitor.wait(WATCH_INTERVAL) and not self._terminate.is_set():
                self.handle_file_events()

    def handle_event(self, event: FileEvent) -> None:
        """A configuration file has changed: read it again and forget all cached metadata."""
        if event.action in (FileAction.CHANGED, FileAction.CREATED):
            self.reload_settings(is_wanted=False)

    def reload_settings(self, *, is_wanted: bool = True) -> None:
        """Read the configuration again. A mistake is logged, and the old settings stay in use.

        A file's change and a signal may tell of the same; unless somebody wants it, what has been read is not read
        again.
        """
        try:
            fresh = self.settings.reload()
        except ConfigError as err:
            self._reloaded = None
            self.complain(f"The configuration is not reloaded: {err}")
            return
        now = time.monotonic()
        is_known = fresh.are_read_from_the_same(self.settings)
        if is_known and not is_wanted:
            return
        self.settings = fresh
        self.lock.note_change()
        if not is_known or self._reloaded is None or now - self._reloaded > COMPLAINT_SECONDS:
            log.info("The configuration has been reloaded")
        self._reloaded = now
        late = ", ".join(option.label for option in fresh.changed_at_start(self._started_with))
        if late:
            self.complain(f"A restart is needed before these changes count: {late}", logging.WARNING)
        self.metadata.expire()

    def complain(self, complaint: str, level: int = logging.ERROR) -> None:
        """Log a mistake in the configuration; once, though the file's change and a signal may tell of it together."""
        now = time.monotonic()
        self._complaints = {text: told for text, told in self._complaints.items() if now - told <= COMPLAINT_SECONDS}
        if complaint not in self._complaints:
            log.log(level, "%s", complaint)
            self._complaints[complaint] = now

    def set_debug(
        self, *, plugins: bool | None = None, file_monitor: bool | None = None, core: bool | None = None
    ) -> None:
        """Turn the debug switches of all plugins, of the file monitor and of the server itself, as far as given."""
        if plugins is not None:
            for plugin in self.plugins:
                with guarded(plugin, "set_debug", None):
                    plugin.set_debug(plugins)
        if file_monitor is not None:
            self.file_monitor.set_debug(file_monitor)
        if core is not None:
            self.debug = core
            set_log_debug(core)
            log.info("Core: debug is now %s", core)

    def _update_revision(self) -> None:
        for plugin in self.plugins.by_type(Version):
            with (
                self.timings.measure(f"{self.statistics_name}:_update_vcs_revision"),
                guarded(plugin, "get_revision", None),
            ):
                self.revision = str(plugin.get_revision())
                return
            self.revision = UNKNOWN_REVISION

    def _log_performance(self) -> None:
        while not self._terminate.wait(self.settings[PERFORMANCE_INTERVAL] or 300.0):
            for name, (minimum, maximum, mean, count) in sorted(self.timings.snapshot().items()):
                log.info(
                    "Performance of %s: min %.06f max %.06f mean %.06f count %d", name, minimum, maximum, mean, count
                )

    # -- what plugins and methods ask for

    def add_metrics(self, refresh: Callable[[], None]) -> None:
        """Have `refresh` called before the metrics of this process are shown."""
        self._refreshers.append(refresh)

    def refresh_metrics(self) -> None:
        """Bring the metrics of plugins up to date."""
        for refresh in self._refreshers:
            refresh()

    def plugins_by_type(self, interface: type[T]) -> Sequence[T]:
        """The loaded plugins with an interface, in the order of ``(sort_order, name)``."""
        return self.plugins.by_type(interface)

    def metadata_source(self) -> MetadataSource:
        """The plugin that knows the clients; `MetadataRuntimeError` before it is loaded."""
        if self._metadata_source is None:
            raise MetadataRuntimeError("the metadata plugin is not loaded yet")
        return self._metadata_source

    @property
    def repository_version(self) -> int:
        """A number that is another one whenever a file, or the settings, may have changed."""
        return self.lock.changes

    @property
    def binder(self) -> Binder:
        """Binds entries; `CoreInitError` before plugins are loaded."""
        if self._binder is None:
            raise CoreInitError("no plugins are loaded yet")
        return self._binder

    def build_metadata(self, hostname: str) -> ClientMetadata:
        """The full metadata of a client; `MetadataError` if it is unknown or contradictory."""
        return self.metadata.build(hostname)

    def build_configuration(self, hostname: str) -> etree._Element:
        """A client's whole configuration, or an ``<error type=…/>`` element. `ValidationError` if it is refused."""
        with self.lock.shared():
            metadata = self._metadata_for_configuration(hostname)
            return error_document("metadata error") if metadata is None else build_configuration(self, metadata)

    def write_configuration(self, hostname: str) -> bytes:
        """The same as a document in ASCII, without a declaration."""
        with self.lock.shared():
            metadata = self._metadata_for_configuration(hostname)
            if metadata is None:
                return etree.tostring(error_document("metadata error"))
            return write_configuration(self, metadata)

    def _metadata_for_configuration(self, hostname: str) -> ClientMetadata | None:
        try:
            return self.build_metadata(hostname)
        except MetadataConsistencyError as err:
            log.error("%s: %s", hostname, err)
            return None

    def get_decisions(self, metadata: ClientMetadata, mode: str) -> list[tuple[str, str]]:
        """What every plugin that decides says for a mode, one after the other."""
        decisions: list[tuple[str, str]] = []
        for plugin in self.plugins.by_type(Decision):
            with guarded(plugin, "get_decisions", metadata):
                decisions += plugin.get_decisions(metadata, mode)
        return decisions
