"""Results of connectors that are used again: for the calls of one run, and while a source is not available.

A client's metadata are built for almost every call of its run. A connector that asks a service over the network would
ask it each time. So its results are kept for `Connector.reuse_seconds`, as long as nothing that they depend on has
changed: the client's groups, the repository, the settings, and what the client has uploaded.

A connector whose source is not available (`SourceUnavailable`, `DatabaseUnavailable` or an `OSError`) may go on with
its last results, or with none, as `Connector.if_unavailable` says. Any other exception fails the call.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from geventcore.errors import DatabaseUnavailable, SourceUnavailable
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Connector, IfUnavailable
from geventcore.render.guard import log_failure, measured

T = TypeVar("T")

#: Errors that say that the source of a connector is not available.
UNAVAILABLE = (SourceUnavailable, DatabaseUnavailable, OSError)
#: Results that are kept, of all clients and connectors. The oldest are dropped first.
MOST_RESULTS = 50_000


@dataclass
class _Result:
    key: Hashable
    value: Any
    time: float
    is_current: bool = True


class ConnectorResults:
    """The latest results of connectors, per client and hook."""

    def __init__(self, version: Callable[[], Hashable], now: Callable[[], float] = time.monotonic) -> None:
        """`version` returns a value that changes with the repository and the settings; `now` is a clock in seconds."""
        self._version = version
        self._now = now
        self._results: OrderedDict[tuple[Connector, str, str], _Result] = OrderedDict()
        self._lock = threading.Lock()
        self._forgotten = 0

    def ask(
        self, connector: Connector, hook: str, metadata: ClientMetadata, function: Callable[[], T], nothing: T
    ) -> T:
        """Return the result of a connector's hook: a kept one, or that of `function`, which calls the hook.

        `nothing` is the result of a connector that goes on without its source.

        Raises:
            Exception: the exception of the hook, which is logged with the plugin, the hook and the client.
        """
        name = (connector, hook, metadata.hostname)
        reuses = connector.reuse_seconds > 0
        key = (self._version(), frozenset(metadata.groups), metadata.version) if reuses else None
        kept = self._results.get(name)
        if reuses and kept is not None and self._may_reuse(kept, key, connector):
            return kept.value  # type: ignore[no-any-return]  # the value is what `function` returned
        forgotten = self._forgotten
        try:
            with measured(connector, hook):
                value = function()
        except Exception as err:
            log_failure(connector, hook, metadata, err)
            if not isinstance(err, UNAVAILABLE) or connector.if_unavailable is IfUnavailable.FAIL:
                raise
            if connector.if_unavailable is IfUnavailable.NOTHING:
                return nothing
            if kept is None or self._now() - kept.time > connector.last_known_seconds:
                raise
            return kept.value  # type: ignore[no-any-return]
        if reuses or connector.if_unavailable is IfUnavailable.LAST_KNOWN:
            self._keep(name, _Result(key, value, self._now(), forgotten == self._forgotten))
        return value

    def _may_reuse(self, kept: _Result, key: Hashable, connector: Connector) -> bool:
        return kept.is_current and kept.key == key and self._now() - kept.time < connector.reuse_seconds

    def _keep(self, name: tuple[Connector, str, str], result: _Result) -> None:
        with self._lock:
            self._results[name] = result
            self._results.move_to_end(name)
            while len(self._results) > MOST_RESULTS:
                self._results.popitem(last=False)

    def forget(self, hostname: str | None = None) -> None:
        """Ask again about one client, or about all. What a source said last stays for the time when it is gone."""
        with self._lock:
            self._forgotten += 1
            for (_, _, client), result in self._results.items():
                if hostname is None or client == hostname:
                    result.is_current = False
