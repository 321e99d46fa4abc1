"""A site's own plugin, for tests: it keeps the server loading for as long as a file beside the repository exists."""

from __future__ import annotations

import time

from geventcore.plugin.base import Plugin
from geventcore.plugin.context import PluginContext

ORDER = "wait"
PATIENCE_SECONDS = 60.0


class SlowStart(Plugin):
    """Loads when it may."""

    creates_directory = False

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (context.repository.parent / ORDER).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
