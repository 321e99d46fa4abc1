"""The contract of a file monitor.

Monitoring is not recursive. `FileMonitor.add_monitor` at once queues the *initial events*: ``exists`` for the path
itself (its full path) and, for a directory, ``exists`` for each of its entries (the relative name, sorted) and finally
``endExist`` (the full path). Later, whatever changes is queued as ``created``, ``changed`` or ``deleted``.

Events about a path that is monitored itself carry its full path; events about what lies in a monitored directory carry
the relative name. Events are hints: a handler looks at the disk, and handling an event twice does no harm.

Events are only queued. They are applied, one after the other and in order, by `FileMonitor.handle_events`, which the
server calls under the lock that keeps renders from seeing half a change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class FileAction(Enum):
    """What happened to a file."""

    EXISTS = "exists"
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    END_EXIST = "endExist"


@dataclass(frozen=True)
class FileEvent:
    """One thing that happened.

    Attributes:
        handle: what `FileMonitor.add_monitor` returned: the monitored path without a trailing slash.
        filename: the full path for an event about the monitored path itself, else the name relative to it.
        action: what happened.
    """

    handle: str
    filename: str
    action: FileAction


class EventHandler(Protocol):
    """Whoever wants to know."""

    def handle_event(self, event: FileEvent) -> None:
        """Look at the file again. What this raises is logged with the file's name, and the next event follows."""


class FileMonitor(ABC):
    """Watches files and directories. Every method may be called from any thread."""

    @abstractmethod
    def add_monitor(self, path: str, handler: EventHandler) -> str:
        """Watch a file or directory, existing or not; returns the handle. Queues the initial events."""

    @abstractmethod
    def start(self) -> None:
        """Begin to watch; called once, in the process that serves. Monitors may have been added before."""

    @abstractmethod
    def shutdown(self) -> None:
        """Stop watching and release everything; may be called twice. Wakes whoever waits."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait until events are queued or `timeout` seconds have passed; whether there are any.

        Waits only through the standard library's ``select``, ``time`` and ``threading``, so that a core that patches
        them makes it cooperative.
        """

    @abstractmethod
    def pending(self) -> bool:
        """Whether events are queued."""

    @abstractmethod
    def handle_events(self) -> int:
        """Apply everything that is queued, and what that queues in turn; returns how many events were applied."""
