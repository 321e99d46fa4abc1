"""File monitors: they tell the plugins which files of the repository exist and change."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence

from geventcore.errors import ConfigError
from geventcore.filemonitor.base import EventHandler, FileAction, FileEvent, FileMonitor

__all__ = ["MONITORS", "EventHandler", "FileAction", "FileEvent", "FileMonitor", "create_monitor"]

log = logging.getLogger(__name__)

#: Values of ``[server] filemonitor``, except for ``default``. Gamin is a daemon of bygone days.
MONITORS: dict[str, str] = {
    "inotify": "geventcore.filemonitor.inotify:Inotify",
    "polling": "geventcore.filemonitor.polling:Polling",
    "pseudo": "geventcore.filemonitor.pseudo:Pseudo",
    "gamin": "geventcore.filemonitor.polling:Polling",
}


def create_monitor(name: str, ignore: Sequence[str]) -> FileMonitor:
    """The monitor with a name from `MONITORS`, or the best one that works here if the name is ``default``.

    `ignore`: globs of file names that have no events. `ConfigError` if there is no such monitor or it cannot work.
    """
    if name == "default":
        name = _best_monitor()
    if name == "gamin":
        log.warning("[server] filemonitor: gamin is no longer supported, polling is used")
    if name not in MONITORS:
        raise ConfigError(f"[server] filemonitor: {name!r} is unknown; expected default, {', '.join(sorted(MONITORS))}")
    module, _, class_name = MONITORS[name].partition(":")
    try:
        monitor_class = getattr(importlib.import_module(module), class_name)
    except ImportError as err:
        raise ConfigError(f"[server] filemonitor: {name} cannot be used here: {err}") from err
    monitor: FileMonitor = monitor_class(ignore)
    return monitor


def _best_monitor() -> str:
    try:
        importlib.import_module("geventcore.filemonitor.inotify").check_inotify()
    except (ImportError, AttributeError, OSError) as err:
        log.warning("Files are looked at at intervals (filemonitor = polling), because inotify cannot be used: %s", err)
        return "polling"
    return "inotify"
