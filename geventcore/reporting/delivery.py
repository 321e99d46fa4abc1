"""From where reports wait to where they belong: in order, and once each, whatever ends in between.

A batch is acknowledged after everything in it is stored. So a crash brings it again, and storing it again changes
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from geventcore.errors import DatabaseUnavailable, SchemaMismatch, StorageError
from geventcore.metrics.definitions import REPORTS
from geventcore.reporting.format import decode
from geventcore.reporting.sources import Batch
from geventcore.reporting.spool import Offload
from geventcore.storage.database import Database
from geventcore.storage.report_model import Interaction
from geventcore.storage.report_writing import Stored, store_interactions

log = logging.getLogger(__name__)

#: The store is gone, and may come back: what cannot be stored now is worth keeping.
OUTAGES = (DatabaseUnavailable, SchemaMismatch)


class Sink(Protocol):
    """Where reports are stored."""

    def store(self, interactions: Sequence[Interaction]) -> Sequence[StorageError | None]:
        """Store reports; for each, why it cannot be stored, or None. One of `OUTAGES` if nothing can be stored now."""


class DatabaseSink:
    """Stores reports in the database."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database

    def store(self, interactions: Sequence[Interaction]) -> Sequence[StorageError | None]:
        """See `Sink.store`. All in one transaction, unless one of them spoils it for the others."""
        try:
            self._store(interactions)
        except OUTAGES:
            raise
        except StorageError as err:
            if len(interactions) == 1:
                return [err]
            return [self.store([interaction])[0] for interaction in interactions]
        return [None] * len(interactions)

    def _store(self, interactions: Sequence[Interaction]) -> None:
        outcomes = self._database().write(lambda connection: store_interactions(connection, interactions))
        for interaction, outcome in zip(interactions, outcomes, strict=True):
            if outcome is not Stored.NEW:
                log.warning(
                    "%s: a report is ignored, because it is there already (%s)", interaction.client, outcome.value
                )


def deliver(batch: Batch, sink: Sink, offload: Offload) -> int:
    """Store a batch and acknowledge it; how many reports it had. One of `OUTAGES` if nothing can be stored now."""
    try:
        interactions: list[Interaction] = []
        lines: list[bytes] = []
        refused: list[bytes] = []
        for line in batch.lines:
            try:
                interactions.append(decode(line))
                lines.append(line)
            except ValueError as err:
                log.error("A line that waited to be stored is no report: %s", err)
                refused.append(line)
        for line, error in zip(lines, sink.store(interactions) if interactions else (), strict=True):
            if error is not None:
                log.error("A report cannot be stored: %s", error)
                refused.append(line)
        if refused:
            log.error("%d reports are kept as %s", len(refused), offload(batch.refuse, refused))
        offload(batch.acknowledge)
        REPORTS.inc("delivered", by=len(batch.lines) - len(refused))
        REPORTS.inc("refused", by=len(refused))
    except BaseException:
        batch.release()
        raise
    return len(interactions)
