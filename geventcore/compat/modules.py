"""The modules that site code gets for ``import Bcfg2.…``: thin ones, that hold the public names of modules here.

They are made when they are first imported, and are known only to `import_served`.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from geventcore.plugin.registry import load_object

ROOT = "Bcfg2"
PLUGINS = "Bcfg2.Server.Plugins"

#: Name of a module -> the modules here whose public names (``__all__``) it has.
MODULES: dict[str, tuple[str, ...]] = {
    "Bcfg2": (),
    "Bcfg2.Cache": ("tag_cache_13",),
    "Bcfg2.Compat": ("python2",),
    "Bcfg2.Logger": ("logger",),
    "Bcfg2.Options": ("options",),
    "Bcfg2.Options.Types": ("option_types",),
    "Bcfg2.Server": ("server",),
    "Bcfg2.Server.Cache": ("tag_cache",),
    "Bcfg2.Server.Core": ("server_core",),
    "Bcfg2.Server.FileMonitor": ("filemonitor",),
    "Bcfg2.Server.Lint": ("lint",),
    "Bcfg2.Server.Plugin": (
        *("plugin_base", "plugin_interfaces", "plugin_errors", "plugin_functions"),
        *("plugin_files", "plugin_structfiles", "plugin_priorities", "plugin_entries", "plugin_database"),
    ),
    "Bcfg2.Server.Plugin.base": ("plugin_base",),
    "Bcfg2.Server.Plugin.exceptions": ("plugin_errors",),
    "Bcfg2.Server.Plugin.helpers": (
        *("plugin_functions", "plugin_files", "plugin_structfiles", "plugin_priorities", "plugin_entries"),
        "plugin_database",
    ),
    "Bcfg2.Server.Plugin.interfaces": ("plugin_interfaces",),
    "Bcfg2.Server.Plugins": (),
    "Bcfg2.Server.Statistics": ("statistics",),
    "Bcfg2.Statistics": ("statistics",),
    "Bcfg2.Utils": ("utils",),
    "Bcfg2.version": ("version",),
}

#: Plugin -> further names in its module -> ``module:name``.
PLUGIN_NAMES: dict[str, dict[str, str]] = {
    "Ldap": {name: f"geventcore.plugins.ldap:{name}" for name in ("LdapConnection", "LdapQuery", "LdapSubQuery")},
    "Metadata": {
        name: f"geventcore.compat.metadata:{name}" for name in ("ClientMetadata", "MetadataGroup", "MetadataQuery")
    },
    "Probes": {"ProbeData": "geventcore.plugins.probes.probe_data:ProbeData"},
}

#: Names that plugins for Bcfg2 may look for and that are left out, with the reason.
LEFT_OUT = {
    "Bcfg2.Server.Plugin.INode": "use StructFile and its Match or XMLMatch",
    "Bcfg2.Server.Plugin.XMLSrc": "use StructFile and its Match or XMLMatch",
    "Bcfg2.Server.Plugin.InfoXML": "an EntrySet reads the info.xml beside its files",
    "Bcfg2.Server.Encryption": "encrypted files and elements are decrypted before a plugin sees them",
    "Bcfg2.Encryption": "encrypted files and elements are decrypted before a plugin sees them",
    "Bcfg2.settings": "plugins have no database here",
    "Bcfg2.Server.models": "plugins have no database here",
    "Bcfg2.Options.get_parser": "list options in the attribute options of the plugin's class",
    "Bcfg2.Options.get_option_parser": "list options in the attribute options of the plugin's class",
}

_lock = threading.RLock()
_made: dict[str, ModuleType] = {}


class _ServedModule(ModuleType):
    """Finds submodules that were not imported by name, as in the real one, where somebody always had."""

    def __getattr__(self, attribute: str) -> Any:
        name = f"{self.__name__}.{attribute}"
        if not attribute.startswith("__"):
            try:
                return _find(name)
            except ModuleNotFoundError:
                pass
        raise AttributeError(_missing(name), name=attribute, obj=self)


def is_served(name: str) -> bool:
    """Whether a module name is one of Bcfg2's."""
    return name == ROOT or name.startswith(f"{ROOT}.")


def import_served(name: str, fromlist: Sequence[str]) -> ModuleType:
    """What ``__import__`` returns for a module of Bcfg2's; `ImportError` says what is not there."""
    module = _find(name)
    if not fromlist:
        return _find(ROOT)
    for item in fromlist:
        if item != "*" and not hasattr(module, item):
            raise ImportError(_missing(f"{name}.{item}"), name=name)
    return module


def _missing(name: str) -> str:
    reason = LEFT_OUT.get(name)
    return f"{name} does not exist in geventcore: {reason}" if reason else f"{name} does not exist in geventcore"


def _find(name: str) -> ModuleType:
    with _lock:
        module = _made.get(name)
        if module is None:
            module = _make(name)
        return module


def _make(name: str) -> ModuleType:
    parent, _, last = name.rpartition(".")
    if name in MODULES:
        names = _public_names(MODULES[name])
    elif parent == PLUGINS:
        names = {other: load_object(path) for other, path in PLUGIN_NAMES.get(last, {}).items()}
        names[last] = _plugin_class(last)
    else:
        raise ModuleNotFoundError(_missing(name), name=name)
    module = _ServedModule(name, f"{name}, as geventcore offers it to plugins that were written for Bcfg2.")
    module.__path__ = []
    module.__dict__.update(names)
    module.__dict__["__all__"] = list(names)
    _made[name] = module
    if parent:
        setattr(_find(parent), last, module)
    return module


def _public_names(sources: tuple[str, ...]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for source in sources:
        module = importlib.import_module(f"geventcore.compat.{source}")
        names.update({name: getattr(module, name) for name in module.__all__})
    return names


def _plugin_class(name: str) -> type:
    """What stands for one of the server's own plugins; `ModuleNotFoundError` if there is none of the name."""
    try:
        found: type = load_object("geventcore.compat.views:class_of")(name)
    except ImportError as err:
        raise ModuleNotFoundError(f"{PLUGINS}.{name}: {err}", name=f"{PLUGINS}.{name}") from err
    return found
