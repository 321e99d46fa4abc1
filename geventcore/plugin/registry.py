"""From names in ``[server] plugins`` to plugin classes.

Builtin plugins are rows of a string table, name -> ``module:class``, so that listing them imports nothing and an
optional library breaks only the plugin that needs it. A dotted name is a site's own: ``package.module.Class``, or
``package.module`` for a class named like the module.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from geventcore.errors import PluginInitError
from geventcore.plugin.base import Plugin


def load_object(path: str) -> Any:
    """The object at ``module:name``; `ImportError` or `AttributeError` if there is none."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _load_dotted(name: str) -> Any:
    module_name, _, last = name.rpartition(".")
    module = importlib.import_module(module_name)
    found = getattr(module, last, None)
    if isinstance(found, type):
        return found
    return getattr(importlib.import_module(name), last)


def load_plugin_class(name: str, table: Mapping[str, str]) -> type[Plugin]:
    """The class of a plugin; `PluginInitError` says why there is none."""
    try:
        if name in table:
            found = load_object(table[name])
        elif "." in name:
            found = _load_dotted(name)
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
