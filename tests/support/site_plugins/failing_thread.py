"""A plugin that cannot start its thread."""

from __future__ import annotations

from geventcore.plugin.base import Plugin
from geventcore.plugin.interfaces import Threaded


class FailingThread(Plugin, Threaded):
    """Fails when the server begins to serve."""

    creates_directory = False

    def start_threads(self) -> None:
        """Fails."""
        raise RuntimeError("no thread can be started")
