"""SEModules: SELinux modules, as files of the repository (docs: reference/plugins/semodules).

``SEModules/foo.pp/foo.pp`` is the module ``foo``; the file name may have a suffix for hosts or groups. An ``info.xml``
in the directory gives attributes. An entry has the name ``foo`` or ``foo.pp``; the client gets ``foo``, in base64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.options import Settings
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Source, Sources
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.plugins.cfg.explaining import FileSources
from geventcore.plugins.cfg.handlers import HandlerTable, Info
from geventcore.plugins.cfg.path_settings import Attributes, PathSettings
from geventcore.plugins.cfg.tree import CfgTree
from geventcore.repository.derived import Derived

TAG = "SEModule"
SUFFIX = ".pp"
#: The Cfg handlers that apply to modules.
HANDLERS = ("CfgInfoXML", "CfgLegacyInfo", "CfgPlaintextGenerator")
#: The path attributes that a module replaces by its own.
_REPLACED = frozenset({b"type", "type", b"encoding", "encoding"})


def _for_module(attributes: Attributes) -> Attributes:
    return Attributes((*(pair for pair in attributes if pair[0] not in _REPLACED), (b"encoding", b"base64")))


class ModuleSettings(PathSettings):
    """The settings for every module: those of paths, but without a type and always in base64."""

    directory = "SEModules"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.validation = False
        self.attributes = _for_module(self.attributes)

    def attributes_with(self, info: Info) -> Attributes:
        """See `PathSettings.attributes_with`."""
        return _for_module(super().attributes_with(info))


def file_name(name: str) -> str:
    """Return the name of an entry's module in the table of files."""
    return f"/{name.lstrip('/').removesuffix(SUFFIX)}{SUFFIX}"


class SEModules(Plugin, Generator, Explaining):
    """A plugin that binds SELinux modules."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        settings = Derived(ModuleSettings)
        self._tree = CfgTree(self.directory, HandlerTable(HANDLERS), lambda: settings.get(context.settings), context)
        self._entries = Derived(self._index_entries)

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # computed when files change
        """See `Generator`: modules by file name. Entries usually have other names, which `handles_entry` finds."""
        return self._entries.get(self._tree.binders)

    def _index_entries(self, binders: Iterable[str]) -> Mapping[str, Mapping[str, Binder]]:
        return {TAG: dict.fromkeys(binders, self.bind_entry)}

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true if a module with the entry's name exists."""
        return entry.tag == TAG and file_name(entry.get("name", "")) in self._tree.binders

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Set the entry's content, attributes and short name from the module."""
        name = file_name(entry.get("name", ""))
        bind = self._tree.binders.get(name)
        if bind is None:
            raise PluginExecutionError(f"module {self.directory}{name} does not exist")
        entry.set("name", name.removeprefix("/").removesuffix(SUFFIX))
        entry.set("encoding", "base64")
        bind(entry, metadata)

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the files of the module."""
        handlers = self._tree.handlers_of(file_name(entry.get("name", "")))
        sources = FileSources(self.name, self.context, handlers, metadata).find(entry)
        sources.attributes["encoding"] = Source(self.name, "plugin", text="modules are sent in base64")
        sources.attributes["name"] = Source(self.name, "plugin", text="the name of the module without .pp")
        return sources
