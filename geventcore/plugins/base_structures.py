"""Base and SGenshi: structures of Bcfg2 1.3 that every client gets (docs: reference/plugins/legacy)."""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import DeclaredDependencies, Structure
from geventcore.plugin.specificity import SUFFIX, Specificity
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.structfile import StructFile


class Base(Plugin, Structure, DeclaredDependencies):
    """A plugin with entries outside of bundles: those for the client in ``Base/*.xml``, as one structure."""

    deprecated = True

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._files = Directory(
            self.directory,
            context.file_monitor,
            lambda path: StructFile(path, context, monitor_self=False),
            re.compile(r".*\.xml"),
        )

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """See `Structure`. A file that is invalid is left out."""
        structure = etree.Element("Independent", version="2.0")
        for _, file in sorted(self._files.children.items()):
            try:
                structure.extend([copy.deepcopy(element) for element in file.match(metadata)])
            except GeventcoreError as err:
                self.log.error("%s: leaving out %s: %s", metadata.hostname, file.path, err)
        return [structure]


_SGENSHI_FILE = re.compile(rf"(?P<bundle>\S+?)\.xml{SUFFIX}")


class SGenshi(Plugin, Structure, DeclaredDependencies):
    """A plugin with bundles from XML templates: each file for the client is a bundle with the name of the file."""

    deprecated = True

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._files = Directory(
            self.directory,
            context.file_monitor,
            lambda path: StructFile(path, context, monitor_self=False),
            _SGENSHI_FILE,
            recursive=False,
        )

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """See `Structure`. A file that is invalid is left out; of several files for a bundle all are used."""
        found = []
        for name, file in sorted(self._files.children.items()):
            match = _SGENSHI_FILE.fullmatch(name)
            if match is None or not Specificity.of_match(match).matches(metadata):
                continue
            bundle = etree.Element("Bundle", name=match["bundle"])
            try:
                bundle.extend([copy.deepcopy(element) for element in file.match(metadata)])
            except GeventcoreError as err:
                self.log.error("%s: leaving out %s: %s", metadata.hostname, file.path, err)
                continue
            found.append(bundle)
        return found
