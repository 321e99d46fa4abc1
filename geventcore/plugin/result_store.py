"""Results of pure functions of a client's metadata, kept for as long as what they have read stays the same.

`Results` keeps a function's result below the values that it has read (`geventcore.plugin.recording`), in the order in
which they were read: since the function is pure, what it reads next depends on nothing else. So a lookup reads the same
things of another client's metadata, follows the values, and finds the result, or a value that is new.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from geventcore.cache import RecentItems
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.recording import Read, Recorder, RecordingMetadata, UntrackableError, recorder_of

T = TypeVar("T")

#: Memory of a value in `Results`, in bytes, roughly.
_NODE_BYTES = 300


class _Branch:
    """A place in `Results` where a function reads on."""

    __slots__ = ("read",)

    def __init__(self, read: Read) -> None:
        self.read = read


class _Leaf:
    """A place in `Results` where a function has a result."""

    __slots__ = ("result",)

    def __init__(self, result: Any) -> None:
        self.result = result


class ResultStore:
    """The memory of all `Results` of a process; what was used last stays."""

    def __init__(self, limit: int) -> None:
        """Limit it to `limit` bytes; 0 keeps nothing."""
        self.items: RecentItems[Hashable, _Branch | _Leaf] = RecentItems(limit)


class Results:
    """The results of one version of a pure function, kept in a `ResultStore`."""

    __slots__ = ("_store",)

    def __init__(self, store: ResultStore) -> None:
        self._store = store

    def get(
        self, key: Hashable, metadata: ClientMetadata, compute: Callable[[ClientMetadata], T], size: Callable[[T], int]
    ) -> T:
        """Return the result for a client: a kept one, or that of `compute`, which is called with a recording view.

        `key` has the arguments of the function besides the client, `size` returns the memory that a result takes. The
        result is shared and must not be changed. Exceptions of `compute` pass through.
        """
        recorder = recorder_of(metadata)
        items = self._store.items
        place: Hashable = (self, key)
        node = items.get(place)
        try:
            while type(node) is _Branch:
                read = node.read
                value = None if recorder is None else recorder.reads.get(read)
                if value is None:
                    value = read.value(metadata)
                    if recorder is not None:
                        recorder.reads[read] = value
                place = (node, value)
                node = items.get(place)
        except UntrackableError:
            node = None
        if type(node) is _Leaf:
            result: T = node.result
            return result
        return self._compute(key, metadata, compute, size, recorder)

    def _compute(
        self,
        key: Hashable,
        metadata: ClientMetadata,
        compute: Callable[[ClientMetadata], T],
        size: Callable[[T], int],
        outer: Recorder | None,
    ) -> T:
        own = Recorder()
        try:
            result = compute(RecordingMetadata(metadata, own))
        finally:
            if outer is not None:
                outer.reads.update(own.reads)
                outer.untracked += own.untracked
        if not own.untracked:
            self._keep(key, own.reads, result, size(result))
        return result

    def _keep(self, key: Hashable, reads: Mapping[Read, Hashable], result: object, size: int) -> None:
        items = self._store.items
        place: Hashable = (self, key)
        for read, value in reads.items():
            node = items.get(place)
            if not (type(node) is _Branch and node.read == read):
                node = _Branch(read)
                items.put(place, node, _NODE_BYTES)
            place = (node, value)
        items.put(place, _Leaf(result), size + _NODE_BYTES)
