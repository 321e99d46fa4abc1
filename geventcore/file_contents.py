"""The contents of files as they were last used, so that a change is read and parsed once, and ahead of time.

Version control, backups and scripts touch files without changing them. And parsing takes time in which no client gets
an answer, if it happens while changes are applied. So

* what a handler of file events reads is remembered as a digest: an event after which the file has the same content and
  permissions is none for that handler;
* changed files are read, and parsed in the ways they were parsed before, ahead of their application, while clients are
  served. The application finds the results here. A file that changes in between causes another event.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

#: The most bytes that are kept of files that were read ahead, and of one of them.
MOST_PREPARED_BYTES = 64 << 20
MOST_PREPARED_FILE_BYTES = 4 << 20

#: A content: its digest and the permission bits of the file.
Version = tuple[bytes, int]


class _Prepared(NamedTuple):
    data: bytes
    mode: int
    parsed: dict[str, Any]


def _version(data: bytes, mode: int) -> Version:
    return hashlib.blake2b(data, digest_size=16).digest(), mode & 0o7777


class FileContents:
    """The contents that handlers have used. Every method may be called from any thread.

    A content has an epoch, a number that grows whenever another content is read from the same path. What a handler has
    read is current if its epoch is the newest, and the file still has that content.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reads: ContextVar[dict[str, int] | None] = ContextVar("reads", default=None)
        self._versions: dict[str, tuple[Version, int]] = {}
        self._parsers: dict[str, dict[str, Callable[[bytes], Any]]] = {}
        self._prepared: dict[str, _Prepared] = {}
        self._prepared_bytes = 0

    @contextmanager
    def recording(self) -> Iterator[dict[str, int]]:
        """Collect what is read in the block: path -> epoch."""
        reads: dict[str, int] = {}
        token = self._reads.set(reads)
        try:
            yield reads
        finally:
            self._reads.reset(token)

    def ahead(self, path: str) -> bytes | None:
        """Return the content that was read ahead for the events that are being applied; None if there is none."""
        prepared = self._prepared.get(path)
        if prepared is None or self._reads.get() is None:
            return None
        self.note_read(path, prepared.data, prepared.mode)
        return prepared.data

    def note_read(self, path: str, data: bytes, mode: int) -> None:
        """Remember what has been read, if that happens for a file event."""
        reads = self._reads.get()
        if reads is None:
            return
        version = _version(data, mode)
        with self._lock:
            known, epoch = self._versions.get(path, (None, 0))
            if known != version:
                epoch += 1
                self._versions[path] = (version, epoch)
        reads[path] = epoch

    def is_current(self, path: str, epoch: int | None, data: bytes, mode: int) -> bool:
        """Return true if an epoch is the newest, and its content is `data` with this mode."""
        known = self._versions.get(path)
        return known is not None and known[1] == epoch and _version(data, mode) == known[0]

    def digest(self, root: str, ignored: Collection[str] = ()) -> str:
        """Return a digest of the names and contents of all files below a directory that handlers have read.

        `ignored` are relative names. Files that exist no more do not count, and permissions do not.
        """
        prefix = root.rstrip("/") + "/"
        with self._lock:
            versions = list(self._versions.items())
        found = sorted(
            (path.removeprefix(prefix), version[0])
            for path, (version, _) in versions
            if path.startswith(prefix) and path.removeprefix(prefix) not in ignored and os.path.exists(path)
        )
        digest = hashlib.blake2b(digest_size=6)
        for name, content in found:
            digest.update(os.fsencode(name) + b"\0" + content)
        return digest.hexdigest()

    def parsed(self, kind: str, path: str | os.PathLike[str], data: bytes, parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of a content, from the preparation if that has done it; raise what it raises.

        `kind` names the way of parsing. `parse` must depend on nothing but the data, and is kept for the next change.
        Every result is given out once.
        """
        if self._reads.get() is None:
            return parse(data)
        name = os.fspath(path)
        self._parsers.setdefault(name, {})[kind] = parse
        prepared = self._prepared.get(name)
        if prepared is not None and kind in prepared.parsed and prepared.data == data:
            result: T = prepared.parsed.pop(kind)
            return result
        return parse(data)

    def prepare(self, path: str, data: bytes, mode: int) -> None:
        """Keep a content until `forget_prepared`, and parse it in the ways that were used for this path."""
        self._drop(path)
        size = len(data)
        if size > MOST_PREPARED_FILE_BYTES or self._prepared_bytes + size > MOST_PREPARED_BYTES:
            return
        results = {}
        for kind, parse in list(self._parsers.get(path, {}).items()):
            try:
                results[kind] = parse(data)
            # A boundary: sites' files fail in many ways, and do so again when the change is applied.
            except Exception:  # noqa: BLE001
                continue
        self._prepared[path] = _Prepared(data, mode, results)
        self._prepared_bytes += size

    def forget_prepared(self) -> None:
        """Drop everything that was prepared."""
        self._prepared = {}
        self._prepared_bytes = 0

    def _drop(self, path: str) -> None:
        dropped = self._prepared.pop(path, None)
        if dropped is not None:
            self._prepared_bytes -= len(dropped.data)


#: The contents of this process's files.
FILE_CONTENTS = FileContents()
