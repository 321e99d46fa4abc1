"""``Bcfg2.Logger``: the log has been set up already when a plugin is loaded."""

from __future__ import annotations

import logging
from typing import Any

from geventcore.compat.plugin_base import Debuggable

__all__ = ["Debuggable", "default_log_level", "setup_logging"]


def setup_logging(*args: Any, **kwargs: Any) -> None:
    """Do nothing: the server has set up logging."""


def default_log_level() -> int:
    """Return the lowest level that is logged."""
    return logging.getLogger().getEffectiveLevel()
