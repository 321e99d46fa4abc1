"""What the server does with reports while the database is gone: it keeps them, and stores them when it is back.

As long as reports wait, further ones wait behind them, so that they are stored in the order of their arrival. A thread
in every process of the server looks after the spool that they share; one of them at a time empties it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from geventcore.errors import DatabaseUnavailable, StatisticsNotStored
from geventcore.metrics.definitions import REPORTS
from geventcore.reporting.batching import Batcher
from geventcore.reporting.delivery import OUTAGES, Sink, deliver
from geventcore.reporting.format import encode
from geventcore.reporting.options import SPOOL_LIMIT
from geventcore.reporting.sources import SpoolSource
from geventcore.reporting.spool import Spool, SpoolUnusable, Waiting
from geventcore.reporting.transports import Transport, TransportContext
from geventcore.storage.report_model import Interaction

log = logging.getLogger(__name__)

#: Reports in one transaction at most.
BATCH_LIMIT = 100
#: How often the spool is looked at: another process may have put something there and died. In seconds.
LOOK_SECONDS = 5.0
#: Pauses between attempts to store what waits, in seconds. An attempt itself may wait for the database.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
#: For how long the end of the server waits for the thread, in seconds.
JOIN_SECONDS = 2.0


class JournaledTransport(Transport):
    """A transport of the server itself, whose reports wait in a journal while there is nowhere to put them."""

    def __init__(
        self,
        context: TransportContext,
        sink: Sink,
        daily: Callable[[], None] | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """`sink`, `daily` and `look` as for `JournaledSink`."""
        super().__init__(context)
        self._journaled = JournaledSink(sink, context, daily, look)

    def store(self, interaction: Interaction) -> None:
        """See `Transport.store`."""
        self._journaled.store(interaction)

    def waiting(self) -> Mapping[str, Waiting]:
        """See `Transport.waiting`."""
        return {"journal": self._journaled.spool.waiting()}

    def start(self) -> None:
        """Store what the last server has left."""
        self._journaled.start()

    def shutdown(self) -> None:
        """End the thread."""
        self._journaled.shutdown()


class JournaledSink:
    """Stores reports in a sink, or keeps them until that is possible."""

    def __init__(
        self,
        sink: Sink,
        context: TransportContext,
        daily: Callable[[], None] | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """While nothing waits, `daily` is called once a day by one of the processes, and `look` by every one whenever
        it has looked at the spool."""
        self.spool = Spool(context.directory / "journal", lambda: context.settings()[SPOOL_LIMIT], context.offload)
        self._sink = sink
        self._source = SpoolSource(self.spool)
        self._offload = context.offload
        self._batcher: Batcher[Interaction] = Batcher(self._store_batch, BATCH_LIMIT)
        self._is_out = False
        #: Whether the log says that reports are kept.
        self._is_announced = False
        self._lock = threading.Lock()
        #: How many reports are on their way into the spool.
        self._keepers = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._daily = daily
        self._look = look
        self._next_daily = time.monotonic() + 3600.0

    @property
    def is_out(self) -> bool:
        """Whether reports are kept, because they cannot be stored or because others are waiting."""
        return self._is_out

    # -- taking reports

    def store(self, interaction: Interaction) -> None:
        """Take a report. `StatisticsNotStored` if it can neither be stored nor kept."""
        outage: Exception | None = None
        if not self._is_out:
            try:
                if self._sink.is_gone:
                    raise DatabaseUnavailable("the database is gone")
                self._batcher.put(interaction)
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
                f"the report of {interaction.client} cannot be stored, and cannot be kept either: {err.strerror or err}"
            ) from err
        finally:
            with self._lock:
                self._keepers -= 1
            if not self._is_out:
                self._wake.set()

    def _store_batch(self, interactions: Sequence[Interaction]) -> Sequence[Exception | None]:
        if self._is_out:
            # Those who came before have waited for it in vain.
            raise DatabaseUnavailable("the database is gone")
        return self._sink.store(interactions)

    def _begin_outage(self, err: Exception) -> None:
        if not self._is_out:
            self._is_out = True
            if not self._is_announced:
                self._is_announced = True
                log.error("Reports are kept in %s until they can be stored: %s", self.spool.directory, err)
        self._wake.set()

    def _end_outage(self) -> None:
        """A report has been stored: only that tells that reports can be stored."""
        if self._is_announced:
            self._is_announced = False
            log.info("Reports are stored at once again")

    # -- storing what waits

    def start(self) -> None:
        """Store what waits from now on; reports that the last server has left come first."""
        try:
            self._is_out = not self._offload(self.spool.is_empty)
        except SpoolUnusable as err:
            log.error("%s", err)
        if self._is_out:
            log.info("Reports wait in %s to be stored", self.spool.directory)
            self._wake.set()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """End the thread; what still waits is stored when the server is started again."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
        self._source.close()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        complaint = ""
        while not self._stopping.is_set():
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            try:
                self._empty()
                self._do_daily()
                self._look()
                pause = FIRST_PAUSE
                complaint = ""
            except SpoolUnusable as err:
                if complaint != str(err):
                    complaint = str(err)
                    log.error("Reports that wait cannot be stored: %s", err)
                self._stopping.wait(LONGEST_PAUSE)
            except OUTAGES as err:
                log.debug("Reports still wait: %s", err)
                self._stopping.wait(pause)
                self._wake.set()
                pause = min(2 * pause, LONGEST_PAUSE)
            except Exception:
                log.exception("Reports that wait cannot be stored")
                self._stopping.wait(LONGEST_PAUSE)

    def _empty(self) -> None:
        """Store what waits, if nobody else does it."""
        stored = 0
        while not self._stopping.is_set() and not self._offload(self.spool.is_empty):
            batch = self._offload(self._source.take)
            if batch is None:
                # Another process does it; when it has, this one looks again.
                self._stopping.wait(FIRST_PAUSE)
                if self._is_out:
                    self._wake.set()
                return
            stored += deliver(batch, self._sink, self._offload)
        if stored:
            log.info("%d reports that had waited are stored", stored)
        if self._is_out and not self._stopping.is_set():
            if self._keepers or not self._offload(self.spool.is_empty):
                self._stopping.wait(FIRST_PAUSE)
                self._wake.set()
                return
            if not stored:
                # Another process has stored what waited, or there was no place for anything to wait in.
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
