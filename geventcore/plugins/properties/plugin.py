"""The plugin: ``metadata.Properties``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geventcore.crypt import ENCRYPTION_OPTIONS
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector
from geventcore.plugins.properties.files import JSONPropertyFile, PropertyFile, XMLPropertyFile, YAMLPropertyFile
from geventcore.plugins.properties.options import AUTOMATCH, WRITES_ENABLED
from geventcore.plugins.properties.views import PropertiesOfClient
from geventcore.specfiles.directory import Directory

_PROPERTY_FILE = re.compile(r".*\.(?:xml|json|ya?ml)")
_SCHEMA = re.compile(r".*\.xsd")


class _UsableFiles:
    """The files that can be used at one moment.

    Attributes:
        files: relative name -> file.
        is_matched: value of ``[properties] automatch`` -> whether any of them is matched for each client.
    """

    def __init__(self, files: Mapping[str, PropertyFile]) -> None:
        self.files = {name: file for name, file in files.items() if file.is_usable}
        xml_files = [file for file in self.files.values() if isinstance(file, XMLPropertyFile)]
        self.is_matched = {default: any(file.automatch(default) for file in xml_files) for default in (False, True)}


class Properties(Plugin, Connector):
    """Gives templates the files below ``Properties/``."""

    name = "Properties"
    options = (WRITES_ENABLED, AUTOMATCH, *ENCRYPTION_OPTIONS)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._usable: _UsableFiles | None = None
        self._files = Directory(
            self.directory,
            context.file_monitor,
            self._make_file,
            _PROPERTY_FILE,
            ignore=_SCHEMA,
            on_change=self._forget,
        )

    def _make_file(self, path: Path) -> PropertyFile:
        if path.suffix == ".xml":
            return XMLPropertyFile(path, self.context, self._forget)
        return JSONPropertyFile(path, self.context) if path.suffix == ".json" else YAMLPropertyFile(path, self.context)

    def _forget(self) -> None:
        """Files have come, changed or gone."""
        self._usable = None
        if self.context.cache_mode in ("cautious", "aggressive"):
            self.context.expire_metadata()

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Any]:
        """File name, relative to the directory -> a copy of the file for this client; see `views`.

        A file that was never good is not in it.
        """
        usable = self._usable
        if usable is None:
            usable = self._usable = _UsableFiles(self._files.children)
        automatch = self.context.settings[AUTOMATCH]
        # What is matched later must not refer to the metadata that it becomes a part of: that would be a cycle, and
        # thousands of them wait for the garbage collector. A copy of it is needed only where something is matched.
        client = metadata.copy() if usable.is_matched[automatch] else None
        return PropertiesOfClient(usable.files, automatch, client)
