"""Loading the plugins that ``[server] plugins`` names.

Order: as listed, each once. A plugin that declares conflicts unloads those plugins that were loaded before it. The
metadata source is the first of its kind in the order of ``(sort_order, name)``; without one there is no server. If no
plugin decides on access, `DefaultACL` does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, cast

from geventcore.compat.current import set_context
from geventcore.errors import CoreInitError, GeventcoreError, PluginInitError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ClientACLs, MetadataSource
from geventcore.plugin.registry import load_plugin_class, unique
from geventcore.plugins import PLUGINS

log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT_ACL = "DefaultACL"


class PluginTable:
    """The loaded plugins."""

    def __init__(self) -> None:
        self.by_name: dict[str, Plugin] = {}
        self._by_type: dict[type, list[Plugin]] = {}

    def add(self, plugin: Plugin) -> None:
        """Add a plugin under its name."""
        self.by_name[plugin.name] = plugin
        self._by_type.clear()

    def remove(self, name: str) -> Plugin:
        """Take a plugin out."""
        self._by_type.clear()
        return self.by_name.pop(name)

    def by_type(self, interface: type[T]) -> list[T]:
        """The plugins with an interface, in the order of ``(sort_order, name)``; the list belongs to the caller."""
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


MISSING_PLUGINS = Option(
    "server",
    "missing_plugins",
    types.choice("stop", "skip"),
    "stop",
    "What to do about a plugin that cannot be found: stop the start, or skip it with an error in the log.\n\n"
    "Clients of a server that lacks a plugin may get a configuration that lacks entries.",
    at_start=True,
)


def plugin_classes(names: Iterable[str], missing: str = "stop") -> list[type[Plugin]]:
    """The classes of the named plugins, each once.

    One that cannot be loaded is a `PluginInitError`; if `missing` is ``skip``, names that nobody knows are left out.
    """
    classes = []
    for name in unique(names):
        try:
            classes.append(load_plugin_class(name, PLUGINS))
        except PluginInitError as err:
            if missing != "skip" or name in PLUGINS:
                raise
            log.error("%s; it is skipped", err)
    return classes


def load_plugins(classes: Sequence[type[Plugin]], context: PluginContext, table: PluginTable) -> None:
    """Instantiate plugins in order into `table`; `PluginInitError` names the one that fails.

    What was loaded before a failure stays in the table, so that the caller can shut it down.
    """
    set_context(context)
    conflicts: dict[str, list[str]] = {}
    for plugin_class in classes:
        name = plugin_class.name
        conflicts[name] = [other for other in plugin_class.conflicts if other in table.by_name]
        if plugin_class.experimental:
            log.info("Plugin %s is experimental: its options and formats may change", name)
        if plugin_class.deprecated:
            log.info("Plugin %s is deprecated", name)
        table.add(_instantiate(plugin_class, context))
    for name, others in conflicts.items():
        for other in others:
            if other in table.by_name:
                log.warning("Plugin %s conflicts with %s, which is unloaded", name, other)
                table.remove(other).shutdown()
    if not table.by_type(ClientACLs):
        table.add(_instantiate(load_plugin_class(DEFAULT_ACL, PLUGINS), context))


def _instantiate(plugin_class: type[Plugin], context: PluginContext) -> Plugin:
    try:
        return plugin_class(context)
    except PluginInitError as err:
        raise PluginInitError(f"plugin {plugin_class.name} cannot be loaded: {err}") from err
    except (OSError, GeventcoreError) as err:
        raise PluginInitError(f"plugin {plugin_class.name} cannot be loaded: {err}") from err
    except Exception as err:
        log.debug("plugin %s", plugin_class.name, exc_info=err)
        raise PluginInitError(f"plugin {plugin_class.name} cannot be loaded: {type(err).__name__}: {err}") from err


def find_metadata_source(table: PluginTable) -> MetadataSource:
    """The plugin that knows the clients; `CoreInitError` if there is none."""
    sources = table.by_type(MetadataSource)
    if not sources:
        raise CoreInitError("no plugin in [server] plugins knows the clients; add Metadata")
    if len(sources) > 1:
        names = ", ".join(str(getattr(source, "name", source)) for source in sources)
        log.error("Several plugins know the clients: %s; the first is asked", names)
    return sources[0]
