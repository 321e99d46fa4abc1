"""Cheetah templates, which this server does not support.

They are recognised, so that the log says what they are, and they stand in for what they would make: a client for which
such a file is the best match gets a failure, not the content of a less specific file.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgGenerator
from geventcore.specfiles.specificity import Specificity

log = logging.getLogger(__name__)


class CheetahGenerator(CfgGenerator):
    """``<base>….cheetah``: fails for every client whose content it would be."""

    extensions: ClassVar[tuple[str, ...]] = ("cheetah",)

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._message = (
            f"{path}: a Cheetah template: no maintained engine for them exists; convert it to Jinja2 or Genshi"
        )
        self._reported = False

    def handle_event(self, event: FileEvent) -> None:
        if not self._reported:
            self._reported = True
            log.error("%s", self._message)

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        raise PluginExecutionError(self._message)


class EncryptedCheetahGenerator(CheetahGenerator):
    """``<base>….cheetah.crypt``."""

    extensions = ("cheetah.crypt", "crypt.cheetah")
    priority = 0
