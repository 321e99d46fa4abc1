"""A site's own plugin, for tests: it offloads for long, in threads of its own that it starts before the server serves.

What is offloaded waits for a lock on a file beside the repository. Hosts' configurations offload, too, for a moment.
"""

from __future__ import annotations

import fcntl
import threading
from typing import Any

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Structure, Threaded

LOCKED = "locked"
#: More than a core has threads for its plugins.
THREADS = 40


class Warming(Plugin, Structure, Threaded):
    """Half of the threads begin when the plugin is made, half when all plugins are loaded."""

    creates_directory = False

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._start()

    def start_threads(self) -> None:
        """Begin the second half."""
        self._start()

    def _start(self) -> None:
        for _ in range(THREADS // 2):
            threading.Thread(target=self._warm_up, daemon=True).start()

    def _warm_up(self) -> None:
        self.context.offload(self._wait)
        self.log.info("warmed up")

    def _wait(self) -> None:
        with open(self.context.repository.parent / LOCKED, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """One bundle, whose entry is made in a thread of the core."""
        bundle = etree.Element("Bundle", name="offloaded")
        etree.SubElement(bundle, "BoundPath", name=self.context.offload(lambda: "/offloaded"), type="file")
        return [bundle]
