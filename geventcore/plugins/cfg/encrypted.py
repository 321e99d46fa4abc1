"""Encrypted files: ``<base>….crypt``, and templates with ``.crypt`` before or after their own extension.

All passphrases of ``[encryption]`` are tried. A file that cannot be decrypted is not used; with ``[encryption]
lax_decryption`` it is delivered encrypted.
"""

from __future__ import annotations

import logging

from lxml import etree

from geventcore.crypt import LAX_DECRYPTION, EncryptionError, Passphrases
from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgHandler
from geventcore.plugins.cfg.plaintext import PlaintextGenerator
from geventcore.plugins.cfg.templates import CheetahGenerator, GenshiGenerator, Jinja2Generator

log = logging.getLogger(__name__)


class Encrypted(CfgHandler):
    """A handler that decrypts its file when it is read."""

    def read(self) -> bytes:
        data = super().read()
        try:
            return Passphrases.of(self.context.settings).decrypt_any(data)
        except EncryptionError as err:
            if not self.context.settings[LAX_DECRYPTION]:
                raise EncryptionError(f"{self.path}: cannot be decrypted: {err}") from err
            log.debug("%s: delivering this file encrypted: %s", self.path, err)
            return data


class EncryptedGenerator(Encrypted, PlaintextGenerator):
    """``<base>….crypt``."""

    extensions = ("crypt",)
    priority = 50
    _problem = "the file has not been read"

    def handle_event(self, event: FileEvent) -> None:
        try:
            super().handle_event(event)
        except RepositoryError as err:
            self._problem = str(err)
            raise

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        if self._content is None:
            raise PluginExecutionError(self._problem)
        return self._content


class EncryptedCheetahGenerator(Encrypted, CheetahGenerator):
    """``<base>….cheetah.crypt``."""

    extensions = ("cheetah.crypt", "crypt.cheetah")
    priority = 0


class EncryptedGenshiGenerator(Encrypted, GenshiGenerator):
    """``<base>….genshi.crypt``."""

    extensions = ("genshi.crypt", "crypt.genshi")
    ignored_extensions = ()
    priority = 0


class EncryptedJinja2Generator(Encrypted, Jinja2Generator):
    """``<base>….jinja2.crypt``."""

    extensions = ("jinja2.crypt", "crypt.jinja2")
    ignored_extensions = ()
    priority = 0
