"""Finding out about packages before a client asks: at the start, and after a refresh.

The first client of some sources pays for everything that resolvers find out about its packages, which takes ten times
as long as the resolution itself. So the names that resolvers have been asked about are kept: in the cache, for the next
start, and from old data to new ones. Nothing depends on them but time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from geventcore.plugins.packages.collection import Collection
from geventcore.plugins.packages.source import Source
from geventcore.plugins.packages.store import ClientSources, SourcesInUse
from geventcore.repository.durable_writes import write_durably

log = logging.getLogger(__name__)

#: The most names in the file: those of a hundred kinds of clients.
MAX_NAMES = 500_000
#: This many names take about a millisecond. Then requests have their turn, for `PAUSE_SECONDS`.
NAMES_AT_A_TIME = 25
PAUSE_SECONDS = 0.002

#: The sources of a collection: a digest of each, and the architectures of the client.
Signature = tuple[tuple[str, tuple[str, ...]], ...]


def source_digest(source: Source) -> str:
    """Return what tells a source from all others of a ``sources.xml``, without its login."""
    conditions = [(one.tag, sorted(one.items())) for one in source.conditions]
    facts = (dataclasses.astuple(source.origin), source.recommended, source.essential, conditions)
    lists = (sorted(source.blacklist), sorted(source.whitelist))
    return hashlib.sha256(json.dumps([facts, lists], default=str).encode()).hexdigest()[:32]


class WarmUp:
    """The names that the resolvers of each collection have been asked about."""

    def __init__(self, path: Path | None, make: Callable[[SourcesInUse, ClientSources], Collection]) -> None:
        """`path` is the file that keeps the names; None if nothing is to be warmed up.

        `make` returns the collection of some sources.
        """
        self._path = path
        self._make = make
        self._lock = threading.Lock()
        self._waiting = {} if path is None else _read(path)
        self._saved = 0

    def remember(self, in_use: SourcesInUse) -> None:
        """Take the names of sources that are no longer in use, for those that follow."""
        if self._path is None:
            return
        with self._lock:
            for signature, names in _names_of(in_use).items():
                self._waiting.setdefault(signature, set()).update(names)

    def run(self, in_use: SourcesInUse, seconds: float | None = None) -> None:
        """Find out about the names that wait; names of other sources are forgotten.

        With `seconds`, it takes no longer than these, and lets nobody else work meanwhile.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        sources = {source_digest(source): source for source in in_use.sources} if waiting else {}
        for signature, names in waiting.items():
            if all(digest in sources for digest, _ in signature):
                collection = self._make(in_use, [(sources[digest], archs) for digest, archs in signature])
                rest = _warm(collection, sorted(names), deadline)
                if rest:
                    with self._lock:
                        self._waiting.setdefault(signature, set()).update(rest)

    def save(self, in_use: SourcesInUse) -> None:
        """Keep the names for the next start, if there are others than before."""
        if self._path is None or self._waiting:
            return
        number = sum(collection.known_number for collection in list(in_use.collections.values()))
        if number == self._saved:
            return
        names = _names_of(in_use)
        current = {source_digest(source) for source in in_use.sources}
        # Another process may have been asked by other clients.
        for signature, known in _read(self._path).items():
            if all(digest in current for digest, _ in signature):
                names.setdefault(signature, set()).update(known)
        try:
            write_durably(self._path, _encode(names))
        except OSError as err:
            log.warning("Cannot keep the names of packages for the next start: %s: %s", self._path, err.strerror)
        self._saved = number


def _names_of(in_use: SourcesInUse) -> dict[Signature, set[str]]:
    found: dict[Signature, set[str]] = {}
    for collection in list(in_use.collections.values()):
        signature = tuple((source_digest(one.source), one.architectures) for one in collection.sources)
        if signature:
            found.setdefault(signature, set()).update(collection.known_names)
    return found


def _warm(collection: Collection, names: Sequence[str], deadline: float | None) -> Sequence[str]:
    """Find out about names, until a deadline or with pauses; returns those for which no time was left."""
    for begin in range(0, len(names), NAMES_AT_A_TIME):
        if deadline is None:
            time.sleep(PAUSE_SECONDS)
        elif time.monotonic() > deadline:
            return names[begin:]
        collection.warm_up(names[begin : begin + NAMES_AT_A_TIME])
    return ()


def _encode(names: Mapping[Signature, Iterable[str]]) -> bytes:
    left, kept = MAX_NAMES, []
    for signature, known in names.items():
        left -= len(texts := sorted(known))
        if left >= 0:
            kept.append({"sources": signature, "names": texts})
    return json.dumps({"collections": kept}).encode()


def _read(path: Path) -> dict[Signature, set[str]]:
    """The names in a file; none if it is damaged, of another version, or missing."""
    found: dict[Signature, set[str]] = {}
    try:
        for one in json.loads(path.read_bytes())["collections"]:
            signature = tuple((str(digest), tuple(map(str, archs))) for digest, archs in one["sources"])
            found[signature] = {sys.intern(str(name)) for name in one["names"]}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    return found
