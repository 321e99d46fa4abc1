"""The directory with everything about sources that is kept: fetched files, indexes, keys, and how fetching went.

=====================  =============================================================================================
``<URL with @ for />``  fetched files, with names that Bcfg2 gives them, too
``keys/``               fetched keys
``index/<digest>``      the index of one architecture of a source (`geventcore.plugins.packages.index`)
``index/<digest>.json`` the state of a source (`SourceState`)
``index/names.json``    the names that clients' packages led to (`geventcore.plugins.packages.warm_up`)
``index/generation``    replaced whenever something else here has changed that a server uses
``index/lock``          locked by the one process that fetches
=====================  =============================================================================================

Files are replaced, never changed, so that everybody reads whole ones. ``cache-*`` files are Bcfg2's, and left alone.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from geventcore.plugins.packages.kinds.base import Origin
from geventcore.repository.durable_writes import write_durably

#: Changed when the same files give another index.
INDEX_VERSION = 3
#: Files of sources that no longer exist are removed after this time: other servers that share the cache may need them.
KEEP_SECONDS = 7 * 86400.0


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([INDEX_VERSION, *parts]).encode()).hexdigest()[:32]


def index_name(origin: Origin, architecture: str) -> str:
    """The file name of an index: equal if, and only if, it is made from the same files."""
    return _digest(dataclasses.astuple(origin), architecture)


def state_name(origin: Origin) -> str:
    """The file name of the state of a source."""
    return f"{_digest(dataclasses.astuple(origin))}.json"


@dataclass
class SourceState:
    """The outcome of fetching and reading a source. All times are in seconds since the epoch; 0 is never.

    Attributes:
        place: its URL without a login.
        checked: the last attempt to fetch it.
        fetched: the last successful one.
        failing_since: the first failure after that; 0 if the last attempt succeeded.
        error: the reason of the last failure.
        notes: what is incomplete, but no failure.
        fingerprints: architecture -> the files that its index was made from.
        packages: architecture -> number of packages.
        paths: paths of files that its packages may require.
    """

    place: str = ""
    checked: float = 0.0
    fetched: float = 0.0
    failing_since: float = 0.0
    error: str = ""
    notes: list[str] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    packages: dict[str, int] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)

    @property
    def is_failing(self) -> bool:
        """True if the last attempt failed."""
        return self.failing_since > 0

    @classmethod
    def parse(cls, data: bytes) -> SourceState:
        """Parse a state file; a damaged one gives the state of a source that was never fetched."""
        state = cls()
        try:
            values = json.loads(data)
            for one in dataclasses.fields(cls):
                if isinstance(values.get(one.name), type(getattr(state, one.name))):
                    setattr(state, one.name, values[one.name])
        except (ValueError, AttributeError):
            return cls()
        return state


class PackageCache:
    """The files in the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keys = directory / "keys"
        self.indexes = directory / "index"
        self.generation = self.indexes / "generation"
        self.known_names = self.indexes / "names.json"

    def create(self) -> None:
        """Create the directories; `OSError` if that fails."""
        for directory in (self.directory, self.keys, self.indexes):
            directory.mkdir(parents=True, exist_ok=True)

    def index(self, origin: Origin, architecture: str) -> Path:
        """The path of an index, whether it exists or not."""
        return self.indexes / index_name(origin, architecture)

    def has_indexes(self, origin: Origin) -> bool:
        """True if there are data of each architecture of a source."""
        return all(self.index(origin, architecture).is_file() for architecture in origin.architectures)

    # -- states

    def state(self, origin: Origin) -> SourceState:
        """The state of a source."""
        try:
            return SourceState.parse((self.indexes / state_name(origin)).read_bytes())
        except OSError:
            return SourceState()

    def store_state(self, origin: Origin, state: SourceState) -> None:
        """Replace the state of a source."""
        write_durably(self.indexes / state_name(origin), json.dumps(dataclasses.asdict(state)).encode())

    def announce_change(self) -> None:
        """Tell all servers that use this directory to look for new files."""
        write_durably(self.generation, f"{time.time()} {secrets.token_hex(8)}\n".encode())

    # -- keeping order

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Wait until no other process fetches, on this machine or another, and keep others waiting in the block."""
        descriptor = os.open(self.indexes / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # Where the file system cannot lock, two processes fetch the same, and the last one wins.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def remove_old_files(self, origins: Collection[Origin], key_files: Collection[Path]) -> None:
        """Remove indexes, states and keys of sources that no longer exist, and what crashes have left."""
        current = {self.generation.name, self.known_names.name, "lock"}
        for origin in origins:
            current.add(state_name(origin))
            current.update(index_name(origin, architecture) for architecture in origin.architectures)
        oldest = time.time() - KEEP_SECONDS
        keys = {path.name for path in key_files} | {f"{path.name}.state" for path in key_files}
        for directory, kept in ((self.indexes, current), (self.keys, keys), (self.directory, None)):
            for path in directory.iterdir():
                is_old = path.name not in kept if kept is not None else path.match(".*.new")
                with suppress(OSError):
                    if is_old and path.is_file() and path.stat().st_mtime < oldest:
                        path.unlink()
