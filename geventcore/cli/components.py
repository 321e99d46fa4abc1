"""All options that there are: those of the program's parts, and those of plugins.

Options stand next to the code that uses them. Here is the table of the modules that have some, so that ``config`` can
check, show and explain all of them. The options of a plugin are in its class (`Plugin.options`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from geventcore.errors import PluginInitError
from geventcore.options import Option, OptionSet

#: Modules with options of parts of the program other than plugins, in the order of the manual.
OPTION_MODULES: tuple[str, ...] = (
    "geventcore.options.common",
    "geventcore.core.plugin_loading",
    "geventcore.core.network_options",
    "geventcore.core.admin_options",
    "geventcore.storage.options",
    "geventcore.cores.gevent.options",
    "geventcore.cores.builtin",
)


@dataclass
class Components:
    """What components contributed.

    Attributes:
        options: all their options.
        plugin_errors: why the options of some plugins are not among them.
        missing_libraries: the same of parts of the program. That is no error unless the part is used.
    """

    options: OptionSet = field(default_factory=OptionSet)
    plugin_errors: list[PluginInitError] = field(default_factory=list)
    missing_libraries: list[str] = field(default_factory=list)


def options_of(module: ModuleType) -> list[Option[Any]]:
    """The options that a module defines or imports, in the order of their definition."""
    return [value for value in vars(module).values() if isinstance(value, Option)]


def load_components(plugin_names: Iterable[str], options: OptionSet | None = None) -> Components:
    """The options of the program and of plugins, added to `options` if there are some already.

    It imports them; what cannot be imported is left out, and said.
    """
    from geventcore.plugin.registry import load_plugin_class, unique
    from geventcore.plugins import PLUGINS

    components = Components(options if options is not None else OptionSet())
    for name in OPTION_MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError as err:
            components.missing_libraries.append(f"{name} cannot be loaded: {err}")
        else:
            components.options.add(*options_of(module))
    for name in unique(plugin_names):
        try:
            components.options.add(*load_plugin_class(name, PLUGINS).options)
        except PluginInitError as err:
            components.plugin_errors.append(err)
        except ValueError as err:
            components.plugin_errors.append(PluginInitError(f"plugin {name} cannot be loaded: {err}"))
    return components
