"""Loading a site's plugin by its dotted name. A plugin for Bcfg2 gets an adapter."""

from __future__ import annotations

import importlib
from types import ModuleType

from geventcore.compat.adapters import adapter_class
from geventcore.compat.importing import loading_site_code
from geventcore.compat.plugin_base import Plugin as Bcfg2Plugin
from geventcore.errors import GeventcoreError, PluginInitError
from geventcore.plugin.base import Plugin
from geventcore.plugin.failures import describe, location, searched


def load_site_plugin(name: str) -> type[Plugin]:
    """Load the class ``package.module.Class``, or ``module`` (in a package or not) with a class named like the module.

    `PluginInitError` has one line with the plugin, and with file and line if the plugin's code fails.
    """
    try:
        with loading_site_code():
            found = _find(name)
    except GeventcoreError as err:
        where = location(err.__traceback__)
        raise PluginInitError(f"plugin {name} cannot be loaded: {where + ': ' if where else ''}{err}") from err
    # Any failure of a site's module during import, even sys.exit, becomes one clear line.
    except (Exception, SystemExit) as err:
        raise PluginInitError(f"plugin {name} cannot be loaded: {describe(err)}") from err
    if isinstance(found, type) and issubclass(found, Bcfg2Plugin):
        return adapter_class(found)
    if isinstance(found, type) and issubclass(found, Plugin):
        return found
    raise PluginInitError(
        f"plugin {name}: {found!r} is not a plugin class: it derives neither from geventcore.plugin.base.Plugin nor "
        "from Bcfg2.Server.Plugin.Plugin"
    )


def _find(name: str) -> object:
    module_name, _, last = name.rpartition(".")
    try:
        parent = importlib.import_module(module_name or last)
    except ModuleNotFoundError as err:
        if err.name is None or not f"{module_name or last}.".startswith(f"{err.name}."):
            raise
        raise PluginInitError(f"{err}{searched()}") from None
    found = getattr(parent, last, None)
    if found is None and not module_name:
        raise PluginInitError(f"{_where(parent)} has no class {last}")
    if found is None or isinstance(found, ModuleType):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as err:
            if err.name != name:
                raise
            raise PluginInitError(f"{_where(parent)} has no class {last}") from None
        found = getattr(module, last, None)
        if found is None:
            raise PluginInitError(f"{_where(module)} has no class {last}")
    return found


def _where(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or module.__name__)
