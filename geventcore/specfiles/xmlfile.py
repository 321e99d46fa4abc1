"""XML files of the repository: parsing and XInclude.

The rules of inclusion are Bcfg2's (docs: reference/repository, "Includes"):

* ``href`` may be a shell glob. It is absolute or relative to the including file.
* In the file itself, an include element is removed and the included content is appended *at the end of its parent*, in
  the order of the file names. Includes inside an included file are replaced in place.
* A file never includes itself. If no file matches, ``xi:fallback`` is used. Without a fallback an error is logged, and
  the literal path is watched, so that a file that appears later is included.
"""

from __future__ import annotations

import fnmatch
import glob
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.file_contents import FILE_CONTENTS
from geventcore.filemonitor import Effect, EventHandler, FileAction, FileEvent, FileMonitor
from geventcore.regular_files import read_file, read_text

log = logging.getLogger(__name__)

XINCLUDE = "{http://www.w3.org/2001/XInclude}"
_XPOINTER = re.compile(r"xpointer\((.*)\)\Z", re.DOTALL)
_GLOB_CHARACTERS = re.compile(r"[*?\[]")

#: The limit on the nesting of includes. Deeper nesting counts as a cycle.
MAX_INCLUDE_DEPTH = 40


def repository_parser(remove_comments: bool = False) -> etree.XMLParser:
    """Return a parser for files of the repository: no blank text, internal entities only, no network, no DTD files.

    Create one per document: lxml locks a shared parser.
    """
    return etree.XMLParser(
        remove_blank_text=True,
        remove_comments=remove_comments,
        no_network=True,
        load_dtd=False,
        resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know only bool
    )


def parse_file(path: Path, what: str = "XML file") -> etree._Element:
    """Parse a file and return its root element; `RepositoryError` names the file and the line."""
    try:
        data = read_file(path)
        return FILE_CONTENTS.parsed("xml", path, data, partial(_parse, str(path)))
    except OSError as err:
        raise RepositoryError(f"{path}: cannot read the {what}: {err.strerror}") from err
    except etree.XMLSyntaxError as err:
        raise RepositoryError(f"{path}: not well-formed: {err.msg}") from err


def _parse(name: str, data: bytes) -> etree._Element:
    return etree.fromstring(data, repository_parser(), base_url=name)


#: The inode, size and modification time of a file, to detect changes; None if there is no file.
Signature = tuple[int, int, int] | None


def signature(path: Path) -> Signature:
    """Return the signature of a file, which differs between its versions."""
    try:
        return signature_of(os.stat(path))
    except OSError:
        return None


def signature_of_json(value: Sequence[int] | None) -> Signature:
    """Return a signature that has been sent as JSON."""
    return None if value is None else (value[0], value[1], value[2])


def signature_of(status: os.stat_result) -> Signature:
    """Return the signature of a file with this status."""
    return status.st_ino, status.st_size, status.st_mtime_ns


@dataclass
class _Inclusion:
    """The resolution of the includes of one file. It collects the files used and the paths to watch."""

    top: Path
    files: list[Path] = field(default_factory=list)
    watch: list[Path] = field(default_factory=list)
    signatures: dict[Path, Signature] = field(default_factory=dict)
    globs: list[str] = field(default_factory=list)

    def _matches(self, element: etree._Element, base: Path) -> list[Path]:
        href = element.get("href", "")
        if not href:
            log.error("%s: line %s: ignoring an include without href", base, element.sourceline)
            return []
        pattern = os.path.normpath(base.parent / href)
        if _GLOB_CHARACTERS.search(href):
            found = [Path(name) for name in sorted(glob.glob(pattern))]
            self.globs.append(pattern)
            self.watch += [Path(name) for name in glob.glob(os.path.dirname(pattern))]
            self.watch.append(Path(os.path.dirname(_GLOB_CHARACTERS.split(pattern, maxsplit=1)[0])))
        else:
            found = [Path(pattern)] if os.path.isfile(pattern) else []
        found = [path for path in found if path not in (base, self.top)]
        if not found:
            has_fallback = element.find(f"{XINCLUDE}fallback") is not None
            level = logging.DEBUG if has_fallback else logging.ERROR
            log.log(level, "%s: line %s: include of %s matches no file", base, element.sourceline, href)
            self.watch.append(Path(pattern))
        return found

    def _load(self, element: etree._Element, path: Path, depth: int) -> list[etree._Element] | str:
        """Return the content of a matched file: elements, or text for ``parse="text"``."""
        if depth > MAX_INCLUDE_DEPTH:
            raise RepositoryError(
                f"{path}: includes are nested more than {MAX_INCLUDE_DEPTH} deep; do files include each other?"
            )
        self.files.append(path)
        self.signatures[path] = signature(path)
        if element.get("parse") == "text":
            try:
                return read_text(path, element.get("encoding", "utf-8"))
            except (OSError, UnicodeDecodeError, LookupError) as err:
                raise RepositoryError(f"{path}: cannot include this file as text: {err}") from err
        root = parse_file(path, "included file")
        self._resolve(root, path, depth + 1, at_end=False)
        pointer = element.get("xpointer")
        if pointer is None:
            return [root]
        match = _XPOINTER.match(pointer)
        try:
            found = root.xpath(match.group(1)) if match else None
        except etree.XPathError as err:
            raise RepositoryError(f"{path}: invalid xpointer {pointer!r}: {err}") from err
        if not isinstance(found, list):
            raise RepositoryError(f"{path}: unsupported xpointer {pointer!r}; expected xpointer(XPath)")
        return [node for node in found if isinstance(node, etree._Element)]

    def _contribution(self, element: etree._Element, base: Path, depth: int) -> tuple[list[etree._Element], str]:
        elements: list[etree._Element] = []
        text = ""
        matches = self._matches(element, base)
        for path in matches:
            loaded = self._load(element, path, depth)
            if isinstance(loaded, str):
                text += loaded
            else:
                elements += loaded
        fallback = element.find(f"{XINCLUDE}fallback")
        if not matches and fallback is not None:
            elements += list(fallback)
            text += fallback.text or ""
        return elements, text

    def _resolve(self, root: etree._Element, base: Path, depth: int, at_end: bool) -> None:
        for element in list(root.iter(f"{XINCLUDE}include")):
            parent = element.getparent()
            if parent is None:
                raise RepositoryError(f"{base}: the root element cannot be an include")
            if any(ancestor.tag == f"{XINCLUDE}fallback" for ancestor in element.iterancestors()):
                continue
            elements, text = self._contribution(element, base, depth)
            position = len(parent) if at_end else parent.index(element) + 1
            parent[position:position] = elements
            if text:
                parent.text = (parent.text or "") + text
            _remove(element)

    def resolve(self, root: etree._Element) -> None:
        self._resolve(root, self.top, 0, at_end=True)


