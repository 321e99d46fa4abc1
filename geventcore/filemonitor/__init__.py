"""File monitors: they tell the plugins which files of the repository exist and change."""

from geventcore.filemonitor.base import EventHandler, FileAction, FileEvent, FileMonitor

__all__ = ["EventHandler", "FileAction", "FileEvent", "FileMonitor"]
