"""RedisTransport: the server appends reports to a Redis list, and ``geventcore report-collector`` takes them.

Keys:

* ``bcfg2_statistics``: the list of reports, oldest first.
* ``bcfg2_statistics:taken:<collector>:<number>``: a batch that a collector has taken, but not stored yet.
* ``bcfg2_statistics:alive:<collector>``: exists while the collector runs, and a little longer. The batches of a dead
  collector return to the list.
* ``bcfg2_statistics:refused``: the latest invalid lines, if the collector cannot keep them in its directory.

While the Redis server is unavailable, reports wait in a journal. Their durability in Redis depends on the configuration
of the Redis server.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from geventcore.errors import DatabaseUnavailable, StorageError
from geventcore.metrics.definitions import REPORTS_IN_REDIS
from geventcore.options import Settings
from geventcore.reporting.format import encode
from geventcore.reporting.journal import JournaledTransport
from geventcore.reporting.options import REDIS_DB, REDIS_HOST, REDIS_PASSWORD, REDIS_PORT, SPOOL_LIMIT
from geventcore.reporting.sources import Batch, Source
from geventcore.reporting.spool import Spool
from geventcore.reporting.transports import TransportContext
from geventcore.storage.report_model import Interaction

LIST = "bcfg2_statistics"
TAKEN = f"{LIST}:taken:"
ALIVE = f"{LIST}:alive:"
REFUSED = f"{LIST}:refused"

#: The most reports in one batch.
BATCH_LIMIT = 100
#: The most invalid lines kept in Redis.
REFUSED_LIMIT = 1000
#: Timeout for an answer of Redis, in seconds.
TIMEOUT_SECONDS = 10.0
#: Seconds after which a silent collector is considered dead: longer than storing may take.
ALIVE_SECONDS = 120
#: Interval of the check for dead collectors, in seconds.
LOOK_SECONDS = 30.0


def connect(settings: Settings) -> Any:
    """Make a client for the Redis server in the settings, which connects at first use. Types: see redis-py."""
    return redis.Redis(
        host=settings[REDIS_HOST],
        port=settings[REDIS_PORT],
        db=settings[REDIS_DB],
        password=settings[REDIS_PASSWORD],
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        # Retry once, for a connection that ended while idle. Callers retry later, and can be stopped.
        retry=Retry(NoBackoff(), 1),
    )


def _unavailable(err: redis.RedisError) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"the Redis server: {' '.join(str(err).split())}")


class RedisSink:
    """The sink that appends reports to the list."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def store(self, interactions: Sequence[Interaction]) -> Sequence[StorageError | None]:
        """See `Sink.store`. Appends all reports or none."""
        try:
            REPORTS_IN_REDIS.set(self._server.rpush(LIST, *map(encode, interactions)))
        except redis.RedisError as err:
            raise _unavailable(err) from err
        return [None] * len(interactions)

    def look(self) -> None:
        """Update the metrics.

        Raises:
            DatabaseUnavailable: Redis cannot be reached.
        """
        try:
            REPORTS_IN_REDIS.set(self._server.llen(LIST))
        except redis.RedisError as err:
            raise _unavailable(err) from err

    def check(self) -> None:
        """See `Sink.check`."""
        try:
            self._server.ping()
        except redis.RedisError as err:
            raise _unavailable(err) from err

    @property
    def is_gone(self) -> bool:
        """See `Sink.is_gone`. Always false: only a request can tell."""
        return False


class RedisSource:
    """The source that takes reports from the list, and returns unstored ones."""

    def __init__(self, server: Any, spool: Spool) -> None:
        """Set up the source; invalid lines go to `spool`."""
        self._server = server
        self._spool = spool
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._next_look = 0.0
        #: Keys of stored or returned batches, for which Redis could not be updated yet.
        self._stored: set[str] = set()
        self._owed: set[str] = set()

    def take(self) -> Batch | None:
        """See `Source.take`; several threads may call it."""
        key = f"{TAKEN}{self._name}:{next(self._numbers)}"
        try:
            self._server.set(f"{ALIVE}{self._name}", "1", ex=ALIVE_SECONDS)
            self._settle()
            self._recover()
            first = self._server.blmove(LIST, key, 1, "LEFT", "RIGHT")
            if first is None:
                return None
            lines = [first]
            while len(lines) < BATCH_LIMIT and (line := self._server.lmove(LIST, key, "LEFT", "RIGHT")) is not None:
                lines.append(line)
        except redis.RedisError as err:
            # Redis may have executed the command, and only the answer was lost.
            self._owed.add(key)
            raise _unavailable(err) from err
        return Batch("Redis", lines, lambda: self._acknowledge(key), lambda: self._release(key), self._refuse)

    def _acknowledge(self, key: str) -> None:
        try:
            self._server.delete(key)
        except redis.RedisError:
            self._stored.add(key)

    def _release(self, key: str) -> None:
        try:
            self._give_back(key)
        except redis.RedisError:
            self._owed.add(key)

    def _settle(self) -> None:
        """Repeat updates of Redis that failed. If this collector stops before, other collectors do it."""
        for key in [*self._stored]:
            self._server.delete(key)
            self._stored.discard(key)
        for key in [*self._owed]:
            self._give_back(key)
            self._owed.discard(key)

    def _give_back(self, key: str | bytes) -> None:
        while self._server.lmove(key, LIST, "RIGHT", "LEFT") is not None:
            pass

    def _refuse(self, lines: Sequence[bytes]) -> object:
        try:
            return self._spool.refuse(lines)
        except OSError as err:
            try:
                self._server.rpush(REFUSED, *lines)
                self._server.ltrim(REFUSED, -REFUSED_LIMIT, -1)
            except redis.RedisError as redis_err:
                raise OSError(f"{err}; {_unavailable(redis_err)}") from err
            return f"the list {REFUSED} of Redis: {err}"

    def _recover(self) -> None:
        """Return the batches of dead collectors to the list."""
        with self._lock:
            if time.monotonic() < self._next_look:
                return
            self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            for key in sorted(self._server.scan_iter(f"{TAKEN}*", _type="list")):
                collector = key.removeprefix(TAKEN.encode()).rpartition(b":")[0]
                if not self._server.exists(ALIVE.encode() + collector):
                    self._give_back(key)
        except redis.RedisError:
            self._next_look = 0.0
            raise

    def close(self) -> None:
        """Deregister this collector."""
        try:
            self._server.delete(f"{ALIVE}{self._name}")
        except redis.RedisError:
            # The key expires anyway.
            return


class RedisTransport(JournaledTransport):
    """The transport that appends reports to the list, or to a journal while Redis is unavailable."""

    def __init__(self, context: TransportContext) -> None:
        sink = RedisSink(connect(context.settings()))
        super().__init__(context, sink, look=sink.look)

    @classmethod
    def make_source(cls, context: TransportContext) -> Source:
        """The list."""
        spool = Spool(context.directory, lambda: context.settings()[SPOOL_LIMIT], context.offload)
        return RedisSource(connect(context.settings()), spool)
