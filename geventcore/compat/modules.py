"""The modules that site code gets for ``import Bcfg2.…``: thin modules with the public names of this package.

They are created on first import, and only `import_served` returns them.
"""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import logging
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
    "Bcfg2.Encryption": ("encryption",),
    "Bcfg2.Logger": ("logger",),
    "Bcfg2.Options": ("options", "options_13"),
    "Bcfg2.Options.Types": ("option_types",),
    "Bcfg2.Server": ("server",),
    "Bcfg2.Server.Cache": ("tag_cache",),
    "Bcfg2.Server.Core": ("server_core",),
    "Bcfg2.Server.Encryption": ("encryption",),
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

_PROPERTY_FILES = ("JSONPropertyFile", "PropertyFile", "XMLPropertyFile", "YAMLPropertyFile")

#: Plugin -> further names in its module -> ``module:name``.
PLUGIN_NAMES: dict[str, dict[str, str]] = {
    "Cfg": {
        "CfgBaseFileMatcher": "geventcore.plugins.cfg.handlers:CfgHandler",
        "CfgCreationError": "geventcore.errors:PluginExecutionError",
        "CfgCreator": "geventcore.plugins.cfg.handlers:CfgCreator",
        "CfgEntrySet": "geventcore.plugins.cfg.entry:CfgEntry",
        "CfgFilter": "geventcore.plugins.cfg.handlers:CfgDelta",
        "CfgGenerator": "geventcore.plugins.cfg.handlers:CfgGenerator",
        "CfgInfo": "geventcore.plugins.cfg.handlers:CfgInfo",
        "CfgVerificationError": "geventcore.errors:PluginExecutionError",
        "CfgVerifier": "geventcore.plugins.cfg.handlers:CfgVerifier",
    },
    "GroupPatterns": {"PatternMap": "geventcore.plugins.group_patterns:PatternGroup"},
    "Ldap": {name: f"geventcore.plugins.ldap:{name}" for name in ("LdapConnection", "LdapQuery", "LdapSubQuery")},
    "Metadata": {
        **{name: f"geventcore.compat.metadata:{name}" for name in ("ClientMetadata", "MetadataGroup", "MetadataQuery")},
        "XMLMetadataConfig": "geventcore.compat.metadata_files:MetadataXML",
    },
    "Packages.Collection": {"Collection": "geventcore.plugins.packages.collection:Collection"},
    "Packages.Source": {
        "Source": "geventcore.plugins.packages.source:Source",
        "SourceInitError": "geventcore.errors:RepositoryError",
    },
    "Probes": {"ProbeData": "geventcore.plugins.probes.probe_data:ProbeData"},
    "Properties": {name: f"geventcore.plugins.properties.files:{name}" for name in _PROPERTY_FILES},
    "TGenshi": {"removecomment": "geventcore.compat.plugin_functions:removecomment"},
    "TemplateHelper": {"HelperModule": "geventcore.plugins.template_helper:HelperModule"},
}
#: Submodules of the module of Packages. They exist even if nothing of them does.
_PACKAGES_MODULES = frozenset(
    f"Packages.{name}" for name in ("Apt", "Collection", "Pac", "PackagesSources", "Pkgng", "Source", "Yum")
)

#: Names that many modules of plugins have, with their values.
_COMMON: dict[str, Any] = {
    **dict.fromkeys(("HAS_CRYPTO", "HAS_GENSHI", "HAS_JSON", "have_ntt"), True),
    **dict.fromkeys(("HAS_DJANGO", "HAS_GITPYTHON", "HAS_PULP", "HAS_SOUTH", "HAS_SVN", "HAS_YUM"), False),
}
#: Such names that say whether a library is installed.
_LIBRARIES = {"HAS_CHEETAH": "Cheetah", "HAS_YAML": "yaml"}

