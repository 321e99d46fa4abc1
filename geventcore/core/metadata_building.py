"""The full metadata of a client: those of the metadata source, then the additions of each connector.

Groups are merged after each connector, so later connectors see the groups of earlier ones. The cache mode
(``[caching] client_metadata``) says what is kept (docs: reference/metadata, "Caching"):

* ``off``: nothing;
* ``initial``: the metadata source keeps a copy made before connectors add theirs;
* ``cautious``: the finished object, until something that it depends on changes or the client uploads probe data;
* ``aggressive``: the finished object, until something that it depends on changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from geventcore.cache import Cache
from geventcore.core.connector_results import ConnectorResults
from geventcore.core.plugin_loading import PluginTable
from geventcore.log import shortened
from geventcore.metrics.definitions import CACHE_REQUESTS
from geventcore.metrics.timings import Timings
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.interfaces import Connector, MetadataSource
from geventcore.render.guard import measured, plugin_name
from geventcore.stale_reads import current_stale_reads

log = logging.getLogger(__name__)

CACHE_TAG = "Metadata"
#: The package of our own connectors, whose undeclared groups are usual: those of probes, for example.
_OWN_PLUGINS = "geventcore.plugins."
#: Connector and group of what was looked up already, and the largest number of them.
_MENTIONED: set[tuple[str, str]] = set()
MOST_MENTIONED = 10_000
#: Modes in which the finished object is kept.
CACHING_MODES = frozenset({"cautious", "aggressive"})


def build_metadata(
    hostname: str,
    source: MetadataSource,
    connectors: Sequence[Connector],
    timings: Timings,
    results: ConnectorResults,
) -> ClientMetadata:
    """A client's metadata, built anew; `MetadataError` if it is unknown or contradictory.

    What a connector raises ends the build: a configuration without its groups would be a wrong one.
    """
    with timings.measure_own("build_metadata"):
        with measured(source, "get_initial_metadata"):
            metadata = source.get_initial_metadata(hostname)
        for connector in connectors:
            ask = partial(_groups_of, connector, metadata)
            no_groups: Sequence[str | MetadataGroup] = ()
            given = results.ask(connector, "get_additional_groups", metadata, ask, no_groups)
            # Also without new groups: the source may have a default for who is in none.
            names = _register(given, source, plugin_name(connector))
            source.merge_additional_groups(metadata, names)
            if names and not type(connector).__module__.startswith(_OWN_PLUGINS):
                _mention_undeclared(names, connector, source, metadata)
        for connector in connectors:
            nothing: Any = {}
            ask_data = partial(connector.get_additional_data, metadata)
            data = results.ask(connector, "get_additional_data", metadata, ask_data, nothing)
            source.merge_additional_data(metadata, plugin_name(connector), data)
        metadata.query = source.query
        return metadata


def _mention_undeclared(
    names: Sequence[str], connector: Connector, source: MetadataSource, metadata: ClientMetadata
) -> None:
    """Log the groups of a site's connector that nobody declares, each once: a name may be misspelt."""
    news = [name for name in names if (plugin_name(connector), name) not in _MENTIONED]
    if not news:
        return
    declared = source.query.all_groups()
    for name in news[: MOST_MENTIONED - len(_MENTIONED)]:
        _MENTIONED.add((plugin_name(connector), name))
        if name not in declared:
            log.info(
                "%s.get_additional_groups adds the group %s to %s, which no file declares; it implies no bundles",
                *(plugin_name(connector), shortened(name), metadata.hostname),
            )


def _groups_of(connector: Connector, metadata: ClientMetadata) -> Sequence[str | MetadataGroup]:
    given = connector.get_additional_groups(metadata)
    if isinstance(given, str | bytes):
        raise TypeError(f"expected a list of groups, not {shortened(repr(given))}")
    groups = tuple(given)
    for group in groups:
        if not isinstance(group, str | MetadataGroup):
            raise TypeError(f"expected the name of a group or a MetadataGroup, not {shortened(repr(group))}")
    return groups


def _register(groups: Iterable[str | MetadataGroup], source: MetadataSource, connector: str) -> list[str]:
    """Declare the groups that are not only names; return the names of all."""
    names = []
    for group in groups:
        if isinstance(group, MetadataGroup):
            source.register_dynamic_group(group, connector)
            names.append(group.name)
        else:
            names.append(group)
    return names


class MetadataService:
    """The metadata of clients, from the cache or built."""

    def __init__(
        self,
        plugins: PluginTable,
        cache_mode: Callable[[], str],
        timings: Timings,
        repository_version: Callable[[], int],
    ) -> None:
        """`cache_mode` returns the mode of now, see above."""
        self.cache: Cache[ClientMetadata] = Cache()
        self.connector_results = ConnectorResults(repository_version)
        self._plugins = plugins
        self._cache_mode = cache_mode
        self._timings = timings
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
        metadata = build_metadata(
            hostname,
            self._plugins.metadata_source,
            self._plugins.by_type(Connector),
            self._timings,
            self.connector_results,
        )
        stale_reads = current_stale_reads()
        is_current = stale_reads is None or not stale_reads.was_used
        if caching and is_current and expirations == self._expirations:
            # Whatever was expired while this was built may have been part of it.
            self.cache.put(metadata, CACHE_TAG, hostname)
        return metadata

    def build_own(self, hostname: str) -> ClientMetadata:
        """The same as an object that no other caller has, for those who record in it what is read."""
        metadata = self.build(hostname)
        return metadata.copy() if self._cache_mode() in CACHING_MODES else metadata

    def expire(self, hostname: str | None = None) -> None:
        """Forget one client, or all."""
        self.connector_results.forget(hostname)
        if hostname is None:
            self.cache.expire(CACHE_TAG)
        else:
            self.cache.expire(CACHE_TAG, hostname)
