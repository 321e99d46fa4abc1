"""What is kept from one configuration to the next: prepared structures, and bound entries as bytes.

Nothing in here depends on time or on who asked first: a structure is kept under all that it is, an entry under all that
binding it depends on. Files that change have other keys from then on, so there is nothing to invalidate; what is not
used any more makes room for what is.
"""

from __future__ import annotations

from collections.abc import Hashable

from lxml import etree

from geventcore.cache import RecentItems
from geventcore.render.prepared import PreparedStructure, WrittenEntry

#: What is kept of structures takes about ten times as much as their text, that of an entry half a kilobyte more.
_PREPARED_FACTOR = 10
_ENTRY_OVERHEAD = 500


class EntryStore:
    """Keeps what was used last."""

    def __init__(self, limit: int) -> None:
        """`limit`: how many bytes everything may take; 0 keeps nothing."""
        self._structures: RecentItems[bytes, PreparedStructure] = RecentItems(limit // 4)
        self._entries: RecentItems[Hashable, WrittenEntry] = RecentItems(limit - limit // 4)
        #: The entry that was bound for a key, or None.
        self.get_entry = self._entries.get

    @property
    def size(self) -> int:
        """How many bytes everything takes."""
        return self._structures.size + self._entries.size

    def structure(self, element: etree._Element) -> PreparedStructure:
        """What an element is as a structure."""
        source = etree.tostring(element, with_tail=False)
        prepared = self._structures.get(source)
        if prepared is None:
            prepared = PreparedStructure(source)
            self._structures.put(source, prepared, len(source) * _PREPARED_FACTOR)
        return prepared

    def put_entry(self, key: Hashable, entry: WrittenEntry, source: bytes) -> None:
        """Keep an entry. `source` is part of its key."""
        self._entries.put(key, entry, len(entry.data) + len(source) + _ENTRY_OVERHEAD)
