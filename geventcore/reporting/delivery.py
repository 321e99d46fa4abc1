"""The delivery of waiting reports to their store, in order and exactly once.

A batch is acknowledged after all its reports are stored. After a crash the batch is delivered again, and storing a
report twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from geventcore.errors import DatabaseUnavailable, GeventcoreError, SchemaMismatch, StorageError
from geventcore.group_commit import failures
from geventcore.metrics.definitions import REPORTS
from geventcore.reporting.format import decode
from geventcore.reporting.sources import Batch
from geventcore.reporting.spool import Offload
from geventcore.storage.database import Database
from geventcore.storage.report_model import Interaction
from geventcore.storage.report_preparing import prepare
from geventcore.storage.report_writing import Stored, store_reports

log = logging.getLogger(__name__)

#: Errors of an unavailable store: the reports are kept for a later attempt.
OUTAGES = (DatabaseUnavailable, SchemaMismatch)

#: The most invalid lines of a batch that are logged: a foreign file may have any number of them.
REFUSALS_TOLD = 5
#: The most characters of a lost line that are logged.
EXCERPT = 200


class Sink(Protocol):
    """A store for reports."""

    def store(self, interactions: Sequence[Interaction]) -> Sequence[StorageError | None]:
        """Store reports. Return for each the reason of a failure, or None.

        Raises one of `OUTAGES` if the store is unavailable.
        """

    def check(self) -> None:
        """Check the store. Raises one of `OUTAGES` if it is unavailable."""

    @property
    def is_gone(self) -> bool:
        """True if the store is known to be unavailable. Does not ask the store."""


class DatabaseSink:
    """The sink that stores reports in the database."""

    def __init__(self, database: Callable[[], Database]) -> None:
        """Set up the sink; `database` opens the database and may wait for it."""
        self._open = database
        self._opened: Database | None = None

    def _database(self) -> Database:
        try:
            self._opened = self._open()
        except OUTAGES:
            raise
        except GeventcoreError as err:
            # The error concerns the database, and not the first report.
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
        """See `Sink.store`. Uses one transaction, unless a report fails."""

        def attempt(numbers: Sequence[int]) -> Exception | None:
            some = [interactions[number] for number in numbers]
            try:
                reports = [prepare(interaction) for interaction in some]
                outcomes = self._database().write(lambda connection: store_reports(connection, reports))
            except OUTAGES:
                raise
            except Exception as err:  # noqa: BLE001 - a driver may raise anything for a bad value
                return err
            for interaction, outcome in zip(some, outcomes, strict=True):
                if outcome is not Stored.NEW:
                    log.warning("%s: ignored a report that is stored already (%s)", interaction.client, outcome.value)
            return None

        errors: list[StorageError | None] = [None] * len(interactions)
        for number, err in failures(range(len(interactions)), attempt).items():
            errors[number] = _as_storage_error(err, interactions[number].client)
        return errors


def _as_storage_error(err: Exception, client: str) -> StorageError:
    if isinstance(err, StorageError):
        return err
    error = StorageError(f"a report of {client}: {type(err).__name__}: {err}")
    error.__cause__ = err
    return error


def deliver(batch: Batch, sink: Sink, offload: Offload) -> int:
    """Store a batch, acknowledge it and return its number of reports.

    Raises one of `OUTAGES` if the store is unavailable.
    """
    try:
        interactions: list[Interaction] = []
        lines: list[bytes] = []
        refused: list[tuple[bytes, str]] = []
        for line in batch.lines:
            try:
                interactions.append(decode(line))
                lines.append(line)
            except ValueError as err:
                refused.append((line, f"a line is not a report: {err}"))
        for line, error in zip(lines, sink.store(interactions) if interactions else (), strict=True):
            if error is not None:
                refused.append((line, f"cannot store a report: {error}"))
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
    """Set invalid lines aside, or log that they are lost. Either way they do not block other reports."""
    for _, reason in refused[:REFUSALS_TOLD]:
        log.error("%s: %s", batch.origin, reason)
    try:
        place = offload(batch.refuse, [line for line, _ in refused])
    except OSError as err:
        for line, _ in refused[:REFUSALS_TOLD]:
            log.error("%s: a dropped line begins with %.*r", batch.origin, EXCERPT, line[:EXCERPT])
        log.error("%s: dropped %d invalid lines: %s", batch.origin, len(refused), err)
    else:
        log.error("%s: moved %d invalid lines to %s", batch.origin, len(refused), place)
