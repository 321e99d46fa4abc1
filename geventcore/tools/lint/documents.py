"""XML files with the files that they include, and the positions of elements.

Files are read as the server reads them, but faults are collected, and texts keep their blanks. lxml knows only the line
in which a tag ends. The line and column of its start come from a second parser, which reads a file only if something is
to be said about it.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from lxml import etree

from geventcore.regular_files import read_file
from geventcore.specfiles.xmlfile import MAX_INCLUDE_DEPTH, XINCLUDE
from geventcore.tools.lint.findings import Place

_GLOB_CHARACTERS = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Fault:
    """A fault in reading a file."""

    message: str
    place: Place


@dataclass
class Document:
    """One XML file, with its inclusions resolved.

    Attributes:
        path: the file.
        root: the root element; None if the file cannot be read or parsed.
        unreadable: the reason if the file cannot be opened.
        fault: the reason if the file, or one that it includes, is not well-formed.
        missing: the inclusions that match no file.
        included: the files that it includes directly or indirectly.
        direct: the files that the children of its root include.
    """

    path: Path
    root: etree._Element | None = None
    unreadable: str = ""
    fault: Fault | None = None
    missing: list[Fault] = field(default_factory=list)
    included: list[Path] = field(default_factory=list)
    direct: list[Path] = field(default_factory=list)
    _origins: dict[etree._Element, Path] = field(default_factory=dict)

    def origin(self, element: etree._Element) -> Path:
        """Return the file in which an element stands."""
        if self._origins:
            for each in (element, *element.iterancestors()):
                if each in self._origins:
                    return self._origins[each]
        return self.path

    def elements(self) -> Iterator[etree._Element]:
        """Yield all elements in document order; none if the file has no root."""
        if self.root is not None:
            yield from self.root.iter(etree.Element)

    def tagged(self, *tags: str) -> Iterator[etree._Element]:
        """Yield the elements with one of these tags in document order."""
        if self.root is not None:
            yield from self.root.iter(*tags)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know only bool
    )


def parse(path: Path) -> etree._Element:
    """Parse one file; `OSError` or `etree.XMLSyntaxError`."""
    return etree.fromstring(read_file(path), _parser(), base_url=str(path))


def syntax_fault(path: Path, err: etree.XMLSyntaxError) -> Fault:
    """Return a fault for a file that is not well-formed."""
    line, column = err.position
    # lxml repeats the position at the end of its message.
    text = re.sub(r", line \d+, column \d+$", "", str(err.msg))
    return Fault(text, Place(path, line or 1, max(column, 1)))


def load(path: Path) -> Document:
    """Read a file and what it includes."""
    document = Document(path)
    try:
        root = parse(path)
    except IsADirectoryError as err:
        document.fault = Fault(str(err.strerror), Place(path))
        return document
    except OSError as err:
        if path.is_dir():
            document.fault = Fault("it is a directory", Place(path))
        else:
            document.unreadable = err.strerror or str(err)
        return document
    except etree.XMLSyntaxError as err:
        document.fault = syntax_fault(path, err)
        return document
    document.root = root
    _include(document, root, path, 0)
    return document


def _include(document: Document, root: etree._Element, base: Path, depth: int) -> None:
    """Replace the inclusions below a root: at the end of the parent in the file itself, else in place."""
    for element in list(root.iter(f"{XINCLUDE}include")):
        parent = element.getparent()
        if parent is None or any(ancestor.tag == f"{XINCLUDE}fallback" for ancestor in element.iterancestors()):
            continue
        contents = _contents(document, element, base, depth)
        if depth == 0 and parent is root:
            document.direct += [path for path in _matches(element, base) if path != document.path]
        position = len(parent) if depth == 0 else parent.index(element) + 1
        parent[position:position] = contents
        parent.remove(element)


def _matches(element: etree._Element, base: Path) -> list[Path]:
    href = element.get("href", "")
    pattern = os.path.normpath(base.parent / href)
    if _GLOB_CHARACTERS.search(href):
        return [Path(name) for name in sorted(glob.glob(pattern))]
    return [Path(pattern)] if os.path.isfile(pattern) else []


def _contents(document: Document, element: etree._Element, base: Path, depth: int) -> list[etree._Element]:
    fallback = element.find(f"{XINCLUDE}fallback")
    paths = [path for path in _matches(element, base) if path not in (base, document.path)]
    if not paths or depth > MAX_INCLUDE_DEPTH:
        if fallback is not None:
            return list(fallback)
        reason = "the inclusions are nested too deep" if paths else "no file matches"
        message = f"the inclusion of {element.get('href', '')!r} is left out: {reason}"
        document.missing.append(Fault(message, place_of(base, element)))
        return []
    if element.get("parse") == "text":
        document.included += paths
        return []
    found = []
    for path in paths:
        document.included.append(path)
        try:
            root = parse(path)
        except OSError as err:
            document.missing.append(Fault(f"{path}: {err.strerror}", place_of(base, element)))
            continue
        except etree.XMLSyntaxError as err:
            document.fault = document.fault or syntax_fault(path, err)
            continue
        document._origins[root] = path
        _include(document, root, path, depth + 1)
        found.append(root)
    return found


# -- positions


_START_TAG = re.compile(rb"<[^\s/>]+(?:\s+[^\s=/>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>")


@dataclass(frozen=True)
class Start:
    """The start of an element in a file.

    Attributes:
        tag, attributes: those of the element.
        line, column: the place of its start tag.
        offset, length: the bytes of its start tag.
        text: the start tag.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    column: int
    offset: int
    length: int
    text: str


