"""One file of the metadata with what it includes: the table that is read from it, and changing it.

The table is replaced as a whole, so whoever works with one keeps it. A version of the file that cannot be used is
reported, and the last good table stays.

A change is durable and in the table when `MetadataFile.edit` returns. Callers that wait at the same time share one
write. The file event that a write of our own causes finds nothing new and does nothing; what others changed since the
table was read is read first, so it is neither lost nor overlooked.

The processes of one server tell each other their edits before they let others write, so each can bring its table up to
date without reading the file.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from lxml import etree

from geventcore.errors import MetadataError, MetadataRuntimeError, RepositoryError
from geventcore.filemonitor import EventHandler, FileAction, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.metadata.edit_messages import message_of, of_message
from geventcore.plugins.metadata.writer import Edit, Outcome, apply_edits
from geventcore.specfiles.durable import GroupCommit, lock_directory, unlock_directory, write_durably
from geventcore.specfiles.xmlfile import Signature, load_document, signature

log = logging.getLogger(__name__)

TableT = TypeVar("TableT")


@dataclass(frozen=True)
class _Loaded(Generic[TableT]):
    """A table, and the files that it was made from with their versions."""

    table: TableT
    files: tuple[Path, ...]
    signatures: Mapping[Path, Signature]

    def is_current(self) -> bool:
        return all(signature(path) == version for path, version in self.signatures.items())

    def has_read(self, outcome: Outcome) -> bool:
        """Whether what was written then was made from these versions."""
        return all(self.signatures.get(path) == version for path, version in outcome.read.items())

    def with_written(self, table: TableT, outcome: Outcome) -> _Loaded[TableT]:
        """The next state, after what was written."""
        return _Loaded(table, self.files, {**self.signatures, **outcome.written})


class MetadataFile(EventHandler, ABC, Generic[TableT]):
    """``groups.xml`` or ``clients.xml``; subclasses say what the table is."""

    file_name: ClassVar[str]
    root_tag: ClassVar[str]
    #: Whether the file need not exist.
    is_optional: ClassVar[bool] = False

    def __init__(self, directory: Path, context: PluginContext, on_load: Callable[[], None]) -> None:
        """Creates an empty file if there has to be one. `on_load` is called whenever a version of the file was read."""
        self.path = directory / self.file_name
        self._context = context
        self._on_load = on_load
        self._loaded: _Loaded[TableT] | None = None
        # Held while the file is read or written, so that an older state never replaces a newer one. Whoever holds it
        # may ask for the table, which may have become outdated meanwhile, and so read the file once more.
        self._exchange = threading.RLock()
        # Held for an instant, around changes of `_loaded` and `_pending`.
        self._replace = threading.Lock()
        self._pending: list[Edit] = []
        self._commit = GroupCommit(self._write_pending)
        # Whether another process has changed the file in a way that only reading it can tell.
        self._is_outdated = False
        self._topic = f"Metadata:{self.file_name}"
        context.subscribe(self._topic, self._others_wrote)
        self._watched = {self.path}
        if not self.is_optional and not self.path.exists():
            log.warning("%s does not exist; created", self.path)
            write_durably(self.path, f"<{self.root_tag}/>\n".encode())
        context.file_monitor.add_monitor(str(self.path), self)

    @abstractmethod
    def _parse(self, root: etree._Element) -> TableT:
        """The table of a root element whose includes are resolved."""

    def _carry_over(self, new: TableT, old: TableT) -> TableT:
        """A table that was just read, with what it keeps of the one before it."""
        return new

    def _evolve(self, table: TableT, edits: Sequence[Edit]) -> TableT | None:
        """The table after edits, or None if only reading the file can tell."""
        return None

    @property
    def table(self) -> TableT:
        """The table as of now; `MetadataRuntimeError` if the file was never good."""
        if self._is_outdated:
            self._catch_up()
        if self._loaded is None:
            raise self._never_read()
        return self._loaded.table

    def _catch_up(self) -> None:
        with self._exchange:
            if self._is_outdated:
                self._is_outdated = False
                try:
                    self._load()
                except RepositoryError as err:
                    log.error("%s; what was read before stays in use", err)

    def _never_read(self) -> MetadataRuntimeError:
        return MetadataRuntimeError(f"{self.path}: no usable version of this file has been read yet")

    @property
    def is_loaded(self) -> bool:
        """Whether there is a table."""
        return self._loaded is not None

    def forget(self) -> None:
        """Forget what was read."""
        with self._replace:
            self._loaded = None
        self._on_load()

    def replace_table(self, change: Callable[[TableT], TableT]) -> None:
        """Replace the table by one that is made from it."""
        with self._replace:
            if self._loaded is not None:
                self._loaded = replace(self._loaded, table=change(self._loaded.table))

    def handle_event(self, event: FileEvent) -> None:
        """Read the file anew if what the event is about is new; `RepositoryError` if it cannot be used."""
        if event.action is FileAction.END_EXIST:
            return
        path = Path(os.path.join(event.handle, event.filename))
        with self._exchange:
            if self._loaded is not None:
                if not self.path.exists():
                    log.error("%s is gone; what was read from it stays in use", self.path)
                    return
                known = self._loaded.signatures
                if known[path] == signature(path) if path in known else event.action is FileAction.EXISTS:
                    return
            self._load()

    def _load(self) -> None:
        document = self._context.offload(load_document, self.path)
        for path in document.watch:
            if path not in self._watched:
                self._watched.add(path)
                self._context.file_monitor.add_monitor(str(path), self)
        table = self._parse(document.root)
        with self._replace:
            if self._loaded is not None:
                table = self._carry_over(table, self._loaded.table)
            self._loaded = _Loaded(table, (self.path, *document.includes), document.signatures)
        self._on_load()

    def edit(self, edit: Edit) -> Edit:
        """Do one edit; returns it when it is durable. Raises `MetadataError` if it cannot be done."""
        with self._replace:
            self._pending.append(edit)
        self._commit.commit()
        if edit.error is not None:
            raise edit.error
        return edit

    def _write_pending(self) -> None:
        """Do all the edits that wait. What goes wrong is said in the edits, each of which has its own caller."""
        with self._replace:
            edits, self._pending = self._pending, []
        if not edits:
            return
        try:
            with self._exchange:
                self._write(edits)
        except (MetadataError, RepositoryError) as err:
            _fail(edits, str(err))
        except BaseException:
            _fail(edits, f"{self.path}: writing was interrupted")
            raise

    def _write(self, edits: Sequence[Edit]) -> None:
        try:
            descriptor = self._context.offload(lock_directory, self.path.parent)
        except OSError as err:
            raise MetadataRuntimeError(f"{self.path.parent}: cannot be written: {err.strerror}") from err
        try:
            if self._loaded is None or not self._loaded.is_current():
                self._load()
            loaded = self._loaded
            if loaded is None:
                raise self._never_read()
            outcome = self._context.offload(apply_edits, loaded.files, edits)
            if outcome.written:
                done = [edit for edit in edits if edit.error is None and not edit.existed]
                try:
                    self._take_over(loaded, done, outcome)
                except RepositoryError as err:
                    # It is stored all the same, and the file event of this write will try to read it once more.
                    log.error("%s was written, but cannot be read: %s", self.path, err)
                self._context.tell_others(self._topic, message_of(done, outcome))
        finally:
            unlock_directory(descriptor)

    def _take_over(self, before: _Loaded[TableT], done: Sequence[Edit], outcome: Outcome) -> None:
        """Bring the table up to what was written."""
        table = self._evolve(before.table, done) if before.has_read(outcome) else None
        if table is None:
            self._load()
            return
        with self._replace:
            self._loaded = before.with_written(table, outcome)

    def _others_wrote(self, message: Mapping[str, Any]) -> None:
        """Another process has written the file; it waits until this returns."""
        done, outcome = of_message(message)
        with self._replace:
            before = self._loaded
            table = self._evolve(before.table, done) if before is not None and before.has_read(outcome) else None
            if before is not None and table is not None:
                self._loaded = before.with_written(table, outcome)
                return
            # Whoever reads the file may be the one that waits for this process to let it write.
            self._is_outdated = True


def _fail(edits: Sequence[Edit], reason: str) -> None:
    for edit in edits:
        edit.error = edit.error or MetadataRuntimeError(reason)
