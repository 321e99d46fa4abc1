"""Loading the plugins that ``[server] plugins`` names.

Order: as listed, each once. A plugin that declares conflicts unloads those plugins that were loaded before it. The
metadata source is the first of its kind in the order of ``(sort_order, name)``; without one there is no server. If no
plugin decides on access, `DefaultACL` does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, TypeVar, cast

from geventcore.compat.current import set_context
from geventcore.errors import CoreInitError, GeventcoreError, MetadataRuntimeError, PluginInitError
from geventcore.options import Option, types
from geventcore.options.server import PLUGINS
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.base import Plugin
from geventcore.plugin.context import PluginContext
from geventcore.plugin.failures import describe
from geventcore.plugin.interfaces import ClientACLs, MetadataSource
from geventcore.plugin.registry import UnknownPluginError, load_plugin_class, unique
from geventcore.plugins import PLUGINS as PLUGIN_CLASSES
from geventcore.render.guard import guarded

log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT_ACL = "DefaultACL"


MISSING_PLUGINS = Option(
    "server",
    "missing_plugins",
    types.choice("stop", "skip"),
    "stop",
    "What to do about a plugin that cannot be found: stop the start, or skip it with an error in the log.\n\n"
    "Clients of a server that lacks a plugin may get a configuration that lacks entries.",
    at_start=True,
)


class PluginTable:
    """The plugins of a server: imported, then loaded."""

    def __init__(self) -> None:
        self.by_name: dict[str, Plugin] = {}
        self._by_type: dict[type, list[Plugin]] = {}
        self._classes: list[type[Plugin]] = []
        self._metadata_source: MetadataSource | None = None

    @property
    def imported_names(self) -> list[str]:
        """The names of the plugins that are imported, loaded or not."""
        return [plugin_class.name for plugin_class in self._classes]

    def import_classes(self, settings: LoadedSettings) -> None:
        """Import the plugins that ``[server] plugins`` names, and check their options; only once.

        A server does it while it still has the rights that it was started with. `PluginInitError` or `ConfigError`.
        """
        if self._classes:
            return
        self._classes = plugin_classes(settings)
        options: list[Option[Any]] = [option for plugin_class in self._classes for option in plugin_class.options]
        settings.options.add(*options)
        settings.check(options)

    def load(self, context: PluginContext) -> None:
        """Instantiate the imported plugins in order.

        `PluginInitError` names the plugin that fails; `CoreInitError` if no plugin knows the clients. What was loaded
        before stays in the table, so that `shutdown` reaches it.
        """
        set_context(context)
        conflicts: dict[str, list[str]] = {}
        for plugin_class in self._classes:
            name = plugin_class.name
            conflicts[name] = [other for other in plugin_class.conflicts if other in self.by_name]
            if plugin_class.experimental:
                log.info("Plugin %s is experimental: its options and formats may change", name)
            if plugin_class.deprecated:
                log.info("Plugin %s is deprecated", name)
            self._add(_instantiate(plugin_class, context))
        for name, others in conflicts.items():
            for other in others:
                if other in self.by_name:
                    log.warning("Plugin %s conflicts with %s, which is unloaded", name, other)
                    self._remove(other).shutdown()
        if not self.by_type(ClientACLs):
            self._add(_instantiate(load_plugin_class(DEFAULT_ACL, PLUGIN_CLASSES), context))
        self._metadata_source = self._find_metadata_source()

    def _add(self, plugin: Plugin) -> None:
        self.by_name[plugin.name] = plugin
        self._by_type.clear()

    def _remove(self, name: str) -> Plugin:
        self._by_type.clear()
        return self.by_name.pop(name)

    def _find_metadata_source(self) -> MetadataSource:
        sources = self.by_type(MetadataSource)
        if not sources:
            raise CoreInitError("no plugin in [server] plugins knows the clients; add Metadata")
        if len(sources) > 1:
            names = ", ".join(str(getattr(source, "name", source)) for source in sources)
            log.error("Several plugins know the clients: %s; the first is asked", names)
        return sources[0]

    @property
    def metadata_source(self) -> MetadataSource:
        """The plugin that knows the clients; `MetadataRuntimeError` before it is loaded."""
        if self._metadata_source is None:
            raise MetadataRuntimeError("the metadata plugin is not loaded yet")
        return self._metadata_source

    def by_type(self, interface: type[T]) -> list[T]:
        """Return a new list of the plugins with an interface, in the order of ``(sort_order, name)``."""
        found = self._by_type.get(interface)
        if found is None:
            found = sorted(
                (plugin for plugin in self.by_name.values() if isinstance(plugin, interface)),
                key=lambda plugin: (plugin.sort_order, plugin.name),
            )
            self._by_type[interface] = found
        return cast("list[T]", list(found))

    def __iter__(self) -> Iterator[Plugin]:
        return iter(list(self.by_name.values()))

    def shutdown(self) -> None:
        """End every plugin."""
        for plugin in self:
            with guarded(plugin, "shutdown", None):
                plugin.shutdown()


def load_configured(name: str, settings: LoadedSettings) -> type[Plugin]:
    """Return the class of a configured plugin; `PluginInitError` with the place of a wrong name."""
    try:
        return load_plugin_class(name, PLUGIN_CLASSES)
    except UnknownPluginError as err:
        raise UnknownPluginError(f"{settings.source_of_word(PLUGINS, name)}: {PLUGINS.label}: {err}") from err


def plugin_classes(settings: LoadedSettings) -> list[type[Plugin]]:
    """Return the classes of the configured plugins, each once.

    One that cannot be loaded is a `PluginInitError`. With ``[server] missing_plugins = skip``, names that nobody knows
    are left out.
    """
    classes = []
    names = settings[PLUGINS]
    for name in unique(names):
        try:
            classes.append(load_configured(name, settings))
        except PluginInitError as err:
            if settings[MISSING_PLUGINS] != "skip" or name in PLUGIN_CLASSES:
                raise
            log.error("%s; it is skipped", err)
    return classes


def _instantiate(plugin_class: type[Plugin], context: PluginContext) -> Plugin:
    try:
        return plugin_class(context)
    except (OSError, GeventcoreError) as err:
        raise PluginInitError(f"plugin {plugin_class.name} cannot be loaded: {err}") from err
    # Any other failure is a mistake in the plugin's code, whose author needs the traceback.
    except Exception as err:
        log.error("the plugin %s failed in __init__:", plugin_class.name, exc_info=err)
        raise PluginInitError(f"plugin {plugin_class.name} cannot be loaded: {describe(err)}") from err
