"""Readers of the documents that clients upload: they parse while the text arrives, and keep a bounded part.

A parsed document takes 5 to 15 times the memory of its text, and clients choose its size. So a reader builds what is
wanted only, and what goes beyond its limits is left out, counted and marked.

* `ReportReader`: the report of a run. It lists every entry of the client, in real clients with the whole text of each
  file, and nearly all of them are good. Where no plugin wants to see good entries, they and all texts are skipped.
* `ProbeReader`: the results of probes. Several results of one probe replace each other.

Entities, document types and the network are never used. Both readers are `geventcore.wire.xmlrpc.TextReader`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lxml import etree

from geventcore.plugin.interfaces import ResultLimit

#: The lists of entries in a report whose entries are kept.
_LISTS = frozenset({"Bad", "Modified", "Extra"})
_GOOD = "Good"
#: The long attributes of an entry: the difference of a file, or the file itself.
_CONTENTS = ("current_bdiff", "current_bfile", "qtext")
#: The name of the entry that stands for those that are left out, see `ReportReader`.
SHORTENED_TAG, SHORTENED_NAME = "Report", "shortened"
#: Memory that an element and an attribute take beside their texts, in bytes; measured with libxml2 2.14 and our own
#: form of an entry (`geventcore.storage.report_model`).
ELEMENT_BYTES, ATTRIBUTE_BYTES = 700, 350
#: Memory for what is not an entry: flags and times. Real clients need a thousandth.
OTHER_BYTES = 1024 * 1024
#: Memory of a result, as a multiple of its length: its pieces, or the joined text, that in the tree, and the plugin's.
TEXT_FACTOR = 4
#: The most results of probes in one upload.
MOST_RESULTS = 20_000
#: The most names of unknown sources that are remembered for the log.
MOST_UNKNOWN = 1000


class DocumentError(Exception):
    """The document is not well-formed, or is none; the text is the reason."""


class _Target(Protocol):
    """The receiver of a parser's events."""

    def release(self) -> None:
        """Let go of everything that was received."""


class _DocumentReader:
    """A parser that is fed in pieces."""

    def __init__(self, target: Any) -> None:
        """`target` is a `_Target` with the methods that lxml calls."""
        self._target: _Target = target
        self._parser = etree.XMLParser(target=target, resolve_entities=False, no_network=True, load_dtd=False)
        # Not the exception, whose traceback refers to this object: documents would wait for the garbage collector.
        self._failure: str | None = None
        self._is_empty = True

    def __del__(self) -> None:
        # A parser of lxml refers to itself. So its target lives until the garbage collector runs, which is rare.
        self._target.release()

    def feed(self, text: str) -> None:
        """Take the next piece; the outcome is that of `_close`."""
        if self._failure is None and text:
            self._is_empty = False
            try:
                self._parser.feed(text)
            # ValueError: a name with an unknown prefix, or a lone surrogate.
            except (etree.ParseError, DocumentError, ValueError) as err:
                self._failure = str(err)

    def _close(self) -> Any:
        if self._failure is None:
            if self._is_empty:
                raise DocumentError("the document is empty")
            try:
                return self._parser.close()
            except (etree.ParseError, DocumentError, ValueError) as err:
                self._failure = str(err)
        raise DocumentError(self._failure)


def _refuse_document_type(*_: object) -> None:
    raise DocumentError("document types are not allowed")


# -- reports


@dataclass(frozen=True)
class ReportLimits:
    """The part of a report that is kept.

    Attributes:
        entries: number of bad, modified and extra entries.
        bytes: their memory.
        is_whole: whether good entries and texts are kept, too.
    """

    entries: int = 10_000
    bytes: int = 16 * 1024 * 1024
    is_whole: bool = False


class ReportReader:
    """Reads a report into a tree.

    A list whose entries are not all kept ends with ``<Report name="shortened" left_out="number of entries"/>``. An
    entry whose file content or difference does not fit is kept without it and has ``left_out`` with the attribute's
    name.
    """

    def __init__(self, limits: ReportLimits = ReportLimits()) -> None:
        # It receives the parser's events.
        self._target = _ReportTarget(limits)
        self._reader = _DocumentReader(self._target)

    def feed(self, text: str) -> None:
        """See `geventcore.wire.xmlrpc.TextReader`."""
        self._reader.feed(text)

    @property
    def held_bytes(self) -> int:
        """See `geventcore.wire.xmlrpc.TextReader`."""
        return self._target.held_bytes

    def close(self) -> etree._Element:
        """Return the root; `DocumentError` if the document is not well-formed."""
        root: etree._Element = self._reader._close()
        return root

    @property
    def left_out(self) -> int:
        """The number of entries that were not kept."""
        return self._target.left_out


