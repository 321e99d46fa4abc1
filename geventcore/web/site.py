"""The repository of the site: its clients, their configuration and their probes.

The pages know the repository only by `SiteSource`. The command passes one that works on the repository; without it, the
pages show reports only, and say what is missing.
"""

from __future__ import annotations

import fnmatch
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from geventcore.errors import GeventcoreError

T = TypeVar("T")

#: How long an answer of the repository holds, in seconds.
KEPT_SECONDS = 60.0
#: How long the first page waits for the client list, in seconds.
FIRST_SECONDS = 2.0


@dataclass(frozen=True)
class ConfiguredEntry:
    """An entry of a host's configuration as it would be now.

    Attributes:
        tag, name: identification of the entry.
        bundle: the bundle that brings it; empty outside bundles.
        plugin: the plugin that binds it, if known.
        file, line: where in the repository it comes from, if known; line 0 if the file is known only.
        reasons: further sentences about where it comes from.
        attributes: the attributes that the client gets, without contents.
        failure: why the server cannot bind it, or an empty text.
        is_sensitive: whether its values are hidden.
    """

    tag: str
    name: str
    bundle: str = ""
    plugin: str = ""
    file: str = ""
    line: int = 0
    reasons: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""
    is_sensitive: bool = False


@dataclass(frozen=True)
class BuiltConfiguration:
    """A host's configuration: its entries, and the revision of the repository."""

    host: str
    revision: str
    entries: Sequence[ConfiguredEntry]


@dataclass(frozen=True)
class Probe:
    """The result of a probe; None if it is hidden."""

    name: str
    result: str | None


class SiteSource(Protocol):
    """The repository of a site. Each method raises `GeventcoreError` if it cannot be used."""

    def clients(self) -> Sequence[str]:
        """Return the names of the clients."""

    def configuration(self, host: str) -> BuiltConfiguration:
        """Build the configuration of a host."""

    def probes(self, host: str) -> Mapping[str, str]:
        """Return probe -> the last result of a host."""

    def broken_files(self) -> Sequence[str]:
        """Return a message for each file of the repository that cannot be used now."""


class Site:
    """The repository as the pages see it: answers are kept for a while, and secret results are hidden."""

    def __init__(self, source: SiteSource | None, hidden_probes: Sequence[str]) -> None:
        self._source = source
        self._hidden = hidden_probes
        self._answers: dict[tuple[str, str], tuple[float, object]] = {}
        self._lock = threading.Lock()
        self._clients: Sequence[str] | GeventcoreError = GeventcoreError("the client list is being read")
        self._clients_known = threading.Event()
        self._clients_since = -math.inf
        self._reader: threading.Thread | None = None

    @property
    def is_known(self) -> bool:
        """True if there is a repository."""
        return self._source is not None

    def clients(self) -> Sequence[str]:
        """Return the names of the clients as they were read last; none without a repository.

        No page waits for the repository: a thread reads it, again and again while pages are looked at.

        Raises:
            GeventcoreError: the client list could not be read, or not yet.
        """
        if self._source is None:
            return []
        with self._lock:
            is_old = time.monotonic() - self._clients_since > KEPT_SECONDS
            if is_old and (self._reader is None or not self._reader.is_alive()):
                self._reader = threading.Thread(target=self._read_clients, name="client list", daemon=True)
                self._reader.start()
        self._clients_known.wait(FIRST_SECONDS)
        if isinstance(self._clients, GeventcoreError):
            raise self._clients
        return self._clients

    def _read_clients(self) -> None:
        assert self._source is not None
        try:
            self._clients = self._source.clients()
        except GeventcoreError as err:
            self._clients = err
        self._clients_since = time.monotonic()
        self._clients_known.set()

    def configuration(self, host: str) -> BuiltConfiguration | None:
        """Return the configuration of a host; None without a repository."""
        source = self._source
        return None if source is None else self._kept(("configuration", host), lambda: source.configuration(host))

    def probes(self, host: str) -> list[Probe]:
        """Return the last results of a host's probes."""
        source = self._source
        found = {} if source is None else self._kept(("probes", host), lambda: source.probes(host))
        return [Probe(name, None if self._is_hidden(name) else found[name]) for name in sorted(found)]

    def broken_files(self) -> Sequence[str]:
        """Return a message for each file of the repository that cannot be used now; none without a repository."""
        source = self._source
        return [] if source is None else self._kept(("broken files", ""), source.broken_files)

    def _is_hidden(self, probe: str) -> bool:
        return any(fnmatch.fnmatchcase(probe.lower(), pattern.lower()) for pattern in self._hidden)

    def _kept(self, key: tuple[str, str], make: Callable[[], T]) -> T:
        with self._lock:
            known = self._answers.get(key)
            if known is not None and known[0] > time.monotonic():
                return known[1]  # type: ignore[return-value]
        answer = make()
        with self._lock:
            now = time.monotonic()
            self._answers = {name: item for name, item in self._answers.items() if item[0] > now}
            self._answers[key] = now + KEPT_SECONDS, answer
        return answer
