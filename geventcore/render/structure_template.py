"""Structure templates: structures in a form that is bound entry by entry and written as bytes.

Most structures of a site are the same for many clients. A template holds what rendering needs of each abstract entry
(tag, name, serialized source), so that it is computed once. A template is found by the whole content of the structure,
whichever plugin provides or amends it.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from lxml import etree

from geventcore.render.sorting import sort_children, sort_key

BOUND_PREFIX = "Bound"
#: Estimates of memory: a template with entries takes about ten times the bytes of its XML; one without, so many more.
_TEMPLATE_FACTOR, _TEMPLATE_OVERHEAD = 10, 500
_by_name = attrgetter("name")


def is_bound(entry: etree._Element) -> bool:
    """Return true if an entry of a structure needs no generator.

    An empty ``Bundle`` is no entry: it names a bundle whose modifications this structure inherits.
    """
    tag: str = entry.tag
    return tag.startswith(BOUND_PREFIX) or (tag == "Bundle" and not len(entry))


def remove_prefix(entry: etree._Element) -> None:
    """Remove the prefix ``Bound`` from the tag of an entry that is already bound."""
    entry.tag = entry.tag.removeprefix(BOUND_PREFIX)


@dataclass(slots=True)
class SerializedEntry:
    """A bound entry as bytes.

    Attributes:
        name: its sort key.
        is_renamed: true if the abstract entry had another name.
        data: the serialized element.
        is_counted: true if the memory of an answer includes it.
    """

    name: str
    is_renamed: bool
    data: bytes
    is_counted: bool = False

    def count(self) -> int:
        """Return the memory that it takes in bytes, the first time that it is asked for; then 0."""
        if self.is_counted:
            return 0
        self.is_counted = True
        return len(self.data)

    @classmethod
    def of(cls, entry: etree._Element, abstract_name: str, in_order: bool) -> SerializedEntry:
        """Serialize an element; sort its descendants if `in_order`."""
        if in_order and len(entry):
            sort_children(entry)
        name = sort_key(entry)
        return cls(name, name != abstract_name, etree.tostring(entry, with_tail=False))


class EntryTemplate:
    """An abstract entry of structure templates; immutable, so templates with equal entries share one.

    Attributes:
        element: the entry, without a parent; it must not be changed.
        tag, name: the entry's tag and name.
        source: the entry's XML: equal for equal entries.
        serialized: the entry for unsorted and for sorted documents, if it needs no generator; else None.
        has_alternative: true if it has an ``altsrc``.
    """

    __slots__ = ("__weakref__", "element", "has_alternative", "name", "serialized", "source", "tag")

    def __init__(self, element: etree._Element, source: bytes) -> None:
        """`source` is the XML of the element."""
        # A copy, because an element keeps the whole tree that it is in.
        self.element = copy.deepcopy(element)
        self.tag: str = element.tag
        self.name = sort_key(element)
        self.source = source
        self.has_alternative = element.get("altsrc") is not None
        self.serialized: tuple[SerializedEntry, SerializedEntry] | None = None
        if is_bound(element):
            bound = copy.deepcopy(element)
            remove_prefix(bound)
            self.serialized = SerializedEntry.of(bound, self.name, False), SerializedEntry.of(bound, self.name, True)


@dataclass(frozen=True, slots=True)
class SharedEntries:
    """The entries of a structure that are the same for every client.

    Attributes:
        binder_state: the `Binder.state` for which they are valid.
        entries: the serialized entries; None in place of each entry that depends on the client.
        document: the whole structure, if no entry depends on the client; else None.
    """

    binder_state: object
    entries: list[SerializedEntry | None]
    document: bytes | None


class StructureTemplate:
    """The template of a structure; immutable except for `shared`.

    Attributes:
        documents: the structure for unsorted and for sorted documents, compressed, if no entry needs a generator; else
            None. Such a structure may have thousands of entries for one client, so nothing else of it is kept.
        entries: the entries in their order; None if they cannot be written one by one, because the structure has text
            between them, comments or namespaces, or need not be.
        start, end: the bytes before and after the entries.
        order: the positions of the entries, sorted by their names; None if they are already sorted.
        shared: the entries that all clients share, for unsorted and for sorted documents; None until they are known.
    """

    __slots__ = ("_names", "documents", "end", "entries", "order", "shared", "start")

    def __init__(self, source: bytes, entry_template: Callable[[etree._Element], EntryTemplate]) -> None:
        """`source` is the XML of the structure; `entry_template` returns the template of one of its entries."""
        root = etree.fromstring(source, etree.XMLParser(huge_tree=True))
        children = list(root)
        self._names: frozenset[tuple[str, str]] | None = None
        self.documents: tuple[bytes, bytes] | None = None
        self.entries: tuple[EntryTemplate, ...] | None = None
        self.start, self.end = source, b""
        self.order: tuple[int, ...] | None = None
        self.shared: list[SharedEntries | None] = [None, None]
        texts = [root.text, *(child.tail for child in children)]
        tags = [root.tag, *(child.tag for child in children)]
        if b"xmlns" in source or any(texts) or not all(isinstance(tag, str) and tag.isascii() for tag in tags):
            return
        if all(map(is_bound, children)):
            self.start = self.end = b""
            for child in children:
                remove_prefix(child)
            unsorted = etree.tostring(root)
            sort_children(root)
            in_order = etree.tostring(root)
            # Entries look much alike: this takes a tenth of the memory, and reading it half a millisecond for 3,000.
            packed = zlib.compress(unsorted, 1)
            self.documents = packed, packed if unsorted == in_order else zlib.compress(in_order, 1)
            return
        self.entries = tuple(map(entry_template, children))
        if children:
            empty = etree.tostring(etree.Element(root.tag, dict(root.items())))
            self.start, self.end = empty.removesuffix(b"/>") + b">", f"</{root.tag}>".encode("ascii")
        order = tuple(sorted(range(len(children)), key=lambda position: sort_key(children[position])))
        if order != tuple(range(len(children))):
            self.order = order

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """The tags and names under which entries are bound."""
        if self._names is None:
            self._names = frozenset(
                (entry.tag, name)
                for entry in self.entries or ()
                for name in (entry.name, entry.element.get("altsrc"))
                if name is not None
            )
        return self._names

    def element(self) -> etree._Element:
        """Return a fresh abstract structure; only for one with entries, or that cannot be written entry by entry."""
        source = b"".join([self.start, *(entry.source for entry in self.entries or ()), self.end])
        return etree.fromstring(source, etree.XMLParser(huge_tree=True))

    def document(self, in_order: bool) -> bytes | None:
        """The bytes of the structure, if no entry needs a generator."""
        return None if self.documents is None else zlib.decompress(self.documents[in_order])

    def size(self, source: bytes) -> int:
        """The memory that it takes in bytes, roughly; `source` is what it was made from."""
        if self.documents is None:
            return len(source) * _TEMPLATE_FACTOR
        return sum(map(len, set(self.documents))) + _TEMPLATE_OVERHEAD

    def assemble(self, entries: Sequence[SerializedEntry], in_order: bool) -> bytes:
        """Return the bytes of the structure with its bound entries, given in the order of the structure."""
        return b"".join(self.pieces(entries, in_order))

    def pieces(self, entries: Sequence[SerializedEntry], in_order: bool) -> list[bytes]:
        """Return the same in pieces: the start, each entry, and the end."""
        if in_order:
            if any(entry.is_renamed for entry in entries):
                entries = sorted(entries, key=_by_name)
            elif self.order is not None:
                entries = [entries[position] for position in self.order]
        return [self.start, *[entry.data for entry in entries], self.end]
