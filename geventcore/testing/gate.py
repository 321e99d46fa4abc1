"""A site's own plugin, for tests: configurations of hosts named ``slow…`` are held back until a file opens the gate."""

from __future__ import annotations

import time

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Structure

#: Below the repository; its existence opens the gate.
OPEN_GATE = "gate-is-open"


class Gate(Plugin, Structure):
    """Waits as a plugin waits that asks somebody else: by blocking calls of the standard library."""

    creates_directory = False

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """No structures, sooner or later."""
        if metadata.hostname.startswith("slow"):
            self.log.info("%s waits at the gate", metadata.hostname)
            while not (self.context.repository / OPEN_GATE).exists():
                time.sleep(0.02)
        return []
