"""The view of the server that plugins have: see `geventcore.plugin.context.PluginContext`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from lxml import etree

from geventcore.core.databases import Databases
from geventcore.core.metadata_building import MetadataService
from geventcore.core.plugin_loading import PluginTable
from geventcore.core.rendering import Renderer
from geventcore.filemonitor import FileMonitor
from geventcore.metrics.snapshot import Sampler
from geventcore.metrics.timings import Timings
from geventcore.options.server import ENCODING
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import MetadataSource
from geventcore.plugin.result_store import ResultStore
from geventcore.repository.repository import Repository
from geventcore.workers.broadcasts import Broadcasts
from geventcore.workers.bus import Bus

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from geventcore.storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


class Server(Protocol):
    """The parts of a server that plugins reach through their context."""

    @property
    def settings(self) -> LoadedSettings: ...
    @property
    def cache_mode(self) -> str: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def readiness_notes(self) -> dict[str, Callable[[], str]]: ...
    @property
    def repository(self) -> Repository: ...
    @property
    def plugins(self) -> PluginTable: ...
    @property
    def metadata(self) -> MetadataService: ...
    @property
    def renderer(self) -> Renderer: ...
    @property
    def databases(self) -> Databases: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def broadcasts(self) -> Broadcasts: ...
    @property
    def timings(self) -> Timings: ...
    @property
    def sampler(self) -> Sampler: ...

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def breathe(self) -> None: ...


class CorePluginContext:
    """The view that the plugins of a server have."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def settings(self) -> LoadedSettings:
        return self._server.settings

    @property
    def repository(self) -> Path:
        return self._server.repository.path

    @property
    def read_only(self) -> bool:
        return self._server.read_only

    @property
    def encoding(self) -> str:
        return self._server.settings[ENCODING]

    @property
    def file_monitor(self) -> FileMonitor:
        return self._server.repository.file_monitor

    @property
    def metadata_source(self) -> MetadataSource:
        return self._server.plugins.metadata_source

    @property
    def cache_mode(self) -> str:
        return self._server.cache_mode

    @property
    def revision(self) -> str:
        return self._server.repository.revision

    @property
    def database(self) -> Database:
        return self._server.databases.main()

    @property
    def reporting_database(self) -> Database:
        return self._server.databases.reporting()

    @property
    def results(self) -> ResultStore:
        return self._server.renderer.results

    def plugins_by_type(self, interface: type[T]) -> list[T]:
        return self._server.plugins.by_type(interface)

    def build_metadata(self, hostname: str) -> ClientMetadata:
        return self._server.metadata.build(hostname)

    def expire_metadata(self, hostname: str | None = None) -> None:
        self._server.broadcasts.expire_metadata(hostname)

    def forget_client(self, hostname: str) -> None:
        self._server.broadcasts.forget_client(hostname)

    def change_clients(
        self, hostnames: Sequence[str], function: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        return self._server.broadcasts.change_clients(hostnames, function, item)

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        self._server.renderer.bind_entry(entry, metadata)

    def build_configuration(self, hostname: str) -> etree._Element:
        return self._server.renderer.build(hostname)

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._server.offload(function, *args, **kwargs)

    def breathe(self) -> None:
        self._server.breathe()

    def measure(self, name: str, seconds: float) -> None:
        self._server.timings.add(name, seconds)

    def add_metrics(self, refresh: Callable[[], None]) -> None:
        self._server.sampler.add(refresh)

    def add_readiness_note(self, name: str, note: Callable[[], str]) -> None:
        self._server.readiness_notes[name] = note

    def repository_changed(self) -> None:
        self._server.repository.note_change()

    def handle_file_events(self) -> None:
        self._server.broadcasts.handle_file_events()

    def subscribe(self, topic: str, handler: Callable[[Any], Any]) -> None:
        self._server.bus.subscribe(topic, handler)

    def tell_others(self, topic: str, message: Any) -> list[Any]:
        return self._server.bus.tell(topic, message)

    def all_plugin_names(self) -> Iterable[str]:
        return list(self._server.plugins.by_name)
