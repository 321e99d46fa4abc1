"""File monitors: they notify plugins of files in the repository that exist or change."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence

from geventcore.errors import ConfigError
from geventcore.filemonitor.base import NOTHING, BrokenFile, Effect, EventHandler, FileAction, FileEvent, FileMonitor

__all__ = [
    "MONITORS",
    "NOTHING",
    "BrokenFile",
    "Effect",
    "EventHandler",
    "FileAction",
    "FileEvent",
    "FileMonitor",
    "create_monitor",
]

log = logging.getLogger(__name__)

#: Values of ``[server] filemonitor``, except for ``default``. Gamin is obsolete, so its name selects polling.
MONITORS: dict[str, str] = {
    "inotify": "geventcore.filemonitor.inotify:Inotify",
    "polling": "geventcore.filemonitor.polling:Polling",
    "pseudo": "geventcore.filemonitor.pseudo:Pseudo",
    "gamin": "geventcore.filemonitor.polling:Polling",
}


def create_monitor(name: str, ignore: Sequence[str]) -> FileMonitor:
    """Return the monitor called `name` in `MONITORS`, or the best one that works here for the name ``default``.

    `ignore`: globs of file names to ignore. `ConfigError` if the name is unknown or the monitor does not work here.
    """
    if name == "default":
        name = _best_monitor()
    if name == "gamin":
        log.warning("[server] filemonitor: gamin is not supported; using polling")
    if name not in MONITORS:
        raise ConfigError(f"[server] filemonitor: {name!r} is unknown; expected default, {', '.join(sorted(MONITORS))}")
    module, _, class_name = MONITORS[name].partition(":")
    try:
        monitor_class = getattr(importlib.import_module(module), class_name)
    except ImportError as err:
        raise ConfigError(f"[server] filemonitor: {name} does not work here: {err}") from err
    monitor: FileMonitor = monitor_class(ignore)
    return monitor


def _best_monitor() -> str:
    try:
        importlib.import_module("geventcore.filemonitor.inotify").check_inotify()
    except (ImportError, AttributeError, OSError) as err:
        log.warning("inotify does not work here, polling files instead (filemonitor = polling): %s", err)
        return "polling"
    return "inotify"