def _remove(element: etree._Element) -> None:
    """Remove an element from its parent and keep its tail text."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        previous = element.getprevious()
        if previous is not None:
            previous.tail = (previous.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


@dataclass(frozen=True)
class XMLDocument:
    """One parsed file with the files that it includes.

    Attributes:
        path: the file.
        root: its root element, includes resolved. Never changed after loading.
        includes: the files that were included, at any depth.
        watch: the files and directories whose changes make a reload necessary.
        signatures: the signatures of the files that it was read from.
        globs: the path patterns of its includes.
    """

    path: Path
    root: etree._Element
    includes: tuple[Path, ...]
    watch: tuple[Path, ...]
    signatures: Mapping[Path, Signature]
    globs: tuple[str, ...] = ()

    def is_current(self, path: Path) -> bool:
        """Return true if the document has the current version of a file, or does not depend on it."""
        if path in self.signatures:
            return self.signatures[path] == signature(path)
        return not any(fnmatch.fnmatchcase(str(path), pattern) for pattern in self.globs)


def load_document(path: Path) -> XMLDocument:
    """Parse a file and resolve its includes; `RepositoryError` names the file."""
    inclusion = _Inclusion(path, signatures={path: signature(path)})
    root = parse_file(path)
    inclusion.resolve(root)
    watch = dict.fromkeys([*inclusion.files, *inclusion.watch])
    files = tuple(dict.fromkeys(inclusion.files))
    return XMLDocument(path, root, files, tuple(watch), inclusion.signatures, tuple(inclusion.globs))


class XMLFile(EventHandler):
    """An XML file with its includes, loaded when any of these files appears or changes.

    If a version is invalid, the last good one stays in use, and the file monitor logs the exception.
    """

    def __init__(
        self,
        path: Path,
        file_monitor: FileMonitor,
        on_load: Callable[[XMLDocument], None] | None = None,
        monitor_self: bool = True,
    ) -> None:
        """Call `on_load` with every new document, before `document` is replaced; an exception keeps the old document.

        With `monitor_self` false, the owner forwards the events of the file itself.
        """
        self.path = path
        #: What a change of the file or of an include can touch.
        self.effect: Effect = None
        self.document: XMLDocument | None = None
        self._file_monitor = file_monitor
        self._on_load = on_load
        self._watched: set[Path] = set()
        if monitor_self:
            file_monitor.add_monitor(str(path), self)

    def _watch(self, paths: tuple[Path, ...]) -> None:
        for path in paths:
            if path not in self._watched:
                self._watched.add(path)
                self._file_monitor.add_monitor(str(path), self)

    def load(self) -> None:
        """Load the file and its includes."""
        document = load_document(self.path)
        self._watch(document.watch)
        if self._on_load is not None:
            self._on_load(document)
        self.document = document

    def handle_event(self, event: FileEvent) -> None:
        """Reload the file after a change of the file or of an include."""
        if event.action is FileAction.END_EXIST:
            return
        if not self.path.exists():
            if event.handle == event.filename == str(self.path):
                log.warning("%s: deleted; the last good version stays in use", self.path)
            return
        path = Path(event.handle, event.filename)
        if event.action is FileAction.EXISTS and self.document is not None and self.document.is_current(path):
            # An initial event of an included file, which this load has just begun to watch.
            return
        self.load()

    def effect_of(self, event: FileEvent) -> Effect:
        """See `TellsEffect`."""
        return self.effect

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"
