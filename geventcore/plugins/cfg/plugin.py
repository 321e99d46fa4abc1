"""The plugin Cfg, which binds every Path that has a directory below ``Cfg/``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.options import Settings
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Sources
from geventcore.plugin.interfaces import Binder, DeclaredDependencies, Generator, PullTarget
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg import pull
from geventcore.plugins.cfg.explaining import FileSources
from geventcore.plugins.cfg.handlers import CfgHandler, HandlerTable
from geventcore.plugins.cfg.options import CFG_OPTIONS, HANDLERS
from geventcore.plugins.cfg.path_settings import PathSettings
from geventcore.plugins.cfg.tree import CfgTree
from geventcore.repository.derived import Derived


class FileGenerator(Plugin, Generator, DeclaredDependencies, Explaining):
    """A plugin whose directory has a subdirectory for each Path."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        settings = Derived(self._path_settings)
        self._handlers = self.handler_table()
        self._tree = CfgTree(self.directory, self._handlers, lambda: settings.get(context.settings), context)

    def handler_table(self) -> HandlerTable:
        """Return the handlers of files; `PluginInitError` if one cannot be loaded."""
        names = self.context.settings[HANDLERS]
        return HandlerTable(names)

    def _path_settings(self, settings: Settings) -> PathSettings:
        found = PathSettings(settings)
        found.directory = self.name
        return found

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # made on demand, never assigned
        """The table of entries: ``Path`` -> entry name -> binder."""
        return {"Path": self._tree.binders}

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true for a file that a creator has made since `entries` was read."""
        return entry.tag == "Path" and entry.get("name", "") in self._tree.binders

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        self._tree.binders[entry.get("name", "")](entry, metadata)

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        found = self._tree.entry(entry.get("name", ""))
        return None if found is None else found.binding_key(entry, metadata)

    def handlers_of(self, name: str) -> list[CfgHandler | None]:
        """Return the handlers of an entry's files, None for each ignored file."""
        return self._tree.handlers_of(name)

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the files of the directory."""
        handlers = self._tree.handlers_of(entry.get("name", ""))
        return FileSources(self.name, self.context, handlers, metadata).find(entry)


class Cfg(FileGenerator, PullTarget):
    """A plugin that generates the content and the attributes of files."""

    name = "Cfg"
    options = CFG_OPTIONS

    def accept_choices(self, entry: etree._Element, metadata: ClientMetadata) -> list[Specificity]:
        return pull.choices(self._tree.handlers_of(entry.get("name", "")), metadata)

    def accept_pull_data(self, specific: Specificity, new_entry: Mapping[str, Any], verbose: bool) -> None:
        name = new_entry["name"]
        handlers = self._tree.handlers_of(name)
        if not handlers:
            raise PluginExecutionError(f"the directory Cfg{name} does not exist")
        directory = self.directory / name.lstrip("/")
        for path in self.context.offload(pull.store, directory, handlers, specific, new_entry):
            self._tree.announce(path)
            if verbose:
                self.log.info("%s written", path)
