"""The lookup of plugin classes by their names in ``[server] plugins``.

Builtin plugins are rows of a string table, name -> ``module:class``. So listing them imports nothing, and a missing
optional library breaks only the plugin that needs it. Another name is a site's own plugin: ``package.module.Class``,
or ``package.module`` or ``module`` for a class named like the module. It may have been written for Bcfg2.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from importlib.machinery import ModuleSpec
from typing import Any

from geventcore.errors import PluginInitError
from geventcore.plugin.base import Plugin
from geventcore.plugin.gone import GONE_PLUGINS

#: The function that loads the class of a site's own plugin, or an adapter for it.
SITE_PLUGINS = "geventcore.compat.loading:load_site_plugin"
#: The function that creates the builtins of a site module which is not part of a package.
SITE_BUILTINS = "geventcore.compat.importing:site_builtins"


def load_object(path: str) -> Any:
    """Import the object at ``module:name``; `ImportError` or `AttributeError` if it does not exist."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


class UnknownPluginError(PluginInitError):
    """There is no plugin of a name."""


def _unknown(name: str, table: Mapping[str, str]) -> str:
    """Return what to do about a name: the replacement, the nearest name, or all names."""
    if name in GONE_PLUGINS:
        return f"plugin {name} of Bcfg2 does not exist here: {GONE_PLUGINS[name]}"
    by_lower_case = {known.lower(): known for known in table}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    hint = f"did you mean {by_lower_case[close[0]]}?" if close else f"expected one of {', '.join(sorted(table))}"
    return f"unknown plugin {name!r}; {hint}"


def load_plugin_class(name: str, table: Mapping[str, str]) -> type[Plugin]:
    """Load the class of a plugin; `PluginInitError` if that fails, `UnknownPluginError` if there is none."""
    try:
        if name in table:
            found = load_object(table[name])
        elif "." in name or find_module(name) is not None:
            found = load_object(SITE_PLUGINS)(name)
        else:
            raise UnknownPluginError(_unknown(name, table))
    except (ImportError, AttributeError) as err:
        raise PluginInitError(f"plugin {name} cannot be loaded: {err}") from err
    if not (isinstance(found, type) and issubclass(found, Plugin)):
        raise PluginInitError(f"plugin {name}: {found!r} is not a plugin class")
    return found


def find_module(name: str) -> ModuleSpec | None:
    """Find a module of Python's path without importing it; None if there is none of this name."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def unique(names: Iterable[str]) -> list[str]:
    """Remove duplicate names; keep the order."""
    return list(dict.fromkeys(names))
