"""The monitor that notices nothing: initial events only, for local tools and tests."""

from __future__ import annotations

from geventcore.filemonitor.queue import QueuedMonitor


class Pseudo(QueuedMonitor):
    """Tells what exists when a monitor is added, and nothing after that."""

    name = "Pseudo"

    def start(self) -> None:
        """Nothing begins."""

    def _look_at(self, handle: str, is_modified: bool = False) -> None:
        self._snapshots[handle].refresh()
