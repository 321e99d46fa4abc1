"""The differences of two documents.

A document is split into its structures as bytes. Equal ones need no parsing, and most are equal. The differences of the
others are computed once for all hosts that have the same ones.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lxml import etree

from geventcore.tools.diff.model import ADDED, CHANGED, OWN_TOKEN, REMOVED, Change
from geventcore.tools.diff.secrets import Secrets

#: The end of a structure. lxml escapes < in texts, so these bytes are nothing else unless there are comments.
_STRUCTURE_END = re.compile(rb"</(?:Bundle|Independent)>")
#: Lines around a difference.
CONTEXT_LINES = 3


def split(document: bytes) -> tuple[bytes, ...]:
    """Split a configuration into its structures; one piece if it cannot be split. The root's attributes are left out.

    An ``error`` document is one piece.
    """
    if not document.startswith(b"<Configuration"):
        return (document,)
    start = document.index(b">")
    if document[start - 1 : start] == b"/":
        return ()
    inner = document[start + 1 :].removesuffix(b"</Configuration>")
    if b"<!--" in inner or b"<![CDATA[" in inner or b"xmlns" in document[:start]:
        return (b"<Configuration>" + inner + b"</Configuration>",)
    pieces: list[bytes] = []
    position = 0
    for match in _STRUCTURE_END.finditer(inner):
        pieces += _without_empty(inner[position : match.end()])
        position = match.end()
    pieces += _without_empty(inner[position:])
    return tuple(pieces)


_EMPTY = re.compile(rb"<(?:Bundle|Independent)(?: [^<>]*)?/>")


def _without_empty(piece: bytes) -> Iterator[bytes]:
    """Yield empty structures at the beginning of a piece by themselves."""
    while (match := _EMPTY.match(piece)) is not None:
        yield match.group()
        piece = piece[match.end() :]
    if piece:
        yield piece


def normal_form(document: bytes) -> bytes:
    """Return a document without indentation and declaration, for one that was not written by this process."""
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    for element in root.iter():
        if len(element) and element.text is not None and not element.text.strip():
            element.text = None
        if element.tail is not None and not element.tail.strip():
            element.tail = None
    root.tail = None
    return etree.tostring(root)


@dataclass(frozen=True)
class _Entry:
    """An entry with the structure that it is in."""

    structure: str
    element: etree._Element


@dataclass
class Differences:
    """The differences of documents; computed once for equal pieces.

    Attributes:
        secrets: values that are not shown.
        context: lines around a difference.
    """

    secrets: Secrets
    context: int = CONTEXT_LINES
    _known: dict[tuple[tuple[bytes, ...], tuple[bytes, ...]], tuple[Change, ...]] = field(default_factory=dict)

    def of(self, old: bytes, new: bytes, host: str = "") -> tuple[Change, ...]:
        """Return the changes from one document to the other. `OWN_TOKEN` stands for the name of the host in them."""
        if _body(old) == _body(new):
            return ()
        old, new = self._without_name(old, new, host)
        before, after = split(old), split(new)
        common = Counter(before) & Counter(after)
        key = (_rest(before, common), _rest(after, common))
        found = self._known.get(key)
        if found is None:
            try:
                found = tuple(self._changes(*key))
            except etree.XMLSyntaxError:
                # A structure with structures inside was split.
                found = tuple(self._changes((old,), (new,)))
            if len(self._known) > 2000:
                self._known.clear()
            self._known[key] = found
        return found

    def _without_name(self, old: bytes, new: bytes, host: str) -> tuple[bytes, bytes]:
        """Replace the host's name, so that hosts with the same templates have the same differences.

        A name without a dot may be any word, even a tag. And a secret with the name would not be found any more.
        """
        if "." not in host or any(host in value for value in self.secrets.values):
            return old, new
        pattern = re.compile(rb"(?<![\w.-])" + re.escape(host.encode()) + rb"(?![\w-])")
        token = OWN_TOKEN.encode()
        return pattern.sub(token, old), pattern.sub(token, new)

    def _changes(self, old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[Change]:
        sides = [_parsed(pieces) for pieces in (old, new)]
        errors = [_error(structures) for structures in sides]
        if any(errors):
            if errors[0] != errors[1]:
                kind = CHANGED if all(errors) else REMOVED if errors[1] else ADDED
                yield Change(kind, "configuration", note=errors[1] or f"it was: {errors[0]}")
            return
        yield from self._structure_changes(*sides)
        before, after = (dict(_entries(structures)) for structures in sides)
        for key in before.keys() & after.keys():
            yield from self._entry_changes(before.pop(key), after.pop(key))
        # An entry that has left its structure may be in another one.
        moved: dict[tuple[str, str], list[_Entry]] = {}
        for (_, tag, name, _), entry in after.items():
            moved.setdefault((tag, name), []).append(entry)
        for (_, tag, name, _), entry in before.items():
            others = moved.get((tag, name))
            if others:
                yield from self._entry_changes(entry, others.pop(0))
            else:
                yield self._whole(REMOVED, entry)
        for entries in moved.values():
            for entry in entries:
                yield self._whole(ADDED, entry)

    def _structure_changes(self, old: Sequence[etree._Element], new: Sequence[etree._Element]) -> Iterator[Change]:
        """Yield the structures without entries that one side lacks, and differences of the structures' attributes."""
        sides = [{(str(each.tag), each.get("name", "")): each for each in side} for side in (old, new)]
        for (tag, name), element in sides[0].items():
            other = sides[1].get((tag, name))
            if other is None and not len(element):
                yield Change(REMOVED, f"{tag} {name}")
            elif other is not None:
                attributes = tuple(self._attribute_changes(element, other))
                if attributes:
                    yield Change(CHANGED, f"{tag} {name}", attributes=attributes)
        for (tag, name), element in sides[1].items():
            if (tag, name) not in sides[0] and not len(element):
                yield Change(ADDED, f"{tag} {name}")

    def _whole(self, kind: str, entry: _Entry) -> Change:
        element = entry.element
        is_secret = self.secrets.hides(element)
        values = tuple(
            (str(name), None if kind == ADDED else shown, shown if kind == ADDED else None)
            for name, value in element.items()
            if name != "name"
            for shown in [self.secrets.masked(str(value))]
        )
        text = element.text or "" if not len(element) or (element.text or "").strip() else ""
        empty = kind == ADDED
        lines = () if is_secret else _unified("" if empty else text, text if empty else "", self.context)
        children = _children(element)
        return Change(
            kind,
            _label(element),
            entry.structure,
            attributes=values,
            text=self.secrets.masked_lines(lines),
            children=self.secrets.masked_lines(
                () if is_secret else _unified("" if empty else children, children if empty else "", self.context)
            ),
            is_hidden=is_secret and bool(text or children),
        )

    def _entry_changes(self, before: _Entry, after: _Entry) -> Iterator[Change]:
        old, new = before.element, after.element
        is_secret = self.secrets.hides(old) or self.secrets.hides(new)
        attributes = tuple(self._attribute_changes(old, new))
        texts = [_content(element) for element in (old, new)]
        inner = [_children(element) for element in (old, new)]
        lines = () if is_secret or texts[0] == texts[1] else _unified(texts[0], texts[1], self.context)
        children = () if is_secret or inner[0] == inner[1] else _unified(inner[0], inner[1], self.context)
        is_moved = before.structure != after.structure
        if not (attributes or is_moved or texts[0] != texts[1] or inner[0] != inner[1]):
            return
        yield Change(
            CHANGED,
            _label(new),
            after.structure,
            before.structure if is_moved else "",
            attributes,
            self.secrets.masked_lines(lines),
            self.secrets.masked_lines(children),
            is_secret and (texts[0] != texts[1] or inner[0] != inner[1]),
        )

    def _attribute_changes(
        self, old: etree._Element, new: etree._Element
    ) -> Iterator[tuple[str, str | None, str | None]]:
        names = dict.fromkeys([*map(str, old.keys()), *map(str, new.keys())])
        for name in names:
            before, after = old.get(name), new.get(name)
            if before != after:
                yield name, self._shown(before), self._shown(after)

    def _shown(self, value: str | None) -> str | None:
        return None if value is None else self.secrets.masked(value)


