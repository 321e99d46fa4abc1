"""A site's own plugin, for tests: it opens nearly as many files as the process may have."""

from __future__ import annotations

import os

from geventcore.plugin.base import Plugin
from geventcore.plugin.interfaces import Threaded

FREE_DESCRIPTORS = 12


class Hoarding(Plugin, Threaded):
    """Leaves a few descriptors to the server."""

    creates_directory = False

    def start_threads(self) -> None:
        """Take them; nothing gives them back."""
        taken = []
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        for descriptor in taken[-FREE_DESCRIPTORS:]:
            os.close(descriptor)
