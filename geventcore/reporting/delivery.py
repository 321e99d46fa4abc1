"""From where reports wait to where they belong: in order, and once each, whatever ends in between.

A batch is acknowledged after everything in it is stored. So a crash brings it again, and storing it again changes
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from geventcore.errors import DatabaseUnavailable, GeventcoreError, SchemaMismatch, StorageError
from geventcore.metrics.definitions import REPORTS
from geventcore.reporting.format import decode
from geventcore.reporting.sources import Batch
from geventcore.reporting.spool import Offload
from geventcore.storage.database import Database
from geventcore.storage.report_model import Interaction
from geventcore.storage.report_preparing import prepare
from geventcore.storage.report_writing import Stored, store_reports

log = logging.getLogger(__name__)

#: The store is gone, and may come back: what cannot be stored now is worth keeping.
OUTAGES = (DatabaseUnavailable, SchemaMismatch)

#: Of how many lines in a batch the log tells what is wrong: a file of something else may have any number of them.
REFUSALS_TOLD = 5
#: How much of a line the log shows that can be kept nowhere, in characters.
EXCERPT = 200


class Sink(Protocol):
    """Where reports are stored."""

    def store(self, interactions: Sequence[Interaction]) -> Sequence[StorageError | None]:
        """Store reports; for each, why it cannot be stored, or None. One of `OUTAGES` if nothing can be stored now."""

    def check(self) -> None:
        """Raise one of `OUTAGES` if the store cannot be reached."""

    @property
    def is_gone(self) -> bool:
        """Whether it is known that the store cannot be reached. Asks nobody."""


class DatabaseSink:
    """Stores reports in the database."""

    def __init__(self, database: Callable[[], Database]) -> None:
        """`database` may open it, and wait for it."""
        self._open = database
        self._opened: Database | None = None

    def _database(self) -> Database:
        try:
            self._opened = self._open()
        except OUTAGES:
            raise
        except GeventcoreError as err:
            # No fault of the report that happens to be the first one.
            raise DatabaseUnavailable(str(err)) from err
        return self._opened

    def check(self) -> None:
        """See `Sink.check`."""
        self._database().check()

    @property
    def is_gone(self) -> bool:
        """See `Sink.is_gone`."""
        return self._opened is not None and not self._opened.is_available

    def store(self, interactions: Sequence[Interaction]) -> Sequence[StorageError | None]:
        """See `Sink.store`. All in one transaction, unless one of them spoils it for the others."""
        try:
            reports = [prepare(interaction) for interaction in interactions]
            outcomes = self._database().write(lambda connection: store_reports(connection, reports))
        except OUTAGES:
            raise
        except Exception as err:  # noqa: BLE001 - whatever a driver says to a value, it concerns the report that has it
            if len(interactions) == 1:
                return [_as_storage_error(err, interactions[0].client)]
            # A transaction for each half: so one that is bad among a hundred costs a dozen commits, and not a hundred.
            middle = len(interactions) // 2
            return [*self.store(interactions[:middle]), *self.store(interactions[middle:])]
        for interaction, outcome in zip(interactions, outcomes, strict=True):
            if outcome is not Stored.NEW:
                log.warning(
                    "%s: a report is ignored, because it is there already (%s)", interaction.client, outcome.value
                )
        return [None] * len(interactions)


def _as_storage_error(err: Exception, client: str) -> StorageError:
    if isinstance(err, StorageError):
        return err
    error = StorageError(f"a report of {client}: {type(err).__name__}: {err}")
    error.__cause__ = err
    return error


def deliver(batch: Batch, sink: Sink, offload: Offload) -> int:
    """Store a batch and acknowledge it; how many reports it had. One of `OUTAGES` if nothing can be stored now."""
    try:
        interactions: list[Interaction] = []
        lines: list[bytes] = []
        refused: list[tuple[bytes, str]] = []
        for line in batch.lines:
            try:
                interactions.append(decode(line))
                lines.append(line)
            except ValueError as err:
                refused.append((line, f"a line is no report: {err}"))
        for line, error in zip(lines, sink.store(interactions) if interactions else (), strict=True):
            if error is not None:
                refused.append((line, f"a report cannot be stored: {error}"))
        if refused:
            _set_aside(batch, refused, offload)
        offload(batch.acknowledge)
        REPORTS.inc("delivered", by=len(batch.lines) - len(refused))
        REPORTS.inc("refused", by=len(refused))
    except BaseException:
        batch.release()
        raise
    return len(interactions)


def _set_aside(batch: Batch, refused: Sequence[tuple[bytes, str]], offload: Offload) -> None:
    """Keep lines that nobody can store, or say that they are lost; either way they hold up nobody."""
    for _, reason in refused[:REFUSALS_TOLD]:
        log.error("%s: %s", batch.origin, reason)
    try:
        place = offload(batch.refuse, [line for line, _ in refused])
    except OSError as err:
        for line, _ in refused[:REFUSALS_TOLD]:
            log.error("%s: a line that is dropped begins with %.*r", batch.origin, EXCERPT, line[:EXCERPT])
        log.error("%s: %d lines are dropped: %s", batch.origin, len(refused), err)
    else:
        log.error("%s: %d lines that cannot be stored are kept as %s", batch.origin, len(refused), place)
