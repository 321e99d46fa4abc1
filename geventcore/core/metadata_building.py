"""Building the full metadata of a client: what the metadata source knows, then what each connector adds.

Groups are merged after each connector, so later connectors see the groups of earlier ones. The cache mode
(``[caching] client_metadata``) says what is kept (docs: reference/metadata, "Caching"):

* ``off``: nothing;
* ``initial``: the metadata source keeps a copy made before connectors add theirs;
* ``cautious``: the finished object, until something that it depends on changes or the client uploads probe data;
* ``aggressive``: the finished object, until something that it depends on changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from geventcore.cache import Cache
from geventcore.metrics.definitions import CACHE_REQUESTS
from geventcore.metrics.timings import Timings
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.interfaces import Connector, MetadataSource
from geventcore.recollection import recollection
from geventcore.render.guard import log_failure, measured, plugin_name

log = logging.getLogger(__name__)

CACHE_TAG = "Metadata"
#: Modes in which the finished object is kept.
CACHING_MODES = frozenset({"cautious", "aggressive"})


def build_metadata(
    hostname: str,
    source: MetadataSource,
    connectors: Sequence[Connector],
    timings: Timings,
    statistics_name: str,
) -> ClientMetadata:
    """A client's metadata, built anew; `MetadataError` if it is unknown or contradictory.

    What a connector raises ends the build: a configuration without its groups would be a wrong one.
    """
    with timings.measure(f"{statistics_name}:build_metadata"):
        with measured(source, "get_initial_metadata"):
            metadata = source.get_initial_metadata(hostname)
        for connector in connectors:
            # Also without new groups: the source may have a default for who is in none.
            source.merge_additional_groups(metadata, _groups_of(connector, metadata, source))
        for connector in connectors:
            with _failure_logged(connector, "get_additional_data", metadata):
                data = connector.get_additional_data(metadata)
            source.merge_additional_data(metadata, plugin_name(connector), data)
        metadata.query = source.query
        return metadata


@contextmanager
def _failure_logged(connector: Connector, hook: str, metadata: ClientMetadata) -> Iterator[None]:
    """Log which plugin's hook an exception comes from, and let it through."""
    try:
        with measured(connector, hook):
            yield
    except Exception as err:
        log_failure(connector, hook, metadata, err)
        raise


def _groups_of(connector: Connector, metadata: ClientMetadata, source: MetadataSource) -> list[str]:
    names = []
    with _failure_logged(connector, "get_additional_groups", metadata):
        for group in connector.get_additional_groups(metadata):
            if isinstance(group, MetadataGroup):
                source.register_dynamic_group(group, plugin_name(connector))
                names.append(group.name)
            else:
                names.append(group)
    return names


class MetadataService:
    """Answers for the metadata of clients, from the cache or built anew."""

    def __init__(
        self,
        source: Callable[[], MetadataSource],
        connectors: Callable[[], Sequence[Connector]],
        cache_mode: Callable[[], str],
        timings: Timings,
        statistics_name: str,
    ) -> None:
        self.cache: Cache[ClientMetadata] = Cache()
        self._source = source
        self._connectors = connectors
        self._cache_mode = cache_mode
        self._timings = timings
        self._statistics_name = statistics_name
        self._expirations = 0
        self.cache.add_expire_hook(self._count_expiration)

    def _count_expiration(self, tags: tuple[str, ...], exact: bool, count: int) -> None:
        self._expirations += 1

    def build(self, hostname: str) -> ClientMetadata:
        """The full metadata of a client; `MetadataError` if it is unknown or contradictory."""
        caching = self._cache_mode() in CACHING_MODES
        if caching:
            cached = self.cache.get(CACHE_TAG, hostname)
            CACHE_REQUESTS.inc("metadata", "miss" if cached is None else "hit")
            if cached is not None:
                return cached
        expirations = self._expirations
        metadata = build_metadata(hostname, self._source(), self._connectors(), self._timings, self._statistics_name)
        remembered = recollection()
        is_current = remembered is None or not remembered.was_used
        if caching and is_current and expirations == self._expirations:
            # Whatever was expired while this was built may have been part of it.
            self.cache.put(metadata, CACHE_TAG, hostname)
        return metadata

    def expire(self, hostname: str | None = None) -> None:
        """Forget one client, or all."""
        if hostname is None:
            self.cache.expire(CACHE_TAG)
        else:
            self.cache.expire(CACHE_TAG, hostname)
