"""A site's own plugin, for tests: it does what no plugin should, and lets nobody else go on."""

from __future__ import annotations

import time

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Structure

SECONDS = 1.0


class Blocking(Plugin, Structure):
    """Computes for a while for hosts named ``compute…``, and in one call of C code for those named ``count…``."""

    creates_directory = False

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """No structures, late."""
        if metadata.hostname.startswith("compute"):
            self.log.info("%s computes", metadata.hostname)
            self._compute()
        elif metadata.hostname.startswith("count"):
            deadline = time.perf_counter() + SECONDS
            steps = 1_000_000
            while time.perf_counter() < deadline and steps < 10**9:
                steps *= 4
                sum(range(steps))  # the line that counts
        return []

    def _compute(self) -> None:
        deadline = time.perf_counter() + SECONDS
        any(iter(lambda: time.perf_counter() >= deadline, True))  # the line that computes
