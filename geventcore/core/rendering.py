"""The configurations of clients: a part of the core that has all that rendering needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol, TypeVar

from lxml import etree

from geventcore.core.configuration import Configuration
from geventcore.core.metadata_building import MetadataService
from geventcore.core.plugin_loading import PluginTable
from geventcore.errors import CoreInitError
from geventcore.filemonitor import Effect
from geventcore.metrics.timings import Timings
from geventcore.options.server import MISSING_BUNDLES
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Decision, Generator
from geventcore.plugin.result_store import ResultStore
from geventcore.render.answers import AnswerStore, PluginDependencies
from geventcore.render.bind_times import BindTimes
from geventcore.render.binder import Binder
from geventcore.render.captured_logs import install
from geventcore.render.entry_store import EntryStore
from geventcore.render.guard import guarded
from geventcore.render.pipeline import build_configuration, write_configuration
from geventcore.repository.repository import Repository

T = TypeVar("T")


class Scheduler(Protocol):
    """The way in which a core lets clients take turns."""

    def breathe(self) -> None:
        """Let others run after a while of computing."""


class Renderer:
    """Renders the configurations of clients.

    It is what the steps of a render see: `geventcore.render.steps.RenderServices`.

    Attributes:
        entry_store: what is kept from one configuration to the next.
        answers: the last answers of clients.
        plugin_dependencies: what the loaded plugins say that they depend on.
        results: the results of templates that are kept.
        timings: takes durations.
    """

    def __init__(
        self,
        repository: Repository,
        plugins: PluginTable,
        metadata: MetadataService,
        timings: Timings,
        scheduler: Scheduler,
        store_bytes: int,
        answer_bytes: int,
        configuration: Configuration,
    ) -> None:
        """`store_bytes` limits `entry_store` and `results` together, `answer_bytes` limits `answers`."""
        install()
        self.answers = AnswerStore(answer_bytes)
        self.plugin_dependencies = PluginDependencies(())
        self.results = ResultStore(store_bytes // 4)
        self.entry_store = EntryStore(store_bytes - store_bytes // 4)
        self.timings = timings
        self.breathe = scheduler.breathe
        self._repository = repository
        self._plugins = plugins
        self._metadata = metadata
        self._configuration = configuration
        self._binder: Binder | None = None

    def use_loaded_plugins(self) -> None:
        """Bind with the generators that are loaded."""
        self._binder = Binder(self._plugins.by_type(Generator), self.timings)
        self.plugin_dependencies = PluginDependencies(self._plugins)

    @property
    def binder(self) -> Binder:
        """The binder of entries; `CoreInitError` before plugins are loaded."""
        if self._binder is None:
            raise CoreInitError("no plugins are loaded yet")
        return self._binder

    @property
    def settings(self) -> LoadedSettings:
        """The current settings."""
        return self._configuration.settings

    @property
    def repository_version(self) -> int:
        """See `Repository.version`."""
        return self._repository.version

    def effect_since(self, version: int) -> Effect:
        """See `Repository.effect_since`."""
        return self._repository.effect_since(version)

    @property
    def revision(self) -> str:
        """See `Repository.revision`."""
        return self._repository.revision

    @property
    def missing_bundles(self) -> str:
        """The value of ``[server] missing_bundles``."""
        return self._configuration.settings[MISSING_BUNDLES]

    def plugins_by_type(self, interface: type[T]) -> Sequence[T]:
        """The loaded plugins with an interface, in the order of ``(sort_order, name)``."""
        return self._plugins.by_type(interface)

    def build(self, hostname: str) -> etree._Element:
        """A client's whole configuration, or an ``<error type=…/>`` element if its structures cannot be built.

        Raises `MetadataError` if the client is unknown or its metadata contradict each other, `ValidationError` if a
        validator refuses the configuration.
        """
        with self._repository.lock.shared():
            return build_configuration(self, self._metadata.build(hostname))

    def write(self, hostname: str, reading: Callable[[], AbstractContextManager[None]] = nullcontext) -> bytes:
        """The same as a document in ASCII, without a declaration. `reading` is entered while the repository is read."""
        with self._repository.lock.shared(), reading():
            return write_configuration(self, self._metadata.build_own(hostname))

    def touched_by(self, paths: Iterable[Path], hostnames: Iterable[str]) -> list[str]:
        """Return those of some clients whose configurations a change of files of the repository can touch.

        That is known of clients with a kept answer; all others are returned. Changes of metadata, such as of property
        files, and of bundles count as touching everybody.
        """
        effects = [self._repository.file_monitor.effect_of(str(path)) for path in paths]
        parts = frozenset().union(*(effect for effect in effects if effect))
        if not all(effects) or any(tag == "Bundle" for tag, _ in parts):
            return list(hostnames)
        return [
            name
            for name in hostnames
            if (answer := self.answers.get(name)) is None
            or any(kept.is_open or kept.is_touched(parts, frozenset()) for kept in answer.structures)
        ]

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind one entry in place; `PluginExecutionError` if no generator can."""
        times = BindTimes()
        try:
            self.binder.bind(entry, metadata, times)
        finally:
            times.count()

    def get_decisions(self, metadata: ClientMetadata, mode: str) -> list[tuple[str, str]]:
        """The decisions of all plugins for a mode, one plugin after the other."""
        decisions: list[tuple[str, str]] = []
        for plugin in self._plugins.by_type(Decision):
            with guarded(plugin, "get_decisions", metadata):
                given = list(plugin.get_decisions(metadata, mode))
                for decision in given:
                    if isinstance(decision, str) or len(decision) != 2:
                        raise TypeError(f"expected pairs of tag and name, not {decision!r}")
                decisions += given
        return decisions
