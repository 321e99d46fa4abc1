"""The sources in use, and how they are brought up to date.

What clients get depends on one object, `SourcesInUse`, which is replaced as a whole: by the sources of a changed
``sources.xml`` when there are data of them, and by newer data of the same sources. Fetching and reading is done by
`geventcore.plugins.packages.refreshing`, in a process of its own.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geventcore.errors import GeventcoreError, PluginInitError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.packages.cache import PackageCache, SourceState
from geventcore.plugins.packages.collection import Collection
from geventcore.plugins.packages.downloads import Downloads, DownloadSettings
from geventcore.plugins.packages.index import PackageIndex
from geventcore.plugins.packages.jobs import Job, JobRunner, JobSource
from geventcore.plugins.packages.keys import key_files, read_keys
from geventcore.plugins.packages.kinds.base import Origin
from geventcore.plugins.packages.options import (
    BACKENDS,
    CA,
    CACHE,
    CERTIFICATE,
    GPG_KEYPATH,
    KEY,
    MAX_DOWNLOAD,
    METADATA,
    PROXY,
    RETRIES,
    SIGNATURES,
    START_TIMEOUT,
    TIMEOUT,
)
from geventcore.plugins.packages.source import Source, read_sources
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmlfile import XMLDocument

log = logging.getLogger(__name__)

#: How long a whole refresh may take, in seconds. A source that is slower than this is useless.
REFRESH_SECONDS = 3600.0


#: The sources that a client has, each with the client's architectures, in the order of the file.
ClientSources = Sequence[tuple[Source, tuple[str, ...]]]


@dataclass(frozen=True, eq=False)
class SourcesInUse:
    """Sources with their data.

    Attributes:
        sources: in the order of the file.
        indexes: path of each index -> index.
        keys: URL -> text of each key.
        collections: the collections of clients, as they are asked for.
    """

    cache: PackageCache
    sources: Sequence[Source] = ()
    indexes: Mapping[Path, PackageIndex] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    collections: dict[Hashable, Collection] = field(default_factory=dict)

    def index(self, source: Source, architecture: str) -> PackageIndex | None:
        """The index of one architecture of a source; None if there are no data of it."""
        return self.indexes.get(self.cache.index(source.origin, architecture))


class SourceStore:
    """All sources of a server.

    Attributes:
        in_use: those that clients get.
        cache: the files that are kept.
        states: origin of each source -> how fetching it went.
    """

    def __init__(
        self, context: PluginContext, path: Path, on_change: Callable[[SourcesInUse, SourcesInUse], None]
    ) -> None:
        """`on_change` is called with the old and the new sources, whenever they or their data have changed."""
        self._context = context
        self._on_change = on_change
        self.cache = PackageCache(context.settings[CACHE])
        self.in_use = SourcesInUse(self.cache)
        self.states: Mapping[Origin, SourceState] = {}
        self._pending: Sequence[Source] | None = None
        self._has_read = False
        self._runner = JobRunner()
        #: Indexes of a tool that changes nothing.
        self._made: dict[Path, PackageIndex] = {}
        #: Called with sources that have to be fetched; None as long as nobody does that in the background.
        self.fetch_later: Callable[[], None] | None = None
        self._loading = threading.Lock()
        if not context.read_only:
            try:
                self.cache.create()
                if not path.exists():
                    write_durably(path, b"<Sources/>\n")
            except OSError as err:
                raise PluginInitError(
                    f"Packages cannot store what it fetches: {err.filename}: {err.strerror}; see {CACHE.label}"
                ) from err
        self._file = StructFile(path, context, self._read)
        context.file_monitor.add_monitor(str(self.cache.generation), self)

    def close(self) -> None:
        """End the work that is under way, and start no other."""
        self._runner.stop()

    # -- sources.xml

    def _read(self, document: XMLDocument) -> None:
        backends = self._context.settings[BACKENDS]
        sources = read_sources(document.root, str(document.path), backends)
        is_first, self._has_read = not self._has_read, True
        if not self._lacks_data(sources):
            self._pending = None
            self._use(sources)
        elif is_first or self.fetch_later is None:
            self._run_job(sources, seconds=self._context.settings[START_TIMEOUT])
            self._use(sources)
        else:
            # Clients keep the sources that they have until there are data of the others.
            self._pending = sources
            self.fetch_later()

    def fetch_pending(self) -> None:
        """Fetch the sources of a changed ``sources.xml``, and use them, whether that succeeds or not."""
        sources = self._pending
        if sources is not None:
            self._run_job(sources)
            if self._pending is sources:
                self._pending = None
                self._use(sources)

    def handle_event(self, event: FileEvent) -> None:
        """Use the data that another process has fetched."""
        self.reload()

    # -- data

    def _lacks_data(self, sources: Sequence[Source]) -> bool:
        """True if nothing is known of a source, or its key."""
        with_data = [source for source in sources if not source.origin.is_empty] if self._reads_data else []
        if not all(self.cache.has_indexes(source.origin) for source in with_data):
            return True
        urls = {key for source in sources for key in source.keys}
        return len(read_keys(Downloads(self.cache.keys, DownloadSettings()), urls)) < len(urls)

    @property
    def _reads_data(self) -> bool:
        return bool(self._context.settings[METADATA])

    def reload(self) -> None:
        """Use the data in the cache."""
        self._use(None)

    def load_missing(self) -> None:
        """Fetch what was never fetched, and use the data in the cache."""
        sources = self.in_use.sources
        if self._lacks_data(sources):
            self._run_job(sources)
        self.reload()

    def refresh(self, fetch_before: Mapping[Origin, float] | None = None, *, progress: bool = False) -> None:
        """Fetch everything again, or some sources if that was last done before a time. What fails keeps its data."""
        if fetch_before is None:
            fetch_before = dict.fromkeys((source.origin for source in self.in_use.sources), time.time())
        self._run_job(self.in_use.sources, fetch_before=fetch_before, fetches_keys=True, progress=progress)
        self.reload()

    def _use(self, sources: Sequence[Source] | None) -> None:
        """Use some sources, or the same ones as before, with the data in the cache."""
        with self._loading:
            old = self.in_use
            if sources is None:
                sources = old.sources
            indexes = self._open_indexes(sources, old) if self._reads_data else {}
            urls = [key for source in sources for key in source.keys]
            keys = read_keys(Downloads(self.cache.keys, DownloadSettings()), urls) if urls else {}
            self.states = {source.origin: self.cache.state(source.origin) for source in sources}
            if sources is old.sources and indexes == old.indexes and keys == old.keys:
                return
            self.in_use = SourcesInUse(self.cache, sources, indexes, keys)
            in_use = self.in_use
        self._on_change(old, in_use)

    def _open_indexes(self, sources: Sequence[Source], old: SourcesInUse) -> dict[Path, PackageIndex]:
        found: dict[Path, PackageIndex] = {}
        for source in sources:
            for architecture in source.architectures:
                path = self.cache.index(source.origin, architecture)
                index = self._open(path, old.indexes.get(path)) if path.is_file() else self._made.get(path)
                if index is not None:
                    found[path] = index
        return found

    def _open(self, path: Path, known: PackageIndex | None = None) -> PackageIndex | None:
        try:
            return PackageIndex.open(path, known)
        except GeventcoreError as err:
            log.error("%s; it will be made again", err)
            if not self._context.read_only:
                path.unlink(missing_ok=True)
            return None

    # -- the process that does the work

    def _job(self, sources: Sequence[Source], fetch_before: Mapping[Origin, float], **options: Any) -> Job:
        settings = self._context.settings
        keys: dict[Origin, dict[str, None]] = {}
        for source in sources:
            keys.setdefault(source.origin, {}).update(dict.fromkeys(source.keys))
        downloads: dict[str, Any] = {
            "timeout_seconds": settings[TIMEOUT],
            "retries": settings[RETRIES],
            "proxy": settings[PROXY],
            "max_bytes": settings[MAX_DOWNLOAD],
        }
        for name, path in (("ca", settings[CA]), ("certificate", settings[CERTIFICATE]), ("key", settings[KEY])):
            downloads[name] = None if path is None else os.path.abspath(path)
        return Job(
            cache=os.path.abspath(self.cache.directory),
            sources=tuple(
                JobSource(origin, tuple(urls), fetch_before.get(origin, 0.0)) for origin, urls in keys.items()
            ),
            settings=downloads,
            signatures=settings[SIGNATURES],
            reads_data=self._reads_data,
            **options,
        )

    def _run_job(
        self,
        sources: Sequence[Source],
        *,
        fetch_before: Mapping[Origin, float] | None = None,
        fetches_keys: bool = False,
        seconds: float = REFRESH_SECONDS,
        progress: bool = False,
    ) -> None:
        """Fetch what is to be fetched and make indexes of it. All failures are logged."""
        if self._context.read_only:
            self._make_for_tool(sources)
            return
        job = self._job(sources, fetch_before or {}, fetches_keys=fetches_keys, reports_progress=progress)
        self._runner.run(job, seconds)
        if self._reads_data:
            self._log_failures(sources)

    def _make_for_tool(self, sources: Sequence[Source]) -> None:
        """Make the indexes that are missing in a directory that is removed at once: what is mapped stays readable."""
        with tempfile.TemporaryDirectory(prefix="geventcore-packages-") as directory:
            self._runner.run(self._job(sources, {}, output=directory), REFRESH_SECONDS)
            output = PackageCache(Path(directory))
            for source in sources:
                for architecture in source.architectures:
                    path = output.index(source.origin, architecture)
                    index = self._open(path) if path.is_file() else None
                    if index is not None:
                        self._made[self.cache.index(source.origin, architecture)] = index

    def _log_failures(self, sources: Sequence[Source]) -> None:
        for origin in dict.fromkeys(source.origin for source in sources):
            state = self.cache.state(origin)
            if state.is_failing and state.error:
                log.error("%s: this source is not up to date: %s", state.place, state.error)
            for note in state.notes:
                log.warning("%s: %s", state.place, note)

    # -- keys

    def installed_keys(self, collection: Collection) -> Iterator[tuple[str, str]]:
        """Path on the client and text of each key of a client's sources."""
        directory = self._context.settings[GPG_KEYPATH].rstrip("/")
        return ((f"{directory}/{name}", text) for name, text in key_files(self.in_use.keys, collection.keys()))