#: Names of Bcfg2 that do not exist here, as patterns with a leading ``Bcfg2.``, and the reasons or replacements. The
#: first pattern that matches counts.
LEFT_OUT = {
    "Server.Plugin.INode": "use StructFile and its Match or XMLMatch",
    "Server.Plugin.XMLSrc": "use StructFile and its Match or XMLMatch",
    "Server.Plugin.InfoXML": "an EntrySet reads the info.xml beside its files",
    "Server.Plugin.helpers.INode": "use StructFile and its Match or XMLMatch",
    "Server.Plugin.helpers.XMLSrc": "use StructFile and its Match or XMLMatch",
    "Server.Plugin.helpers.Info*": "an EntrySet reads the info.xml beside its files",
    "Server.Plugin.helpers.INFO_REGEX": "an EntrySet reads :info beside its files",
    "Server.Plugin.*LOGGER": "use self.logger",
    "Encryption.*": "use ssl_encrypt, ssl_decrypt and bruteforce_decrypt, which exist",
    "Server.Encryption.*": "use ssl_encrypt, ssl_decrypt and bruteforce_decrypt, which exist",
    "settings*": "plugins have no database here",
    "Server.models*": "plugins have no database here",
    "*.*Model": "plugins have no database here",
    "*.load_django_models": "plugins have no database here",
    "Options.CommandRegistry": "commands of Bcfg2's tools do not exist here",
    "Options.HelpCommand": "commands of Bcfg2's tools do not exist here",
    "Options.Subcommand*": "commands of Bcfg2's tools do not exist here",
    "Options.register_commands": "commands of Bcfg2's tools do not exist here",
    "Options.*Parser*": "list options in the attribute options of the plugin's class",
    "Options.*Action*": "list options in the attribute options of the plugin's class",
    "Options.OptionGroups*": "the classes of options are in Bcfg2.Options itself",
    "Options.Options*": "the classes of options are in Bcfg2.Options itself",
    "Options.WildcardSectionGroup": "read sections with a common beginning with setup.cfp",
    "Options.Subparser": "a plugin has no options of a command line here",
    "Options.get_parser": "list options in the attribute options of the plugin's class",
    "Options.CLIENT_*": "it is an option of Bcfg2's client; read the configuration with setup.cfp",
    "Options.*": "it is an option of a tool of Bcfg2; read the configuration with setup.cfp",
    "Client*": "modules of Bcfg2's client do not exist in the server",
    "Server.Admin*": "tools of Bcfg2 do not exist here",
    "Server.Info*": "tools of Bcfg2 do not exist here",
    "Server.Lint*": "checks for bcfg2-lint are not run here",
    "Server.*Lint": "checks for bcfg2-lint are not run here",
    "Server.Core.BaseCore": "the server's core is reached with self.core",
    "Server.*Core*": "cores of Bcfg2 do not exist here",
    "Server.FileMonitor.*": "the file monitor is reached with get_fam() or self.core.fam",
    "Logger.*": "the server has set up logging; use logging.getLogger",
    "Reporting*": "reports are read from the database with SQL, or through geventcore's web API",
    "Server.Reports*": "reports are read from the database with SQL, or through geventcore's web API",
    "DBSettings*": "plugins have no database here",
    "Server.Test*": "tools of Bcfg2 do not exist here",
    "Server.SSLServer*": "cores of Bcfg2 do not exist here",
    "Server.Statistics.*": "durations are counted with stats.add_value or track_statistics",
    "Statistics.*": "durations are counted with stats.add_value or track_statistics",
    "Compat.*": "import the module itself",
    "Server.Plugins.Packages.Yum.*": "the libraries of yum and Pulp do not exist for Python 3; lists are read directly",
    "Server.Plugins.Packages.*": "Packages is written anew; its lists are in metadata.Packages",
    "Server.Plugins.Snapshots.*": "Reporting replaced the plugin",
    "Server.Plugins.Statistics.*": "Reporting replaced the plugin",
    "Server.Plugins.*": "it is an inner part of Bcfg2's plugin; the plugin here is built from others",
    "*": "no plugin is known to use it",
}

_lock = threading.RLock()
_made: dict[str, ModuleType] = {}


class _ServedModule(ModuleType):
    """A module that finds submodules that were not imported by name, as in Bcfg2, where other code has done so."""

    def __getattr__(self, attribute: str) -> Any:
        name = f"{self.__name__}.{attribute}"
        if not attribute.startswith("__"):
            try:
                return _find(name)
            except ModuleNotFoundError:
                pass
        raise AttributeError(_missing(name), name=attribute, obj=self)


def is_served(name: str) -> bool:
    """Return true if a module name is one of Bcfg2's."""
    return name == ROOT or name.startswith(f"{ROOT}.")


def import_served(name: str, fromlist: Sequence[str]) -> ModuleType:
    """Return the result of ``__import__`` for a module of Bcfg2; `ImportError` names what does not exist."""
    module = _find(name)
    if not fromlist:
        return _find(ROOT)
    for item in fromlist:
        if item != "*" and not hasattr(module, item):
            raise ImportError(_missing(f"{name}.{item}"), name=name)
    return module


def _missing(name: str) -> str:
    return f"{name} does not exist in geventcore: {reason_for(name)}"


def reason_for(name: str) -> str:
    """Return why a name of Bcfg2 does not exist here."""
    last = name.removeprefix("Bcfg2.")
    return next(reason for pattern, reason in LEFT_OUT.items() if fnmatch.fnmatchcase(last, pattern))


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
        names = {**_plugin_names(last), last: _plugin_class(last)}
    elif parent == f"{PLUGINS}.Cfg" and last in _cfg_handlers():
        names = {**_plugin_names("Cfg"), last: load_object(_cfg_handlers()[last])}
    elif name.removeprefix(f"{PLUGINS}.") in _PACKAGES_MODULES:
        names = _plugin_names(f"Packages.{last}")
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


def _cfg_handlers() -> dict[str, str]:
    """Return the table of Cfg's handlers."""
    table: dict[str, str] = load_object("geventcore.plugins.cfg.handlers:HANDLERS")
    return table


def _plugin_names(module: str) -> dict[str, Any]:
    """Return the names of a plugin's module other than the plugin's class."""
    logger = logging.getLogger(f"geventcore.plugins.{module}")
    libraries = {name: importlib.util.find_spec(library) is not None for name, library in _LIBRARIES.items()}
    return {
        **_COMMON,
        **libraries,
        "LOGGER": logger,
        "logger": logger,
        "SETUP": load_object("geventcore.compat.options:setup"),
        **{name: load_object(path) for name, path in PLUGIN_NAMES.get(module, {}).items()},
    }


def _plugin_class(name: str) -> type:
    """Return the class for one of the server's own plugins; `ModuleNotFoundError` if it does not exist."""
    try:
        found: type = load_object("geventcore.compat.views:class_of")(name)
    except ImportError as err:
        raise ModuleNotFoundError(f"{PLUGINS}.{name}: {err}", name=f"{PLUGINS}.{name}") from err
    return found
