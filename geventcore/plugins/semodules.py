"""SEModules: SELinux modules, as files of the repository (docs: reference/plugins/semodules).

``SEModules/foo.pp/foo.pp`` is the module ``foo``, whatever is said of hosts and groups behind the name; ``info.xml``
beside it says more. An entry may be called ``foo`` or ``foo.pp``; the client gets it as ``foo``, in base64.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.options import Settings
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.plugins.cfg.handlers import HandlerTable
from geventcore.plugins.cfg.info import Info
from geventcore.plugins.cfg.path_settings import Attributes, PathSettings
from geventcore.plugins.cfg.tree import CfgTree

TAG = "SEModule"
SUFFIX = ".pp"
#: The handlers of Cfg that make sense for modules.
HANDLERS = ("CfgInfoXML", "CfgPlaintextGenerator")
#: What a module has instead of what is said about paths.
_NOT_OURS = frozenset({b"type", "type", b"encoding", "encoding"})


def _for_module(attributes: Attributes) -> Attributes:
    return Attributes((*(pair for pair in attributes if pair[0] not in _NOT_OURS), (b"encoding", b"base64")))


class ModuleSettings(PathSettings):
    """What the configuration file says about every module: the same as about paths, but no type, and base64 always."""

    directory = "SEModules"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.validation = False
        self.attributes = _for_module(self.attributes)

    def attributes_with(self, info: Info) -> Attributes:
        """See `PathSettings.attributes_with`."""
        return _for_module(super().attributes_with(info))


def file_name(name: str) -> str:
    """What the files' table calls the module of an entry."""
    return f"/{name.lstrip('/').removesuffix(SUFFIX)}{SUFFIX}"


class SEModules(Plugin, Generator):
    """Binds SELinux modules."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._settings = ModuleSettings(context.settings)
        self._tree = CfgTree(self.directory, HandlerTable(HANDLERS), self._current_settings, context)
        self._published: tuple[object, Mapping[str, Mapping[str, Binder]]] = (None, {})

    def _current_settings(self) -> PathSettings:
        if self._settings.settings is not self.context.settings:
            self._settings = ModuleSettings(self.context.settings)
        return self._settings

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # computed when files change
        """See `Generator`: modules under the names of their files. Those in bundles usually have to be asked for."""
        binders = self._tree.binders
        if self._published[0] is not binders:
            self._published = (binders, {TAG: dict.fromkeys(binders, self.bind_entry)})
        return self._published[1]

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Whether there is a module of the entry's name."""
        return entry.tag == TAG and file_name(entry.get("name", "")) in self._tree.binders

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Give the entry the module's content and attributes, and its short name."""
        name = file_name(entry.get("name", ""))
        bind = self._tree.binders.get(name)
        if bind is None:
            raise PluginExecutionError(f"there is no module {self.directory}{name}")
        entry.set("name", name.removeprefix("/").removesuffix(SUFFIX))
        entry.set("encoding", "base64")
        bind(entry, metadata)
