"""From names in ``[server] plugins`` to plugin classes.

Builtin plugins are rows of a string table, name -> ``module:class``, so that listing them imports nothing and an
optional library breaks only the plugin that needs it. A dotted name is a site's own: ``package.module.Class``, or
``package.module`` for a class named like the module. It may have been written for Bcfg2.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from geventcore.errors import PluginInitError
from geventcore.plugin.base import Plugin

#: Loads the class of a site's own plugin, or an adapter of it.
SITE_PLUGINS = "geventcore.compat.loading:load_site_plugin"
#: Makes the builtins of a module of the site that is no part of a package.
SITE_BUILTINS = "geventcore.compat.importing:site_builtins"


def load_object(path: str) -> Any:
    """The object at ``module:name``; `ImportError` or `AttributeError` if there is none."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def load_plugin_class(name: str, table: Mapping[str, str]) -> type[Plugin]:
    """The class of a plugin; `PluginInitError` says why there is none."""
    try:
        if name in table:
            found = load_object(table[name])
        elif "." in name:
            found = load_object(SITE_PLUGINS)(name)
        else:
            raise PluginInitError(f"no plugin has the name {name!r}; there are {', '.join(sorted(table))}")
    except (ImportError, AttributeError) as err:
        raise PluginInitError(f"plugin {name} cannot be loaded: {err}") from err
    if not (isinstance(found, type) and issubclass(found, Plugin)):
        raise PluginInitError(f"plugin {name}: {found!r} is not a plugin class")
    return found


def unique(names: Iterable[str]) -> list[str]:
    """Names in their order, each once."""
    return list(dict.fromkeys(names))
