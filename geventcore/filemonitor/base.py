"""The contract of a file monitor.

Monitoring is not recursive. `FileMonitor.add_monitor` at once queues the *initial events*: ``exists`` for the path
itself (its full path) and, for a directory, ``exists`` for each of its entries (the relative name, sorted) and finally
``endExist`` (the full path). A path that does not exist has no initial events. Later changes are queued as ``created``,
``changed`` or ``deleted``.

Events about the monitored path itself carry its full path; events about entries of a monitored directory carry the
relative name. Events are hints: a handler reads the disk, and handling an event twice does no harm.

Symbolic links are followed, in the path and in the entries of a directory; a dangling link does not exist. When a
directory vanishes, its entries are ``deleted`` first and then the directory. When it comes back, the directory is
``created`` first and then its entries.

The monitor only queues events. `FileMonitor.handle_events` applies them one by one, in order. The server calls it under
the repository lock, so that no client gets a configuration from a half-applied change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Protocol


class FileAction(Enum):
    """The kind of a file event."""

    EXISTS = "exists"
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    END_EXIST = "endExist"


@dataclass(frozen=True)
class FileEvent:
    """One change of a file.

    Attributes:
        handle: the monitored path without a trailing slash, as `FileMonitor.add_monitor` returned it.
        filename: the full path for an event about the monitored path itself, else the name relative to it.
        action: the kind of change.
    """

    handle: str
    filename: str
    action: FileAction


@dataclass(frozen=True)
class BrokenFile:
    """A file that a handler cannot use.

    Attributes:
        path: the full path.
        reason: the text of the error, with the line if it is known.
        since: when it failed first, in seconds since 1970.
        keeps_last: true if a version that was read before stays in use.
    """

    path: str
    reason: str
    since: float
    keeps_last: bool


#: The parts of configurations that a change can touch, besides what is built anew for every call (metadata): pairs of a
#: tag and a name, such as ``("Path", "/etc/motd")`` or ``("Bundle", "base")``. None: any part.
Effect = frozenset[tuple[str, str]] | None
NOTHING: Effect = frozenset()


class EventHandler(Protocol):
    """A receiver of file events."""

    def handle_event(self, event: FileEvent) -> None:
        """Read the file again. An exception is logged with the file's name, and the next event follows."""


class TellsEffect(Protocol):
    """A handler that knows what its events can touch. The events of others can touch anything."""

    def effect_of(self, event: FileEvent) -> Effect:
        """Return the parts of configurations that an event, which has been handled, can touch."""


class FileMonitor(ABC):
    """Watches files and directories. Every method may be called from any thread.

    Attributes:
        name: its name in the log and in the names of its remote methods.
        remote_methods: names of methods that can be called over XML-RPC as ``<name>.<method>``.
        debug: true if every event is logged.
    """

    name: ClassVar[str]
    remote_methods: ClassVar[tuple[str, ...]] = ("toggle_debug", "set_debug", "list_event_handlers")
    debug: bool = False

    @abstractmethod
    def add_monitor(self, path: str, handler: EventHandler) -> str:
        """Watch a file or directory, existing or not; returns the handle. Queues the initial events for `handler`.

        A path may have several handlers. A relative path starts at the current directory. `ValueError` if the path is
        empty or contains a null character.
        """

    @abstractmethod
    def start(self) -> None:
        """Start watching; called once, in the process that serves, after it has detached and forked.

        Changes to paths that were added before the start are queued.
        """

    @abstractmethod
    def shutdown(self) -> None:
        """Stop watching, release all resources, and wake every waiter. May be called twice."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait until events are queued or `timeout` seconds have passed; return true if events are queued.

        Changes are detected only during this call, so one thread or greenlet should always be in it. Returns at once
        after `shutdown`. Waits only through the standard library's ``select``, ``time`` and ``threading``, so that a
        core that patches them makes the wait cooperative.
        """

    @abstractmethod
    def pending(self) -> bool:
        """Return true if events are queued."""

    @abstractmethod
    def handle_events(self, collect: bool = True) -> int:
        """Apply the queued events and those that they queue in turn; return the number of events applied.

        With `collect`, changes that can be detected now are queued first.
        """

    @abstractmethod
    def prepare(self) -> int:
        """Do what can be done ahead of `handle_events`, while clients are served.

        Drop events of files whose handlers have their content already (`geventcore.file_contents`), and read and parse
        the others. ``needs_every_event = True`` on a handler keeps its events. Returns the number of events left.
        """

    def take_effect(self) -> Effect:
        """Return what the events that were applied since the last call can touch."""
        return None

    def effect_of(self, path: str) -> Effect:
        """Return what a change of a file can touch."""
        return None

    @abstractmethod
    def look(self) -> bool:
        """Detect changes for a few milliseconds, without waiting; return true if there is more to detect at once.

        Call it again and again while `wait` is not called.
        """

    @abstractmethod
    def rescan(self) -> None:
        """Compare everything with its last known state, and queue the differences."""

    @abstractmethod
    def quiet_for(self) -> float:
        """Return for how many seconds other programs have changed nothing; infinity if they have not since the start.

        The server's own writes do not count. It is 0 while a file is being written, or changes wait to be detected.
        """

    @property
    @abstractmethod
    def unsettled_changes(self) -> int:
        """The number of paths that other programs have changed since events were last applied."""

    @abstractmethod
    def discount(self, paths: Iterable[str]) -> None:
        """Count changes of these files, free of symbolic links, as the server's own if it has turned out to be so.

        Another process of the server may have written a file whose event came before it could say so.
        """

    def broken_files(self) -> list[BrokenFile]:
        """Return the files that handlers cannot use at the moment, the oldest failure first."""
        return []

    @abstractmethod
    def list_event_handlers(self) -> dict[str, str]:
        """Return handle -> description of its handlers, for people to read."""

    def set_debug(self, debug: bool) -> bool:
        """Switch the logging of every event on or off; return `debug`."""
        self.debug = debug
        return debug

    def toggle_debug(self) -> bool:
        """Switch the logging of every event on if it is off, else off; return the new state."""
        return self.set_debug(not self.debug)
