"""TemplateHelper: Python modules of the site, for its templates (docs: reference/plugins/templatehelper).

A module lists in ``__export__`` what templates may use, as ``metadata.TemplateHelper["module"].name``, and may list in
``__default__`` what Cfg templates get as variables. A module that cannot be loaded leaves its last good version in use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector, TemplateDataProvider
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.pythonfile import list_of_names, load_python

#: Variables that every Cfg template has; a helper that defines one is overruled, and told so.
RESERVED = frozenset({"name", "metadata", "source_path", "repo", "path"})


class Exports:
    """What one module offers to templates, as attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


class HelperModule:
    """One file."""

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
            raise RepositoryError(f"{self._path}: there is no list __export__ of names that templates may use")
        defaults = list_of_names(module, "__default__") or []
        values = {name: getattr(module, name) for name in [*exported, *defaults] if self._usable(module, name)}
        for name in RESERVED.intersection(defaults):
            self._plugin.log.warning("%s: %s is a variable that every template has", self._path, name)
        self.exports = Exports(values)
        self.defaults = {name: values[name] for name in defaults if name in values}

    def _usable(self, module: ModuleType, name: str) -> bool:
        if hasattr(Exports, name):
            self._plugin.log.warning("%s: %s cannot be exported, every object has one", self._path, name)
            return False
        if not hasattr(module, name):
            self._plugin.log.warning("%s: exports %s, but does not define it", self._path, name)
            return False
        return True


class TemplateHelper(Plugin, Connector, TemplateDataProvider):
    """Gives templates the site's own functions."""

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
        """All modules by name, and all default variables; of two with one name the first module's is used."""
        if self._data is None:
            exports: dict[str, Exports] = {}
            defaults: dict[str, Any] = {}
            for relative, module in sorted(self._modules.children.items()):
                if module.exports is None:
                    continue
                exports[Path(relative).stem] = module.exports
                for name, value in module.defaults.items():
                    if name in defaults:
                        self.log.warning("%s: default variable %s is defined twice; the first is used", relative, name)
                    else:
                        defaults[name] = value
            self._data = (exports, defaults)
        return self._data

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Exports]:
        """Module name -> what it exports."""
        return self._current()[0]

    def get_template_data(self, entry: etree._Element, metadata: ClientMetadata, template: str) -> Mapping[str, Any]:
        """See `TemplateDataProvider`; XML templates get none of these."""
        return self._current()[1]
