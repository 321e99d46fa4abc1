"""The options of all parts of the program.

Options stand next to the code that uses them: those of a core in its class (`NetworkCore.options`), those of a plugin
in its class (`Plugin.options`). This module finds them by the tables `CORES` and `PLUGINS`;
`OPTION_MODULES` names the modules of all other parts. So ``server`` and ``config`` use the same options.

The top of this module imports nothing of the server: a core may have to prepare the process first.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geventcore.cores import BEST_CORE, CORES
from geventcore.errors import ConfigError, GeventcoreError, PluginInitError
from geventcore.options import LoadedSettings, Option, OptionSet
from geventcore.options.server import CORE, PLUGINS

if TYPE_CHECKING:
    from geventcore.core.network import NetworkCore

#: Modules with options of parts of the program other than cores and plugins, in the order of the manual.
OPTION_MODULES: tuple[str, ...] = (
    "geventcore.options.server",
    "geventcore.core.plugin_loading",
    "geventcore.core.network_options",
    "geventcore.core.tracing_options",
    "geventcore.admin.options",
    "geventcore.storage.options",
    "geventcore.tools.options",
    "geventcore.web.options",
)


@dataclass(frozen=True)
class Missing:
    """A core or plugin that cannot be imported.

    Attributes:
        kind: ``core`` or ``plugin``.
        name: the name in its table.
        reason: the error, which names the library.
    """

    kind: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}: {self.reason}"


@dataclass
class Components:
    """The options of several parts of the program.

    Attributes:
        options: the options of all parts that can be imported.
        missing: the other parts. That is an error only where such a part is used.
    """

    options: OptionSet = field(default_factory=OptionSet)
    missing: list[Missing] = field(default_factory=list)


def program_options() -> list[Option[Any]]:
    """Return the options of `OPTION_MODULES`, in the order of their definition."""
    return [
        value
        for name in OPTION_MODULES
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, Option)
    ]


def _load(path: str) -> Any:
    """Return the object at ``module:name`` or ``module.name``."""
    module, _, name = path.replace(":", ".").rpartition(".")
    return getattr(importlib.import_module(module), name)


def core_name(settings: LoadedSettings) -> str:
    """Return the name of the configured core.

    Raises:
        ConfigError: the value is wrong.
    """
    return settings[CORE] or BEST_CORE


def load_core_class(name: str, settings: LoadedSettings) -> type[NetworkCore]:
    """Import the class of a core, by its name in the table or, for a site's own, as ``package.module:Class``.

    Raises:
        ConfigError: there is no such class, or a library is missing.
    """
    from geventcore.core.network import NetworkCore

    where = f"{settings.source_of(CORE)}: {CORE.label} = {name}"
    if name not in CORES and "." not in name and ":" not in name:
        raise ConfigError(
            f"{where}: expected one of {', '.join(sorted(CORES))}, best, or package.module:Class for a core of your own"
        )
    try:
        core_class = _load(CORES.get(name, name))
    except (ImportError, AttributeError, TypeError, ValueError) as err:
        # The libraries of a core are an extra of the same name.
        hint = f"; install geventcore[{name}]" if name in CORES and isinstance(err, ModuleNotFoundError) else ""
        raise ConfigError(f"{where}: cannot load this core: {err}{hint}") from err
    if not (isinstance(core_class, type) and issubclass(core_class, NetworkCore)):
        raise ConfigError(f"{where}: {core_class!r} is not a class that derives from NetworkCore")
    return core_class


def add_configured(settings: LoadedSettings) -> list[GeventcoreError]:
    """Add to settings the options of the configured core and plugins; return why some of these cannot be loaded."""
    from geventcore.core.plugin_loading import MISSING_PLUGINS, load_configured
    from geventcore.plugin.registry import unique
    from geventcore.plugins import PLUGINS as PLUGIN_TABLE

    settings.options.add(*program_options())
    errors: list[GeventcoreError] = []
    try:
        settings.options.add(*load_core_class(core_name(settings), settings).options)
    except ConfigError as err:
        errors.append(err)
    try:
        names = settings[PLUGINS]
        are_skipped = settings[MISSING_PLUGINS] == "skip"
    except ConfigError as err:
        return [*errors, err]
    for name in unique(names):
        try:
            settings.options.add(*load_configured(name, settings).options)
        except PluginInitError as err:
            if name in PLUGIN_TABLE or not are_skipped:
                errors.append(err)
        except ValueError as err:
            errors.append(PluginInitError(f"plugin {name} cannot be loaded: {err}"))
    return errors


def all_components(options: Iterable[Option[Any]] = ()) -> Components:
    """Return `options` and those of all parts of the program, all cores and all plugins.

    An option that claims the place of another is left out: a site's own plugin may replace one that is not used.
    """
    from geventcore.plugins import PLUGINS as PLUGIN_TABLE

    components = Components(OptionSet(options))
    components.options.add(*program_options())
    for kind, table in (("core", CORES), ("plugin", PLUGIN_TABLE)):
        for name, path in table.items():
            try:
                declared = _load(path).options
            except ImportError as err:
                components.missing.append(Missing(kind, name, str(err)))
                continue
            for option in declared:
                with contextlib.suppress(ValueError):
                    components.options.add(option)
    return components
