"""The plugin Ldap: it loads ``config.py``, evaluates queries for templates, and caches results."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from geventcore.errors import GeventcoreError, PluginInitError, RepositoryError
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ClientRunHooks, Connector
from geventcore.plugins.ldap.connection import RETRIES, RETRY_DELAY, TIMEOUT, LdapConnection, Patience
from geventcore.plugins.ldap.queries import Asking, LdapQuery, LdapSubQuery, asking
from geventcore.specfiles.pythonfile import list_of_names, load_python

CACHE = Option(
    "ldap",
    "cache",
    types.optional(types.BOOLEAN),
    None,
    "Cache results: yes for until Ldap.expire_cache is called, no for not at all.\n\n"
    "By default results are cached until the client's run ends.",
)


class Answers(Mapping[str, Any]):
    """``metadata.Ldap``: query name -> result. A query is evaluated when its result is read."""

    def __init__(self, plugin: Ldap, queries: Mapping[str, type[LdapQuery]], metadata: ClientMetadata) -> None:
        self._plugin = plugin
        self._queries = queries
        self._metadata = metadata

    def __getitem__(self, name: str) -> Any:
        return self._plugin.answer(self._queries[name], self._metadata)

    def __contains__(self, name: object) -> bool:
        return name in self._queries

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)


class Ldap(Plugin, Connector, ClientRunHooks):
    """A plugin that gives templates data from directory servers."""

    #: It keeps what it has asked for itself.
    reuse_seconds: ClassVar[float] = 0
    name = "Ldap"
    experimental: ClassVar[bool] = True
    options: ClassVar[tuple[Option[Any], ...]] = (RETRIES, RETRY_DELAY, TIMEOUT, CACHE)
    remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.remote_methods, "expire_cache")
    broadcast_methods: ClassVar[tuple[str, ...]] = (*Plugin.broadcast_methods, "expire_cache")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        try:
            importlib.import_module("ldap3")
        except ImportError as err:
            raise PluginInitError(f"ldap3 is needed: install geventcore[ldap] ({err})") from err
        self._queries: Mapping[str, type[LdapQuery]] = {}
        self._cache: dict[tuple[str, str], Any] = {}
        self._used: set[LdapConnection] = set()
        self._path = self.directory / "config.py"
        context.file_monitor.add_monitor(str(self._path), self)

    # -- config.py

    def handle_event(self, event: FileEvent) -> None:
        """Load the file; `RepositoryError` if that fails. Then the last good version stays in use."""
        if event.action is FileAction.END_EXIST:
            return
        if not self._path.exists():
            self.log.warning("%s: deleted; its queries stay in use until the server stops", self._path)
            return
        self._queries = load_queries(self._path)
        self._close()
        self._cache = {}
        if self.context.cache_mode in ("cautious", "aggressive"):
            self.context.expire_metadata()

    def _close(self) -> None:
        """Close the connections to servers; the next request opens a new one."""
        used, self._used = self._used, set()
        for connection in used:
            connection.close()

    def shutdown(self) -> None:
        """See `Plugin.shutdown`."""
        super().shutdown()
        self._close()

    # -- answers

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Any]:
        """Return the queries that apply to the client, with results on demand."""
        applicable = {name: query for name, query in self._queries.items() if self._applies(query, metadata)}
        # The queries run later, on a copy of the metadata. The original would contain this mapping: a cycle.
        return Answers(self, applicable, metadata.copy())

    def _applies(self, query: type[LdapQuery], metadata: ClientMetadata) -> bool:
        try:
            return bool(query().is_applicable(metadata))
        except Exception as err:  # noqa: BLE001 - a site's code may raise anything, and only its query is lost
            self._report(query, metadata, err)
            return False

    def answer(self, query: type[LdapQuery], metadata: ClientMetadata) -> Any:
        """Return the result of a query for a client; None, with an error in the log, if the query fails."""
        keeps = self.context.settings[CACHE] is not False
        key = (query.name, metadata.hostname)
        cache = self._cache
        if keeps and key in cache:
            return cache[key]
        settings = self.context.settings
        patience = Patience(settings[RETRIES], settings[RETRY_DELAY], settings[TIMEOUT])
        token = asking.set(Asking(patience, self.context.offload, self._used))
        try:
            found = query().get_result(metadata)
        except Exception as err:  # noqa: BLE001 - a site's code may raise anything, and only its query is lost
            self._report(query, metadata, err)
            return None
        finally:
            asking.reset(token)
        if keeps:
            cache[key] = found
        return found

    def _report(self, query: type[LdapQuery], metadata: ClientMetadata, err: Exception) -> None:
        reason = str(err) if isinstance(err, GeventcoreError) else f"{type(err).__name__}: {err}"
        self.log.error("%s: query %s failed: %s", metadata.hostname, query.name, " ".join(reason.split()))

    # -- expiring the cache

    def expire_cache(self, query: str | None = None, hostname: str | None = None) -> bool:
        """Remove the cached results of a query, of a client, of both, or all."""
        for key in list(self._cache):
            if query in (None, key[0]) and hostname in (None, key[1]):
                self._cache.pop(key, None)
        self.context.expire_metadata(hostname)
        return True

    def _forget_run(self, metadata: ClientMetadata) -> None:
        if self.context.settings[CACHE] is None:
            for key in list(self._cache):
                if key[1] == metadata.hostname:
                    self._cache.pop(key, None)

    def start_client_run(self, metadata: ClientMetadata) -> None:
        """Remove the results that were cached for the client's last run."""
        self._forget_run(metadata)

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Remove the results that were cached for this run."""
        self._forget_run(metadata)


def load_queries(path: Path) -> Mapping[str, type[LdapQuery]]:
    """Load a ``config.py`` and return query name -> class; `RepositoryError` if it is invalid."""
    module = load_python(path, "geventcore_ldap_config")
    names = list_of_names(module, "__queries__")
    if names is None:
        raise RepositoryError(f"{path}: the list __queries__ of the names of queries is missing")
    queries: dict[str, type[LdapQuery]] = {}
    for name in names:
        query = getattr(module, name, None)
        if not (isinstance(query, type) and issubclass(query, LdapQuery)) or issubclass(query, LdapSubQuery):
            raise RepositoryError(f"{path}: {name} in __queries__ is not a class derived from LdapQuery")
        if not query.name:
            raise RepositoryError(f"{path}: query {name} has no name")
        if query.name in queries:
            raise RepositoryError(f"{path}: two queries have the name {query.name}")
        queries[query.name] = query
    return queries
