"""A file of the repository that many callers change: threads, processes of the server, and administrators.

* A change is durable when `SharedFile.change` returns. Callers that wait at the same time share one write.
* A writer holds a lock of the directory, so processes write one after the other. It first reads the changes of others.
* Before it releases the lock, it sends the changes and the version of the file to the other processes of the server. So
  they know the content without reading the file, and the file event of the write causes no work.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from geventcore.errors import GeventcoreError
from geventcore.filemonitor import EventHandler
from geventcore.group_commit import GroupCommit, Ticket
from geventcore.plugin.context import PluginContext
from geventcore.repository.durable_writes import lock_directory, unlock_directory

ChangeT = TypeVar("ChangeT")


class SharedFile(EventHandler, ABC, Generic[ChangeT]):
    """A shared file; a subclass keeps its content in memory.

    Attributes:
        path: the file.
    """

    #: True if a change whose write was interrupted may be written again.
    is_repeatable: ClassVar[bool]

    def __init__(self, path: Path, context: PluginContext, topic: str) -> None:
        """Use `topic` for the messages between processes about their writes."""
        self.path = path
        self._context = context
        self._topic = topic
        # Held while the file is read or written, so that an older state never replaces a newer one. Whoever holds it
        # may ask for the content, which may have become outdated meanwhile, and so read the file once more.
        self._exchange = threading.RLock()
        # Held for an instant, around changes of what is in memory.
        self._replace = threading.Lock()
        self._group: GroupCommit[ChangeT] = GroupCommit(self._carry_out)
        context.subscribe(topic, self._others_wrote)

    def change(self, change: ChangeT) -> None:
        """Write a change durably; raise the exception of `_failure` if that fails."""
        self._group.put(change)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock out all other writers, threads and processes; `OSError` if the directory cannot be opened."""
        with self._exchange:
            descriptor = self._context.offload(lock_directory, self.path.parent)
            try:
                yield
            finally:
                unlock_directory(descriptor)

    def _carry_out(self, batch: Sequence[Ticket[ChangeT]]) -> None:
        errors: Sequence[Exception | None] | None = None
        try:
            with self._alone():
                errors = self._write([ticket.item for ticket in batch])
        except (GeventcoreError, OSError) as err:
            # A traceback grows with each raise, so every caller gets its own exception.
            errors = [self._failure(err) for _ in batch]
        except BaseException:
            if not self.is_repeatable:
                errors = [self._failure(InterruptedError("writing was interrupted")) for _ in batch]
            raise
        finally:
            for ticket, error in zip(batch, errors or (), strict=False):
                ticket.finish(error)

    @abstractmethod
    def _write(self, changes: Sequence[ChangeT]) -> Sequence[Exception | None]:
        """Write the file and notify the other processes, with the lock held; return an error or None per change."""

    @abstractmethod
    def _failure(self, err: Exception) -> Exception:
        """Return the exception for a caller when the whole write has failed."""

    @abstractmethod
    def _others_wrote(self, message: Mapping[str, Any]) -> None:
        """Update the content after a write of another process, which holds the lock until this returns."""