def _body(document: bytes) -> bytes:
    """Return a document without the root's start tag, which has the revision."""
    if not document.startswith(b"<Configuration"):
        return document
    return document[document.index(b">") - 1 :]


def _rest(pieces: Sequence[bytes], common: Counter[bytes]) -> tuple[bytes, ...]:
    """Return the pieces without the common ones, each as often as it is common."""
    left = Counter(common)
    rest = []
    for piece in pieces:
        if left[piece]:
            left[piece] -= 1
        else:
            rest.append(piece)
    return tuple(rest)


def _parsed(pieces: Iterable[bytes]) -> list[etree._Element]:
    structures: list[etree._Element] = []
    for piece in pieces:
        root = etree.fromstring(piece, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
        structures += root.iterchildren(etree.Element) if root.tag == "Configuration" else [root]
    return structures


def _error(structures: Sequence[etree._Element]) -> str:
    """Return why there is no configuration; empty if there is one."""
    if len(structures) == 1 and structures[0].tag == "error":
        return structures[0].get("type", "") or "error"
    return ""


def _entries(structures: Iterable[etree._Element]) -> Iterator[tuple[tuple[str, str, str, int], _Entry]]:
    """Yield the entries with keys: structure, tag, name, and a number for those that occur several times in one."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for structure in structures:
        for element in structure.iterchildren(etree.Element):
            label = (structure.get("name", ""), str(element.tag), element.get("name", ""))
            seen[label] += 1
            yield (*label, seen[label]), _Entry(label[0], element)


def _label(element: etree._Element) -> str:
    return f"{element.tag}:{element.get('name', '')}"


def _content(element: etree._Element) -> str:
    text = element.text or ""
    return "" if len(element) and not text.strip() else text


def _children(element: etree._Element) -> str:
    """Return the elements inside as text, one a line."""
    return "\n".join(
        etree.tostring(child, encoding="unicode", with_tail=False) for child in element.iterchildren(etree.Element)
    )


def _unified(old: str, new: str, context: int) -> tuple[str, ...]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=context, lineterm="")
    found = tuple(lines)[2:]
    if not found and old != new:
        return ("(only line ends differ)",)
    return found