#: The starts in the files about which something was said.
_starts: dict[Path, list[Start]] = {}


def _scan(path: Path) -> list[Start]:
    try:
        data = read_file(path)
    except OSError:
        return []
    found: list[Start] = []
    parser = expat.ParserCreate(namespace_separator="}")

    def start(tag: str, attributes: dict[str, str]) -> None:
        index = parser.CurrentByteIndex
        match = _START_TAG.match(data, index)
        raw = match[0] if match is not None else b""
        text = raw.decode("utf-8", "replace")
        name = f"{{{tag}" if "}" in tag else tag
        attributes = {f"{{{key}" if "}" in key else key: value for key, value in attributes.items()}
        found.append(
            Start(name, attributes, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1, index, len(raw), text)
        )

    parser.StartElementHandler = start
    # After an error, the starts up to there are known.
    with contextlib.suppress(expat.ExpatError, ValueError, LookupError):
        parser.Parse(data, True)
    return found


def forget_positions() -> None:
    """Forget the positions in all files: they may have changed."""
    _starts.clear()


def start_of(path: Path, element: etree._Element) -> Start | None:
    """Return the start of an element of a file, None if it cannot be found."""
    if path not in _starts:
        _starts[path] = _scan(path)
    line = int(element.sourceline or 0)  # type: ignore[call-overload, arg-type, unused-ignore]
    attributes = {str(key): str(value) for key, value in element.items()}
    same = [start for start in _starts[path] if start.tag == element.tag and start.attributes == attributes]
    before = [start for start in same if start.line <= line]
    if not before:
        return None
    nearest = max(start.line for start in before)
    candidates = [start for start in before if start.line == nearest]
    return candidates[min(_number_on_line(element), len(candidates) - 1)] if len(candidates) > 1 else candidates[0]


def place_of(path: Path, element: etree._Element, attribute: str = "") -> Place:
    """Return the place of an element of a file, or of one of its attributes."""
    start = start_of(path, element)
    if start is None:
        line = int(element.sourceline or 0)  # type: ignore[call-overload, arg-type, unused-ignore]
        return Place(path, line, 1 if line else 0)
    match = re.search(rf"\s(?:[\w-]+:)?{re.escape(attribute)}\s*=", start.text) if attribute else None
    if match is None:
        return Place(path, start.line, start.column)
    head = start.text[: match.start() + 1]
    if "\n" in head:
        return Place(path, start.line + head.count("\n"), len(head) - head.rfind("\n"))
    return Place(path, start.line, start.column + len(head))


def _number_on_line(element: etree._Element) -> int:
    """Return the number of equal elements before an element in its line."""
    number = 0
    for each in element.getroottree().getroot().iter(str(element.tag)):
        if each is element:
            return number
        number += each.sourceline == element.sourceline and each.attrib == element.attrib
    return 0


def label_of(element: etree._Element) -> str:
    """Return the name of an element for people: ``Path:/etc/motd``, or its tag alone."""
    tag = etree.QName(element).localname
    name = element.get("name") or element.get("glob")
    return f"{tag}:{name}" if name else tag
