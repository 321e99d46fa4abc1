"""The journal: keeps reports while the database is unavailable, and stores them afterwards.

While reports wait, further reports queue behind them, so that all are stored in the order of arrival. The processes of
the server share the spool. Each has a thread for it, and one thread at a time empties it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from geventcore.backoff import Backoff
from geventcore.errors import DatabaseUnavailable, StatisticsNotStored
from geventcore.group_commit import GroupCommit
from geventcore.metrics.definitions import REPORTS
from geventcore.reporting.delivery import OUTAGES, Sink, deliver
from geventcore.reporting.format import encode
from geventcore.reporting.options import SPOOL_LIMIT
from geventcore.reporting.sources import SpoolSource
from geventcore.reporting.spool import Spool, SpoolUnusable, Waiting
from geventcore.reporting.transports import Transport, TransportContext
from geventcore.storage.report_model import Interaction
from geventcore.units import counted

log = logging.getLogger(__name__)

#: The most reports in one transaction.
BATCH_LIMIT = 100
#: Interval of checks of the spool, in seconds: another process may have written a report and died.
LOOK_SECONDS = 5.0
#: Pauses between attempts to store waiting reports, in seconds. An attempt may also wait for the database.
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
#: Timeout for ending the thread when the server stops, in seconds.
JOIN_SECONDS = 2.0


class JournaledTransport(Transport):
    """A transport in the server with a journal for outages."""

    def __init__(
        self,
        context: TransportContext,
        sink: Sink,
        daily: Callable[[], None] | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up the transport; see `JournaledSink` for `sink`, `daily` and `look`."""
        super().__init__(context)
        self._journaled = JournaledSink(sink, context, daily, look)

    def store(self, interaction: Interaction) -> None:
        """See `Transport.store`."""
        self._journaled.store(interaction)

    def waiting(self) -> Mapping[str, Waiting]:
        """See `Transport.waiting`."""
        return {"journal": self._journaled.spool.waiting()}

    def start(self) -> None:
        """Start the thread, which first stores reports left by the last server."""
        self._journaled.start()

    def shutdown(self) -> None:
        """Stop the thread."""
        self._journaled.shutdown()


class JournaledSink:
    """A sink that keeps reports in a spool while the inner sink is unavailable."""

    def __init__(
        self,
        sink: Sink,
        context: TransportContext,
        daily: Callable[[], None] | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up the sink.

        While no report waits, one of the processes calls `daily` once a day. Every process calls `look` after each
        check of the spool.
        """
        self.spool = Spool(context.directory / "journal", lambda: context.settings()[SPOOL_LIMIT], context.offload)
        self._sink = sink
        self._source = SpoolSource(self.spool)
        self._offload = context.offload
        self._group = GroupCommit.storing(self._store_batch, BATCH_LIMIT)
        self._is_out = False
        #: Whether the outage has been logged.
        self._is_announced = False
        self._lock = threading.Lock()
        #: The number of reports on their way into the spool.
        self._keepers = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._daily = daily
        self._look = look
        self._next_daily = time.monotonic() + 3600.0

    @property
    def is_out(self) -> bool:
        """True if reports go to the spool, because of an outage or because older ones wait."""
        return self._is_out

    # -- taking reports

    def store(self, interaction: Interaction) -> None:
        """Store or keep a report.

        Raises:
            StatisticsNotStored: the report can neither be stored nor kept.
        """
        outage: Exception | None = None
        if not self._is_out:
            try:
                if self._sink.is_gone:
                    raise DatabaseUnavailable("the database is unavailable")
                self._group.put(interaction)
                REPORTS.inc("stored")
                self._end_outage()
                return
            except OUTAGES as err:
                outage = err
        with self._lock:
            self._keepers += 1
        try:
            if outage is not None:
                self._begin_outage(outage)
            self.spool.put(encode(interaction))
            REPORTS.inc("kept")
        except OSError as err:
            raise StatisticsNotStored(
                f"cannot store the report of {interaction.client}, and cannot keep it for later: {err.strerror or err}"
            ) from err
        finally:
            with self._lock:
                self._keepers -= 1
            if not self._is_out:
                self._wake.set()

    def _store_batch(self, interactions: Sequence[Interaction]) -> Sequence[Exception | None]:
        if self._is_out:
            # Earlier reports have waited for the database in vain.
            raise DatabaseUnavailable("the database is unavailable")
        return self._sink.store(interactions)

    def _begin_outage(self, err: Exception) -> None:
        if not self._is_out:
            self._is_out = True
            if not self._is_announced:
                self._is_announced = True
                log.error("cannot store reports, keeping them in %s for later: %s", self.spool.directory, err)
        self._wake.set()

    def _end_outage(self) -> None:
        """Note that a report was stored, which ends an outage."""
        if self._is_announced:
            self._is_announced = False
            log.info("storing reports at once again")

    # -- storing waiting reports

    def start(self) -> None:
        """Start the thread. Reports left by the last server come first."""
        try:
            self._is_out = not self._offload(self.spool.is_empty)
        except SpoolUnusable as err:
            log.error("%s", err)
        if self._is_out:
            log.info("reports of the last server wait in %s, storing them", self.spool.directory)
            self._wake.set()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Stop the thread. The next server stores the reports that still wait."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
        self._source.close()

    def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        last_error = ""
        while not self._stopping.is_set():
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            try:
                self._empty()
                self._do_daily()
                self._look()
                backoff.succeed()
                last_error = ""
            except SpoolUnusable as err:
                if last_error != str(err):
                    last_error = str(err)
                    log.error("cannot store waiting reports, retrying: %s", err)
                self._stopping.wait(LONGEST_PAUSE_SECONDS)
            except OUTAGES as err:
                log.debug("reports still wait: %s", err)
                self._stopping.wait(backoff.fail())
                self._wake.set()
            except Exception:
                log.exception("cannot store waiting reports")
                self._stopping.wait(LONGEST_PAUSE_SECONDS)

    def _empty(self) -> None:
        """Store waiting reports, unless another process does."""
        stored = 0
        while not self._stopping.is_set() and not self._offload(self.spool.is_empty):
            batch = self._offload(self._source.take)
            if batch is None:
                # Another process does it. Check again when it has finished.
                self._stopping.wait(FIRST_PAUSE_SECONDS)
                if self._is_out:
                    self._wake.set()
                return
            stored += deliver(batch, self._sink, self._offload)
        if stored:
            log.info("stored %s from the journal", counted(stored, "report"))
        if self._is_out and not self._stopping.is_set():
            if self._keepers or not self._offload(self.spool.is_empty):
                self._stopping.wait(FIRST_PAUSE_SECONDS)
                self._wake.set()
                return
            if not stored:
                # Another process has stored the waiting reports, or the spool was unusable.
                self._sink.check()
            self._is_out = False
            if stored:
                self._end_outage()

    def _do_daily(self) -> None:
        if self._daily is None or time.monotonic() < self._next_daily:
            return
        self._next_daily = time.monotonic() + 86_400.0
        if self._offload(self.spool.lock):
            self._daily()
