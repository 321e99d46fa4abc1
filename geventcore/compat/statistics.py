"""``Bcfg2.Server.Statistics``: durations, which are added to the statistics of ``get_statistics``."""

from __future__ import annotations

from geventcore.compat.current import get_core
from geventcore.compat.plugin_functions import track_statistics

__all__ = ["stats", "track_statistics"]


class _Statistics:
    def add_value(self, name: str, value: float) -> None:
        """Count a duration in seconds."""
        get_core().context.measure(name, value)


stats = _Statistics()
