"""``self.core`` of a plugin for Bcfg2: the server under Bcfg2's names.

Other plugins for Bcfg2 are seen as they are, those of the server through `geventcore.compat.views`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from weakref import WeakValueDictionary

from lxml import etree

from geventcore.compat import plugin_interfaces
from geventcore.compat.filemonitor import FileMonitor
from geventcore.compat.options import Setup
from geventcore.compat.views import view_of
from geventcore.errors import FAULT_CRITICAL, MetadataConsistencyError, RPCError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import MetadataSource


class LoadedPlugins(Mapping[str, Any]):
    """A live view of the loaded plugins: name -> plugin, in the order of loading."""

    def __init__(self, core: Bcfg2Core) -> None:
        self._core = core

    def __getitem__(self, name: str) -> Any:
        for plugin in self._core.context.plugins_by_type(Plugin):
            if plugin.name == name:
                return self._core.as_seen(plugin)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._core.context.all_plugin_names())

    def __len__(self) -> int:
        return len(list(self._core.context.all_plugin_names()))


class MetadataCache:
    """The cache of client metadata, which plugins can only expire."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    def expire(self, *hostnames: str | None) -> None:
        """Expire the metadata of some clients, or of all."""
        for hostname in hostnames or (None,):
            self._context.expire_metadata(hostname)


class Bcfg2Core:
    """The server.

    Attributes:
        context: the server's own plugin context, which offers more.
        plugins: name -> plugin.
        metadata_cache: has `expire`.
        fam: the file monitor.
        logger: a logger.
        datastore: the directory of the repository.
        encoding: the encoding of its texts.
        setup: the values of options, see `geventcore.compat.options.Setup`.
        terminate: an event that is set when the server stops.
        lock: a lock for data that several plugins share.
    """

    def __init__(self, context: PluginContext) -> None:
        self.context = context
        self.plugins: Mapping[str, Any] = LoadedPlugins(self)
        self.metadata_cache = MetadataCache(context)
        self.fam = FileMonitor(context)
        self.logger = logging.getLogger("geventcore.plugins")
        self.datastore = str(context.repository)
        self.setup = Setup(context)
        self.terminate = threading.Event()
        self.lock = self.db_write_lock = threading.RLock()
        self._views: dict[Plugin, Any] = {}

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"geventcore's core has no {name} for plugins", name=name, obj=self)

    @property
    def encoding(self) -> str:
        return self.context.encoding

    @property
    def revision(self) -> str:
        """The repository's revision, ``-1`` if nobody knows it."""
        return self.context.revision

    @property
    def metadata_cache_mode(self) -> str:
        return self.context.cache_mode

    def as_seen(self, plugin: object) -> Any:
        """Return a plugin as plugins for Bcfg2 see it."""
        legacy = getattr(plugin, "legacy", None)
        if legacy is not None or not isinstance(plugin, Plugin):
            return legacy
        view = self._views.get(plugin)
        if view is None:
            view = self._views[plugin] = view_of(plugin, self)
        return view

    def plugins_by_type(self, base_cls: type) -> list[Any]:
        """Return the loaded plugins of a class, in the order of ``(sort_order, name)``."""
        seen = [self.as_seen(plugin) for plugin in self.context.plugins_by_type(Plugin)]
        return [plugin for plugin in seen if isinstance(plugin, base_cls)]

    @property
    def metadata(self) -> Any:
        """The plugin that knows the clients; `MetadataRuntimeError` before it is loaded."""
        source: MetadataSource = self.context.metadata_source
        return self.as_seen(source)

    def build_metadata(self, client_name: str) -> ClientMetadata:
        return self.context.build_metadata(client_name)

    def Bind(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        self.context.bind_entry(entry, metadata)

    def BuildConfiguration(self, client: str) -> etree._Element:
        try:
            return self.context.build_configuration(client)
        except MetadataConsistencyError as err:
            self.logger.error("cannot build the configuration of %s: %s", client, err)
            return etree.Element("error", type="metadata error")

    def GetStructures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return the structures of all structure plugins."""
        found: list[etree._Element] = []
        for plugin in self.plugins_by_type(plugin_interfaces.Structure):
            found += plugin.BuildStructures(metadata)
        return found

    def GetDecisions(self, metadata: ClientMetadata, mode: str) -> list[Any]:
        """Return the decisions of all decision plugins."""
        found: list[Any] = []
        for plugin in self.plugins_by_type(plugin_interfaces.Decision):
            found += plugin.GetDecisions(metadata, mode)
        return found

    def expire_caches_by_type(self, base_cls: type, key: Any = None) -> None:
        """Expire the caches of plugins of a class; for a metadata class, also the client metadata."""
        if issubclass(base_cls, plugin_interfaces.Metadata):
            self.context.expire_metadata(key)
        for plugin in self.plugins_by_type(base_cls):
            if isinstance(plugin, plugin_interfaces.Caching):
                plugin.expire_cache(key)

    def critical_error(self, message: str) -> NoReturn:
        """End the client's run with a fault."""
        self.logger.error("%s", message)
        raise RPCError(FAULT_CRITICAL, f"Critical failure: {message}")


#: The cores, by the id of their context, which a core keeps alive.
_cores: WeakValueDictionary[int, Bcfg2Core] = WeakValueDictionary()
_cores_lock = threading.Lock()


def core_of(context: PluginContext) -> Bcfg2Core:
    """Return the core for a context. All plugins for Bcfg2 share it."""
    with _cores_lock:
        core = _cores.get(id(context))
        if core is None:
            core = _cores[id(context)] = Bcfg2Core(context)
        return core
