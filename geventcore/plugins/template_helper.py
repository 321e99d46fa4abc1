"""TemplateHelper: Python modules of the site for its templates (docs: reference/plugins/templatehelper).

A module lists in ``__export__`` the names that templates may use, as ``metadata.TemplateHelper["module"].name``. It may
list in ``__default__`` the names that Cfg templates get as variables. If loading a changed module fails, the last good
version stays in use.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector, DeclaredDependencies, TemplateDataProvider
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.pythonfile import list_of_names, load_python

#: The variables of every Cfg template. A helper cannot override them; the log has a warning if it tries.
RESERVED = frozenset({"name", "metadata", "source_path", "repo", "path"})


class Exports:
    """The exports of one module, as attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


class HelperModule:
    """One module of the site."""

    def __init__(self, path: Path, plugin: TemplateHelper) -> None:
        self._path = path
        self._plugin = plugin
        self.exports: Exports | None = None
        self.defaults: Mapping[str, Any] = {}

    def handle_event(self, event: FileEvent) -> None:
        """Load the module; `RepositoryError` if that fails."""
        module = load_python(self._path, f"geventcore_template_helper_{self._path.stem}")
        exported = list_of_names(module, "__export__")
        if exported is None:
            raise RepositoryError(f"{self._path}: the list __export__ of the names that templates may use is missing")
        defaults = list_of_names(module, "__default__") or []
        values = {name: getattr(module, name) for name in [*exported, *defaults] if self._usable(module, name)}
        for name in RESERVED.intersection(defaults):
            self._plugin.log.warning(
                "%s: ignoring the default variable %s, which every template already has", self._path, name
            )
        self.exports = Exports(values)
        self.defaults = {name: values[name] for name in defaults if name in values}

    def _usable(self, module: ModuleType, name: str) -> bool:
        if hasattr(Exports, name):
            self._plugin.log.warning(
                "%s: cannot export %s, because every object has an attribute of this name", self._path, name
            )
            return False
        if not hasattr(module, name):
            self._plugin.log.warning("%s: cannot export %s, because the module does not define it", self._path, name)
            return False
        return True


class TemplateHelper(Plugin, Connector, TemplateDataProvider, DeclaredDependencies):
    """A plugin that gives templates the site's own functions and variables."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._data: tuple[Mapping[str, Exports], Mapping[str, Any]] | None = None
        self._modules = Directory(
            self.directory,
            context.file_monitor,
            lambda path: HelperModule(path, self),
            re.compile(r".*\.py"),
            recursive=False,
            ignore=re.compile(r".*\.py[co]"),
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self._data = None
        self.context.expire_metadata()

    def _current(self) -> tuple[Mapping[str, Exports], Mapping[str, Any]]:
        """Return all modules by name, and all default variables; if two have one name, the first module's."""
        if self._data is None:
            exports: dict[str, Exports] = {}
            defaults: dict[str, Any] = {}
            for relative, module in sorted(self._modules.children.items()):
                if module.exports is None:
                    continue
                exports[Path(relative).stem] = module.exports
                for name, value in module.defaults.items():
                    if name in defaults:
                        self.log.warning(
                            "%s: two modules define the default variable %s; using the first", relative, name
                        )
                    else:
                        defaults[name] = value
            self._data = (exports, defaults)
        return self._data

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Exports]:
        """Return the modules: name -> exports."""
        return self._current()[0]

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    def get_template_data(self, entry: etree._Element, metadata: ClientMetadata, template: str) -> Mapping[str, Any]:
        """See `TemplateDataProvider`; XML templates get none of these."""
        return self._current()[1]
