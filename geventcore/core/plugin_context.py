"""What the core gives its plugins: see `geventcore.plugin.context.PluginContext`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from lxml import etree

from geventcore.filemonitor import FileMonitor
from geventcore.options.common import ENCODING
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import MetadataSource
from geventcore.render.bind_times import BindTimes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from geventcore.core.base import Core
    from geventcore.storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


class CorePluginContext:
    """The narrow view of a core that its plugins have."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def settings(self) -> LoadedSettings:
        return self._core.settings

    @property
    def repository(self) -> Path:
        return self._core.repository

    @property
    def encoding(self) -> str:
        return self._core.settings[ENCODING]

    @property
    def file_monitor(self) -> FileMonitor:
        return self._core.file_monitor

    @property
    def metadata_source(self) -> MetadataSource:
        return self._core.metadata_source()

    @property
    def cache_mode(self) -> str:
        return self._core.cache_mode

    @property
    def revision(self) -> str:
        return self._core.revision

    @property
    def database(self) -> Database:
        return self._core.databases.main()

    @property
    def reporting_database(self) -> Database:
        return self._core.databases.reporting()

    def plugins_by_type(self, interface: type[T]) -> list[T]:
        return self._core.plugins.by_type(interface)

    def build_metadata(self, hostname: str) -> ClientMetadata:
        return self._core.build_metadata(hostname)

    def expire_metadata(self, hostname: str | None = None) -> None:
        self._core.shared_state.expire_metadata(hostname)

    def change_clients(
        self, hostnames: Sequence[str], function: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        return self._core.shared_state.change_clients(hostnames, function, item)

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        times = BindTimes()
        try:
            self._core.binder.bind(entry, metadata, times)
        finally:
            times.count()

    def build_configuration(self, hostname: str) -> etree._Element:
        return self._core.build_configuration(hostname)

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._core.offload(function, *args, **kwargs)

    def breathe(self) -> None:
        self._core.breathe()

    def measure(self, name: str, seconds: float) -> None:
        self._core.timings.add(name, seconds)

    def add_metrics(self, refresh: Callable[[], None]) -> None:
        self._core.add_metrics(refresh)

    def repository_changed(self) -> None:
        self._core.lock.note_change()

    def handle_file_events(self) -> None:
        self._core.shared_state.handle_file_events()

    def subscribe(self, topic: str, handler: Callable[[Any], Any]) -> None:
        self._core.bus.subscribe(topic, handler)

    def tell_others(self, topic: str, message: Any) -> list[Any]:
        return self._core.bus.tell(topic, message)

    def all_plugin_names(self) -> Iterable[str]:
        return list(self._core.plugins.by_name)
