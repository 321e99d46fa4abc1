"""SSLCA: TLS keys and certificates as in Bcfg2 1.3 (docs: reference/plugins/legacy).

It does what Cfg does with ``sslkey.xml`` and ``sslcert.xml``, in a directory of its own. The names of the files are
``key.xml`` and ``cert.xml``. The authorities are the same sections ``[sslca_<name>]``.
"""

from __future__ import annotations

import copy

from lxml import etree

from geventcore.plugins.cfg.handlers import HandlerTable
from geventcore.plugins.cfg.info import InfoXML
from geventcore.plugins.cfg.legacy_info import LegacyInfo
from geventcore.plugins.cfg.plaintext import PlaintextGenerator
from geventcore.plugins.cfg.plugin import FileGenerator
from geventcore.plugins.cfg.ssl_creators import SSLCACertCreator, SSLCAKeyCreator


class KeyCreator(SSLCAKeyCreator):
    """``key.xml``."""

    basenames = ("key.xml",)


class CertificateCreator(SSLCACertCreator):
    """``cert.xml``. Unlike in Cfg, ``append_chain`` must have the value ``true``."""

    basenames = ("cert.xml",)

    def _instructions(self, instructions: etree._Element) -> etree._Element:
        found = super()._instructions(instructions)
        if found.get("append_chain", "true") != "true":
            found = copy.deepcopy(found)
            del found.attrib["append_chain"]
        return found


class SSLCA(FileGenerator):
    """A plugin that creates TLS keys and certificates."""

    deprecated = True

    def handler_table(self) -> HandlerTable:
        return HandlerTable.of_classes([InfoXML, LegacyInfo, KeyCreator, CertificateCreator, PlaintextGenerator])
