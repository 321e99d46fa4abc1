"""A site's own plugin, for tests: the process ends without a word when it is about to forget the metadata of a client.

That is the moment between a change that is stored and the word of it to others.
"""

from __future__ import annotations

import os
import signal

from geventcore.core.plugin_context import CorePluginContext
from geventcore.plugin.base import Plugin
from geventcore.plugin.interfaces import Threaded

#: Beside the repository; while it exists, the next process ends, and takes it away.
ORDER = "die"


class Dying(Plugin, Threaded):
    """Ends one process for each order."""

    creates_directory = False

    def start_threads(self) -> None:
        """Wait for the moment; no plugin is told of it."""
        assert isinstance(self.context, CorePluginContext)
        self.context._server.metadata.cache.add_expire_hook(self._die)

    def _die(self, tags: tuple[str, ...], exact: bool, count: int) -> None:
        order = self.context.repository.parent / ORDER
        if len(tags) > 1 and order.exists():
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
