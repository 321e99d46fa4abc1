"""The contract of a file monitor.

Monitoring is not recursive. `FileMonitor.add_monitor` at once queues the *initial events*: ``exists`` for the path
itself (its full path) and, for a directory, ``exists`` for each of its entries (the relative name, sorted) and finally
``endExist`` (the full path). A path that does not exist has no initial events. Later, whatever changes is queued as
``created``, ``changed`` or ``deleted``.

Events about a path that is monitored itself carry its full path; events about what lies in a monitored directory carry
the relative name. Events are hints: a handler looks at the disk, and handling an event twice does no harm.

A monitored path stands for whatever is found under that name. Symbolic links are followed, in the path and in the
entries of a directory, and a link that leads nowhere does not exist. When a directory vanishes, its entries are
``deleted`` and then the directory itself; when there is one again, it is ``created`` and then its entries.

Events are only queued. They are applied, one after the other and in order, by `FileMonitor.handle_events`, which the
server calls under the lock that keeps renders from seeing half a change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Protocol


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
    """Watches files and directories. Every method may be called from any thread.

    Attributes:
        name: what it is called in the log and, before a dot, in the names of its remote methods.
        remote_methods: names of methods that can be called over XML-RPC as ``<name>.<method>``.
        debug: whether every event is logged.
    """

    name: ClassVar[str]
    remote_methods: ClassVar[tuple[str, ...]] = ("toggle_debug", "set_debug", "list_event_handlers")
    debug: bool = False

    @abstractmethod
    def add_monitor(self, path: str, handler: EventHandler) -> str:
        """Watch a file or directory, existing or not; returns the handle. Queues the initial events for `handler`.

        A path may have several handlers. A relative path is taken from the current directory; `ValueError` if it is
        empty or contains a null character.
        """

    @abstractmethod
    def start(self) -> None:
        """Begin to watch; called once, in the process that serves, after it has detached and forked.

        Monitors may have been added before: what has changed since then is queued.
        """

    @abstractmethod
    def shutdown(self) -> None:
        """Stop watching and release everything; may be called twice. Wakes whoever waits."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait until events are queued or `timeout` seconds have passed; whether there are any.

        Changes are looked for while somebody waits: one thread or greenlet should do so all the time. Returns at once
        after `shutdown`. Waits only through the standard library's ``select``, ``time`` and ``threading``, so that a
        core that patches them makes it cooperative.
        """

    @abstractmethod
    def pending(self) -> bool:
        """Whether events are queued."""

    @abstractmethod
    def handle_events(self) -> int:
        """Apply everything that is queued, and what that queues in turn; returns how many events were applied."""

    @abstractmethod
    def list_event_handlers(self) -> dict[str, str]:
        """Handle -> what handles its events, for people to read."""

    def set_debug(self, debug: bool) -> bool:
        """Switch the logging of every event on or off; returns what was given."""
        self.debug = debug
        return debug

    def toggle_debug(self) -> bool:
        """Turn the debug switch; returns the new position."""
        return self.set_debug(not self.debug)
