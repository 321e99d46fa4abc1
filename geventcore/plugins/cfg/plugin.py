"""The plugin: binds every Path that has a directory below ``Cfg/``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Binder, Generator, PullTarget
from geventcore.plugins.cfg import pull
from geventcore.plugins.cfg.handlers import HandlerTable
from geventcore.plugins.cfg.options import CFG_OPTIONS, HANDLERS
from geventcore.plugins.cfg.path_settings import PathSettings
from geventcore.plugins.cfg.tree import CfgTree
from geventcore.specfiles.specificity import Specificity


class Cfg(Plugin, Generator, PullTarget):
    """Generates the content and the attributes of files."""

    name = "Cfg"
    options = CFG_OPTIONS

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._path_settings = PathSettings(context.settings)
        handlers = context.settings[HANDLERS]
        self._tree = CfgTree(self.directory, HandlerTable(handlers), self._current_path_settings, context)

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # made on demand, never assigned
        """``Path`` -> entry name -> binder."""
        return {"Path": self._tree.binders}

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Whether an entry has come into being since `entries` was asked for: a creator may make another one's file."""
        return entry.tag == "Path" and entry.get("name", "") in self._tree.binders

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        self._tree.binders[entry.get("name", "")](entry, metadata)

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        found = self._tree.entry(entry.get("name", ""))
        return None if found is None else found.binding_key(entry, metadata)

    def accept_choices(self, entry: etree._Element, metadata: ClientMetadata) -> list[Specificity]:
        return pull.choices(self._tree.handlers_of(entry.get("name", "")), metadata)

    def accept_pull_data(self, specific: Specificity, new_entry: Mapping[str, Any], verbose: bool) -> None:
        name = new_entry["name"]
        handlers = self._tree.handlers_of(name)
        if not handlers:
            raise PluginExecutionError(f"there is no directory Cfg{name}")
        directory = self.directory / name.lstrip("/")
        for path in self.context.offload(pull.store, directory, handlers, specific, new_entry):
            self._tree.announce(path)
            if verbose:
                self.log.info("%s written", path)

    def _current_path_settings(self) -> PathSettings:
        # A reload of the configuration makes new settings.
        if self._path_settings.settings is not self.context.settings:
            self._path_settings = PathSettings(self.context.settings)
        return self._path_settings
