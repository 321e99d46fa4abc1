"""The plugin Properties, which provides ``metadata.Properties``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from geventcore.crypt import ENCRYPTION_OPTIONS
from geventcore.filemonitor import NOTHING
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
    """The usable files at one moment.

    Attributes:
        files: relative name -> file.
        is_matched: value of ``[properties] automatch`` -> true if any file is matched for each client.
    """

    def __init__(self, files: Mapping[str, PropertyFile]) -> None:
        self.files = {name: file for name, file in files.items() if file.is_usable}
        xml_files = [file for file in self.files.values() if isinstance(file, XMLPropertyFile)]
        self.is_matched = {default: any(file.automatch(default) for file in xml_files) for default in (False, True)}


class Properties(Plugin, Connector):
    """A plugin that gives templates the files below ``Properties/``."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0
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
            # They are a part of metadata.
            effect=lambda _: NOTHING,
        )

    def _make_file(self, path: Path) -> PropertyFile:
        if path.suffix == ".xml":
            return XMLPropertyFile(path, self.context, self._forget)
        return JSONPropertyFile(path, self.context) if path.suffix == ".json" else YAMLPropertyFile(path, self.context)

    def _forget(self) -> None:
        """Drop the cached list of files after a change."""
        self._usable = None
        if self.context.cache_mode in ("cautious", "aggressive"):
            self.context.expire_metadata()

    def file(self, name: str) -> PropertyFile | None:
        """Return a file by its name relative to the directory, or None."""
        return self._files.children.get(name)

    def is_matched(self, file: XMLPropertyFile) -> bool:
        """Return true if templates get the data of a file for their client, instead of the whole file."""
        return file.automatch(self.context.settings[AUTOMATCH])

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Any]:
        """Return relative file name -> copy of the file for this client; see `views`.

        A file without a valid version is left out.
        """
        usable = self._usable
        if usable is None:
            usable = self._usable = _UsableFiles(self._files.children)
        automatch = self.context.settings[AUTOMATCH]
        # The result becomes a part of the metadata, so it must not refer to them: that would be a cycle, and thousands
        # of cycles would wait for the garbage collector. It refers to a copy, which is needed only for matching.
        client = metadata.copy() if usable.is_matched[automatch] else None
        return PropertiesOfClient(usable.files, automatch, client)
