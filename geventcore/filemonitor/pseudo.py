"""The monitor that notices nothing: initial events only, for local tools and tests."""

from __future__ import annotations

from geventcore.filemonitor.queue import QueuedMonitor


class Pseudo(QueuedMonitor):
    """A monitor that reports the files that exist when a path is added, and no later changes."""

    name = "Pseudo"

    def start(self) -> None:
        """Do nothing: this monitor watches no changes."""

    def _refresh(self, handle: str, is_modified: bool = False) -> None:
        self._snapshots[handle].refresh()
