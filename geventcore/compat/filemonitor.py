"""``Bcfg2.Server.FileMonitor``: the server's file monitor under Bcfg2's names."""

from __future__ import annotations

from typing import Any

from geventcore.compat.current import get_core
from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugin.failures import describe

__all__ = ["Event", "FileMonitor", "get_fam"]


class Event:
    """A file event.

    Attributes:
        requestID: the handle that `FileMonitor.AddMonitor` returned.
        filename: the full path if the file is monitored itself, else relative to the monitored directory.
        action: ``exists``, ``created``, ``changed``, ``deleted`` or ``endExist``.
    """

    def __init__(self, request_id: Any, filename: str, code: str) -> None:
        self.requestID = request_id
        self.filename = filename
        self.action = code

    def code2str(self) -> str:
        return self.action

    def __str__(self) -> str:
        return f"Event: {self.action} {self.filename} ({self.requestID})"

    __repr__ = __str__


class _Handler:
    """A handler that forwards events to an object with the method ``HandleEvent``."""

    #: The site's code may use more of a file than its content.
    needs_every_event = True

    def __init__(self, target: Any, handle_id: Any = None) -> None:
        self.target = target
        self._handle_id = handle_id

    def handle_event(self, event: FileEvent) -> None:
        request_id = event.handle if self._handle_id is None else self._handle_id
        try:
            self.target.HandleEvent(Event(request_id, event.filename, event.action.value))
        except GeventcoreError:
            raise
        except Exception as err:
            raise PluginExecutionError(describe(err)) from err

    def __str__(self) -> str:
        kind: Any = type(self.target)
        if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
            return str(kind.__name__)
        return str(self.target)


class FileMonitor:
    """The file monitor of plugins, ``core.fam``."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        self._handlers: dict[tuple[int, Any], _Handler] = {}

    def AddMonitor(self, path: str, obj: Any, handleID: Any = None) -> Any:
        """Call ``obj.HandleEvent(event)`` for each event; return the handle, which events have as `requestID`."""
        key = (id(obj), handleID)
        # A handler keeps its target alive, so that its id is not reused.
        handler = self._handlers.setdefault(key, _Handler(obj, handleID))
        handle = self._context.file_monitor.add_monitor(str(path), handler)
        return handle if handleID is None else handleID

    def pending(self) -> bool:
        return self._context.file_monitor.pending()

    def handle_event_set(self, lock: Any = None) -> None:
        """Apply the queued events, as far as the caller's locks allow."""
        self._context.handle_file_events()

    def handle_events_in_interval(self, interval: float) -> None:
        """Apply the queued events without waiting."""
        self._context.handle_file_events()

    def set_debug(self, debug: bool) -> bool:
        return self._context.file_monitor.set_debug(debug)


def get_fam() -> FileMonitor:
    """Return the file monitor of the server."""
    monitor: FileMonitor = get_core().fam
    return monitor


def is_file_monitor(value: object) -> bool:
    """Return true if a value is one, for arguments that Bcfg2 1.3 and 1.4 have in different places."""
    return hasattr(value, "AddMonitor")


#: The events after which a file is read.
READ_ACTIONS = frozenset(action.value for action in (FileAction.EXISTS, FileAction.CREATED, FileAction.CHANGED))
