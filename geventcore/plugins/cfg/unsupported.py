"""Files of Bcfg2 that this server does not support.

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
from geventcore.plugins.cfg.handlers import CfgCreator, CfgGenerator, CfgHandler
from geventcore.specfiles.specificity import Specificity

log = logging.getLogger(__name__)


class _Unsupported(CfgHandler):
    """Says once for each file that it is not supported.

    Class attributes:
        what: what the file is.
        reason: why it cannot be used.
    """

    what: ClassVar[str]
    reason: ClassVar[str] = "not supported yet"

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._reported = False

    @property
    def _message(self) -> str:
        return f"{self.path}: {self.what}: {self.reason}"

    def handle_event(self, event: FileEvent) -> None:
        if not self._reported:
            self._reported = True
            log.error("%s", self._message)


class UnsupportedGenerator(_Unsupported, CfgGenerator):
    """Fails for every client whose content it would be."""

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        raise PluginExecutionError(self._message)


class UnsupportedCreator(_Unsupported, CfgCreator):
    """Fails for every client that has no content yet."""

    is_specific = False
    priority = 0

    def create_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        raise PluginExecutionError(self._message)


class CheetahGenerator(UnsupportedGenerator):
    """``<base>….cheetah``."""

    extensions: ClassVar[tuple[str, ...]] = ("cheetah",)
    what = "a Cheetah template"
    reason = "no maintained engine for them exists; convert it to Jinja2 or Genshi"


class EncryptedCheetahGenerator(CheetahGenerator):
    """``<base>….cheetah.crypt``."""

    extensions = ("cheetah.crypt", "crypt.cheetah")
    priority = 0


class SSLCAKeyCreator(UnsupportedCreator):
    """``sslkey.xml``."""

    basenames = ("sslkey.xml",)
    what = "creation of TLS keys"


class SSLCACertCreator(UnsupportedCreator):
    """``sslcert.xml``."""

    basenames = ("sslcert.xml",)
    what = "creation of TLS certificates"
