"""A structure in the form in which it is bound entry by entry and written as bytes.

Most structures of a site are the same for many clients, and all that is asked of an abstract entry (its tag, its name,
what tells it from others) is then worked out once. They are recognised by what they look like, so that a structure may
come from any plugin and may have been amended by any other.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from operator import attrgetter

from lxml import etree

from geventcore.render.sorting import sort_children, sort_key

BOUND_PREFIX = "Bound"
_by_name = attrgetter("name")


def is_bound(entry: etree._Element) -> bool:
    """Whether an entry of a structure needs no generator.

    An empty ``Bundle`` is no entry: it tells the client whose modifications this structure inherits.
    """
    tag: str = entry.tag
    return tag.startswith(BOUND_PREFIX) or (tag == "Bundle" and not len(entry))


def remove_prefix(entry: etree._Element) -> None:
    """Give an entry that the structure has bound itself the tag that clients know."""
    entry.tag = entry.tag.removeprefix(BOUND_PREFIX)


@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """A bound entry as it stands in the document.

    Attributes:
        name: what it is sorted by.
        is_renamed: whether the abstract entry had another name.
        data: the element.
    """

    name: str
    is_renamed: bool
    data: bytes

    @classmethod
    def of(cls, entry: etree._Element, abstract_name: str, in_order: bool) -> WrittenEntry:
        """Write an element; its descendants are sorted if `in_order`."""
        if in_order and len(entry):
            sort_children(entry)
        name = sort_key(entry)
        return cls(name, name != abstract_name, etree.tostring(entry, with_tail=False))


class PreparedEntry:
    """An abstract entry. Never changes.

    Attributes:
        element: the entry; not to be changed.
        tag, name: as it has them.
        source: as it is written: equal for equal entries.
        written: the entry for documents that are not in order yet and for those that are, if it needs no generator.
        has_alternative: whether it may be bound under another name.
    """

    __slots__ = ("element", "has_alternative", "name", "source", "tag", "written")

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        self.tag: str = element.tag
        self.name = sort_key(element)
        self.source = etree.tostring(element)
        self.has_alternative = element.get("altsrc") is not None
        self.written: tuple[WrittenEntry, WrittenEntry] | None = None
        if is_bound(element):
            bound = copy.deepcopy(element)
            remove_prefix(bound)
            self.written = WrittenEntry.of(bound, self.name, False), WrittenEntry.of(bound, self.name, True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for every client of a structure.

    Attributes:
        good_for: the `Binder.state` that it was made with.
        entries: those that are; None where a client's own belongs.
        document: the whole structure, if all of it is.
    """

    good_for: object
    entries: list[WrittenEntry | None]
    document: bytes | None


class PreparedStructure:
    """A structure. Never changes, but for what is found out about it.

    Attributes:
        entries: in their order; None if they cannot be written one by one, because the structure has text between them,
            comments or namespaces.
        start, end: what is written before and after the entries.
        order: the positions of the entries, sorted by their names; None if they are sorted as they are.
        plans: the last plan for documents that are not in order yet, and for those that are.
    """

    __slots__ = ("end", "entries", "order", "plans", "start")

    def __init__(self, source: bytes) -> None:
        root = etree.fromstring(source, etree.XMLParser(huge_tree=True))
        children = list(root)
        self.entries: tuple[PreparedEntry, ...] | None = None
        self.start, self.end = source, b""
        self.order: tuple[int, ...] | None = None
        self.plans: list[Plan | None] = [None, None]
        texts = [root.text, *(child.tail for child in children)]
        tags = [root.tag, *(child.tag for child in children)]
        if b"xmlns" in source or any(texts) or not all(isinstance(tag, str) and tag.isascii() for tag in tags):
            return
        self.entries = tuple(PreparedEntry(child) for child in children)
        if children:
            empty = etree.tostring(etree.Element(root.tag, dict(root.items())))
            self.start, self.end = empty.removesuffix(b"/>") + b">", f"</{root.tag}>".encode("ascii")
        order = tuple(sorted(range(len(children)), key=lambda position: sort_key(children[position])))
        if order != tuple(range(len(children))):
            self.order = order

    def assemble(self, entries: list[WrittenEntry], in_order: bool) -> bytes:
        """The structure with its entries as they are bound, in the order of the structure."""
        if in_order:
            if any(entry.is_renamed for entry in entries):
                entries = sorted(entries, key=_by_name)
            elif self.order is not None:
                entries = [entries[position] for position in self.order]
        return b"".join([self.start, *[entry.data for entry in entries], self.end])
