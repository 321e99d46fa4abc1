"""Plain files, which are delivered unchanged."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgGenerator


class PlaintextGenerator(CfgGenerator):
    """The content of ``<base>``, ``<base>.H_<host>`` or ``<base>.G<priority>_<group>``."""

    priority = 100

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._content: Content | None = None

    def handle_event(self, event: FileEvent) -> None:
        self._content = Content.of_bytes(self.read(), self.context.encoding, self.path)

    @property
    def content_for_all(self) -> Content | None:
        return self._content

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        if self._content is None:
            raise PluginExecutionError(f"{self.path}: the file could not be read; see the log")
        return self._content