class _ReportTarget:
    def __init__(self, limits: ReportLimits) -> None:
        self.left_out = 0
        self._limits = limits
        self._tree: Any = etree.TreeBuilder()
        self._open: list[str] = []
        #: The number of open elements that are skipped.
        self._skipped = 0
        self._entries = 0
        self._left_out_here = 0
        self._used = 0
        self._used_by_others = 0

    doctype = staticmethod(_refuse_document_type)

    @property
    def held_bytes(self) -> int:
        return self._used + self._used_by_others

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._skipped or not self._takes(attributes):
            self._skipped += 1
            return
        self._open.append(tag)
        self._tree.start(tag, attributes)

    def _list(self) -> str:
        """Return the name of the innermost list of entries that is open, or an empty text."""
        opened = self._open
        depth = opened.index("Statistics") + 1 if "Statistics" in opened else len(opened)
        return opened[depth] if depth < len(opened) else ""

    def _takes(self, attributes: dict[str, str]) -> bool:
        name = self._list()
        size = _size(attributes)
        if name == _GOOD and not self._limits.is_whole:
            return False
        if name not in _LISTS and name != _GOOD:
            # Half of it is for the elements that hold others, so that they do not use up the room of those that follow.
            is_inner = len(self._open) > 2
            if self._used_by_others + size > (OTHER_BYTES // 2 if is_inner else OTHER_BYTES):
                return False
            self._used_by_others += size
            return True
        is_entry = self._open[-1] == name and self._open[-2] == "Statistics"
        if is_entry and self._entries >= self._limits.entries and name != _GOOD:
            return self._leave_out()
        if self._used + size > self._limits.bytes:
            size = _without_contents(attributes)
            if self._used + size > self._limits.bytes:
                return self._leave_out() if is_entry else False
        self._used += size
        self._entries += is_entry and name != _GOOD
        return True

    def _leave_out(self) -> bool:
        self.left_out += 1
        self._left_out_here += 1
        return False

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        if self._left_out_here and len(self._open) > 1 and self._open[-2] == "Statistics":
            self._tree.start(SHORTENED_TAG, {"name": SHORTENED_NAME, "left_out": str(self._left_out_here)})
            self._tree.end(SHORTENED_TAG)
            self._left_out_here = 0
        self._open.pop()
        self._tree.end(tag)

    def data(self, text: str) -> None:
        if self._limits.is_whole and not self._skipped and self._used + len(text) <= self._limits.bytes:
            self._used += len(text)
            self._tree.data(text)

    def close(self) -> etree._Element:
        root: etree._Element = self._tree.close()
        return root

    def release(self) -> None:
        self._tree = None


def _size(attributes: dict[str, str]) -> int:
    return ELEMENT_BYTES + sum(ATTRIBUTE_BYTES + 2 * (len(name) + len(value)) for name, value in attributes.items())


def _without_contents(attributes: dict[str, str]) -> int:
    """Remove the longest of the contents, and note its name. Return the memory that the rest takes."""
    found = [name for name in _CONTENTS if attributes.pop(name, "")]
    if found:
        attributes["left_out"] = " ".join(found)
    return _size(attributes)


# -- results of probes

#: Name of a plugin -> the limit of its results; `KeyError` if it takes none.
LimitOf = Callable[[str], ResultLimit | None]


@dataclass
class ProbeResults:
    """The results of probes in an upload.

    Attributes:
        by_source: plugin -> name of the probe -> element with the attributes and the text.
        unknown: names of the first sources that are no plugins with probes.
    """

    by_source: dict[str, dict[str | None, etree._Element]] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)


class ProbeReader:
    """Reads an upload of probe data."""

    def __init__(self, limit_of: LimitOf) -> None:
        self._target = _ProbeTarget(limit_of)
        self._reader = _DocumentReader(self._target)

    def feed(self, text: str) -> None:
        """See `geventcore.wire.xmlrpc.TextReader`."""
        self._reader.feed(text)

    @property
    def held_bytes(self) -> int:
        """See `geventcore.wire.xmlrpc.TextReader`."""
        return self._target.held_bytes

    def close(self) -> ProbeResults:
        """Return the results; `DocumentError` if the document is not well-formed, or a result is too long."""
        results: ProbeResults = self._reader._close()
        return results


class _ProbeTarget:
    def __init__(self, limit_of: LimitOf) -> None:
        self._limit_of = limit_of
        self._results = ProbeResults()
        self._count = 0
        self._depth = 0
        self._element: etree._Element | None = None
        self._limit: ResultLimit | None = None
        self._texts: list[str] = []
        self._length = 0
        self.held_bytes = 0

    doctype = staticmethod(_refuse_document_type)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 2:
            self._begin(tag, attributes)

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        source, name = attributes.get("source", ""), attributes.get("name")
        try:
            self._limit = self._limit_of(source)
        except KeyError:
            if len(self._results.unknown) < MOST_UNKNOWN:
                self._results.unknown[source] = None
            return
        named = self._results.by_source.setdefault(source, {})
        self._count += name not in named
        self.held_bytes += _size(attributes)
        if self._count > MOST_RESULTS:
            raise DocumentError(f"more than {MOST_RESULTS} results of probes")
        self._element = named[name] = etree.Element(tag, attributes)

    def data(self, text: str) -> None:
        if self._element is None or self._depth != 2:
            return
        self._length += len(text)
        self.held_bytes += TEXT_FACTOR * len(text)
        if self._limit is not None and self._length > self._limit.bytes:
            name = self._element.get("name")
            raise DocumentError(
                f"the result of the probe {name} has more than {self._limit.bytes} bytes"
                + (f", the limit of {self._limit.option}" if self._limit.option else "")
            )
        self._texts.append(text)

    def end(self, tag: str) -> None:
        if self._depth == 2 and self._element is not None:
            self._element.text = "".join(self._texts) or None
            self._element = None
            self._texts = []
            self._length = 0
        self._depth -= 1

    def close(self) -> ProbeResults:
        return self._results

    def release(self) -> None:
        self._results = ProbeResults()
        self._element = None
        self._texts = []
