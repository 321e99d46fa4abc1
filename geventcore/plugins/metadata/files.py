"""One file of the metadata with its includes: reading its table, and changing it.

The table is replaced as a whole, so a caller can keep using its version. If a version of the file is invalid, an error
is logged and the last good table stays in use.

When `MetadataFile.edit` returns, the change is durable and in the table (`SharedFile`). Changes by others since the
table was read are read first, so none is lost.
"""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from lxml import etree

from geventcore.errors import MetadataRuntimeError, RepositoryError
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.metadata.edit_messages import message_of, of_message
from geventcore.plugins.metadata.writer import Edit, Outcome, apply_edits
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.shared_file import SharedFile
from geventcore.specfiles.xmlfile import Signature, load_document, signature

log = logging.getLogger(__name__)

TableT = TypeVar("TableT")


@dataclass(frozen=True)
class _Loaded(Generic[TableT]):
    """A table, and the files that it was read from with their versions."""

    table: TableT
    files: tuple[Path, ...]
    signatures: Mapping[Path, Signature]

    def is_current(self) -> bool:
        return all(signature(path) == version for path, version in self.signatures.items())

    def has_read(self, outcome: Outcome) -> bool:
        """Return true if the edits were applied to these versions."""
        return all(self.signatures.get(path) == version for path, version in outcome.read.items())

    def with_written(self, table: TableT, outcome: Outcome) -> _Loaded[TableT]:
        """Return the state after a write."""
        return _Loaded(table, self.files, {**self.signatures, **outcome.written})


class MetadataFile(SharedFile[Edit], Generic[TableT]):
    """``groups.xml`` or ``clients.xml``; a subclass defines the table."""

    # A repeated write does not add an element twice.
    is_repeatable = False
    file_name: ClassVar[str]
    root_tag: ClassVar[str]
    #: True if the file is optional.
    is_optional: ClassVar[bool] = False

    def __init__(self, directory: Path, context: PluginContext, on_load: Callable[[], None]) -> None:
        """Create an empty file if a required one is missing. Call `on_load` whenever a version of the file is read."""
        self._on_load = on_load
        self._loaded: _Loaded[TableT] | None = None
        # True if another process has made a change that requires reading the file.
        self._is_outdated = False
        super().__init__(directory / self.file_name, context, f"Metadata:{self.file_name}")
        self._watched = {self.path}
        if not self.is_optional and not context.read_only and not self.path.exists():
            log.warning("created the missing file %s", self.path)
            write_durably(self.path, f"<{self.root_tag}/>\n".encode())
        context.file_monitor.add_monitor(str(self.path), self)

    @abstractmethod
    def _parse(self, root: etree._Element) -> TableT:
        """Build the table from a root element whose includes are resolved."""

    def _carry_over(self, new: TableT, old: TableT) -> TableT:
        """Return a newly read table with the data that it keeps from the last one."""
        return new

    def _evolve(self, table: TableT, edits: Sequence[Edit]) -> TableT | None:
        """Return the table after edits, or None if the file has to be read for it."""
        return None

    @property
    def table(self) -> TableT:
        """Return the current table; `MetadataRuntimeError` if no version of the file was valid."""
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
                    log.error("%s; the last good version stays in use", err)

    def _never_read(self) -> MetadataRuntimeError:
        return MetadataRuntimeError(f"{self.path}: no usable version of this file has been read yet")

    @property
    def is_loaded(self) -> bool:
        """Return true if there is a table."""
        return self._loaded is not None

    def forget(self) -> None:
        """Drop the table."""
        with self._replace:
            self._loaded = None
        self._on_load()

    def replace_table(self, change: Callable[[TableT], TableT]) -> None:
        """Replace the table by the result of `change`."""
        with self._replace:
            if self._loaded is not None:
                self._loaded = replace(self._loaded, table=change(self._loaded.table))

    def handle_event(self, event: FileEvent) -> None:
        """Reload the file if it differs from the version that was read; `RepositoryError` if it is invalid."""
        if event.action is FileAction.END_EXIST:
            return
        path = Path(os.path.join(event.handle, event.filename))
        with self._exchange:
            if self._loaded is not None:
                if not self.path.exists():
                    log.error("%s: deleted; the last good version stays in use", self.path)
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
        """Apply one edit and return it when it is durable; `MetadataError` if that fails."""
        self.change(edit)
        return edit

    def _write(self, changes: Sequence[Edit]) -> Sequence[Exception | None]:
        if self._loaded is None or not self._loaded.is_current():
            self._load()
        loaded = self._loaded
        if loaded is None:
            raise self._never_read()
        outcome = self._context.offload(apply_edits, loaded.files, changes)
        if outcome.written:
            done = [edit for edit in changes if edit.error is None and not edit.existed]
            try:
                self._take_over(loaded, done, outcome)
            except RepositoryError as err:
                # The edit is stored nevertheless, and the file event of this write triggers another attempt to read.
                log.error("%s: the file was written, but cannot be read: %s", self.path, err)
            self._context.tell_others(self._topic, message_of(done, outcome))
        return [edit.error for edit in changes]

    def _failure(self, err: Exception) -> Exception:
        if isinstance(err, OSError):
            return MetadataRuntimeError(f"{self.path.parent}: cannot be written: {err.strerror or err}")
        return MetadataRuntimeError(str(err))

    def _take_over(self, before: _Loaded[TableT], done: Sequence[Edit], outcome: Outcome) -> None:
        """Update the table after a write."""
        table = self._evolve(before.table, done) if before.has_read(outcome) else None
        if table is None:
            self._load()
            return
        with self._replace:
            self._loaded = before.with_written(table, outcome)

    def _others_wrote(self, message: Mapping[str, Any]) -> None:
        """Update the table after a write of another process, which waits until this returns."""
        done, outcome = of_message(message)
        with self._replace:
            before = self._loaded
            table = self._evolve(before.table, done) if before is not None and before.has_read(outcome) else None
            if before is not None and table is not None:
                self._loaded = before.with_written(table, outcome)
                return
            # Do not wait: the thread that reads the file may itself wait until this process lets it write.
            self._is_outdated = True
