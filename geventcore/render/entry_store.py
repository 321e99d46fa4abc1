"""The cache that configurations share: structure templates, and bound entries as bytes.

The key of a structure template is a digest of the whole structure; the key of an entry is everything that binding it
depends on. A changed file leads to another key, so nothing needs to be invalidated. The least recently used items are
dropped first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from weakref import WeakValueDictionary

from lxml import etree

from geventcore.cache import RecentItems
from geventcore.render.structure_template import EntryTemplate, SerializedEntry, StructureTemplate

#: An entry takes about so many bytes more than its XML.
_ENTRY_OVERHEAD = 500
#: No two structures that anybody can make have the same digest of so many bytes.
_DIGEST_BYTES = 32


class EntryStore:
    """A bounded cache of structure templates and serialized entries; the least recently used are dropped first."""

    def __init__(self, limit: int) -> None:
        """Limit the cache to `limit` bytes; 0 disables it."""
        self._structures: RecentItems[bytes, StructureTemplate] = RecentItems(limit // 4)
        self._entries: RecentItems[Hashable, SerializedEntry] = RecentItems(limit - limit // 4)
        #: The entries of all structure templates that are in use: bundles of a site have many entries in common.
        self._entry_templates: WeakValueDictionary[bytes, EntryTemplate] = WeakValueDictionary()
        #: Return the entry that was bound for a key, or None.
        self.get_entry = self._entries.get

    @property
    def size(self) -> int:
        """The size of the cache in bytes."""
        return self._structures.size + self._entries.size

    def structure(self, element: etree._Element) -> StructureTemplate:
        """Return the template of a structure, made on first use."""
        source = etree.tostring(element, with_tail=False)
        key = hashlib.blake2b(source, digest_size=_DIGEST_BYTES).digest()
        template = self._structures.get(key)
        if template is None:
            template = StructureTemplate(source, self._entry_template)
            self._structures.put(key, template, template.size(source))
        return template

    def _entry_template(self, element: etree._Element) -> EntryTemplate:
        source = etree.tostring(element)
        template = self._entry_templates.get(source)
        if template is None:
            template = self._entry_templates[source] = EntryTemplate(element, source)
        return template

    def put_entry(self, key: Hashable, entry: SerializedEntry, source: bytes) -> None:
        """Store an entry. `source`, the XML of the abstract entry, is part of its key."""
        self._entries.put(key, entry, len(entry.data) + len(source) + _ENTRY_OVERHEAD)
