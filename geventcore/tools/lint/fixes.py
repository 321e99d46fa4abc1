"""Changes that mend findings mechanically. Only the attribute that is wrong changes in a file's text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import write_durably
from geventcore.tools.lint.documents import start_of
from geventcore.tools.lint.site import LintSite

#: Attribute of old versions of Bcfg2 -> its name since version 1.3.
RENAMED = {"perms": "mode"}
#: The elements that had such attributes.
_WITH_MODE = frozenset({"Path", "BoundPath", "Info"})


@dataclass(frozen=True)
class Change:
    """A change of one attribute.

    Attributes:
        finding: the name of the findings that it mends.
        path: the file.
        element: the element in the document of the file.
        attribute: the attribute.
        new: the new name and value; None to remove the attribute.
    """

    finding: str
    path: Path
    element: etree._Element
    attribute: str
    new: tuple[str, str] | None

    @property
    def text(self) -> str:
        """The change in words."""
        what = f"{self.attribute}={self.element.get(self.attribute)!r}"
        return f"{what} removed" if self.new is None else f"{what} replaced by {self.new[0]}={self.new[1]!r}"


@dataclass(frozen=True)
class FixedFile:
    """A file with its changes.

    Attributes:
        path: the file.
        old, new: its contents.
        changes: the changes, in words.
    """

    path: Path
    old: bytes
    new: bytes
    changes: tuple[str, ...]

    def diff(self, name: str) -> str:
        """Return the changes as a unified diff."""
        old, new = (data.decode("utf-8", "replace").splitlines(keepends=True) for data in (self.old, self.new))
        lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def fixes(site: LintSite, findings: Collection[str]) -> list[FixedFile]:
    """Return the files that change if all findings with these names are mended, as far as that is mechanical."""
    by_file: dict[Path, list[Change]] = {}
    for change in _changes(site):
        origin = site.document(change.path).origin(change.element)
        if change.finding in findings and site.concerns(origin):
            by_file.setdefault(origin, []).append(change)
    fixed = (_apply(path, changes) for path, changes in by_file.items())
    return sorted((each for each in fixed if each.new != each.old), key=lambda each: each.path)


def write_fixes(fixed: Sequence[FixedFile]) -> None:
    """Write the changed files; `GeventcoreError` if one cannot be written or has changed meanwhile."""
    for each in fixed:
        try:
            if read_file(each.path) != each.old:
                raise GeventcoreError(f"{each.path}: the file has changed meanwhile; run the command again")
            write_durably(each.path, each.new)
        except OSError as err:
            raise GeventcoreError(f"{each.path}: cannot be written: {err.strerror}") from err


def _changes(site: LintSite) -> Iterator[Change]:
    for path in site.bundle_files:
        root = site.document(path).root
        if root is not None and root.tag == "Bundle" and "name" in root.attrib:
            yield Change("explicit-bundle-name", path, root, "name", None)
    for element in site.document(site.clients_file).tagged("Client"):
        location = element.get("location")
        if location is not None:
            becomes_floating = location == "floating" and "floating" not in element.attrib
            new = ("floating", "true") if becomes_floating else None
            yield Change("deprecated-clients-options", site.clients_file, element, "location", new)
    sources = site.repository / "Packages" / "sources.xml"
    for element in site.document(sources).tagged("Source") if sources.is_file() else ():
        if "recommended" in element.attrib and element.get("type") != "apt":
            yield Change("extra-attrs", sources, element, "recommended", None)
    yield from _renamed(site)


def _renamed(site: LintSite) -> Iterator[Change]:
    files = [*site.bundle_files, *site.plugin_files("Rules"), *site.plugin_files("Defaults")]
    files += [path for directory in ("Cfg", "SSHbase") for path in site.below(directory, "info.xml")]
    for path in files:
        for element in site.document(path).tagged(*_WITH_MODE):
            for old, new in RENAMED.items():
                value = element.get(old)
                if value is not None:
                    renamed = None if new in element.attrib else (new, str(value))
                    yield Change("xml-failed-to-verify", path, element, old, renamed)


def _apply(path: Path, changes: Sequence[Change]) -> FixedFile:
    old = read_file(path)
    places = [(start_of(path, change.element), change) for change in changes]
    new, done = old, []
    # From the last to the first, so that the places of the others stay.
    known = [(start, change) for start, change in places if start is not None]
    for start, change in sorted(known, key=lambda each: each[0].offset, reverse=True):
        tag = new[start.offset : start.offset + start.length]
        pattern = re.compile(rb"(\s+)%s(\s*=\s*)(\"[^\"]*\"|'[^']*')" % re.escape(change.attribute).encode())
        match = pattern.search(tag)
        if match is None:
            continue
        replacement = b""
        if change.new is not None:
            name, value = (text.encode() for text in change.new)
            # The text of the old value is kept, with its quotes and references, if only the name changes.
            is_same = value.decode() == change.element.get(change.attribute)
            replacement = match[1] + name + match[2] + (match[3] if is_same else b'"%s"' % value)
        tag = tag[: match.start()] + replacement + tag[match.end() :]
        new = new[: start.offset] + tag + new[start.offset + start.length :]
        done.append(change.text)
    return FixedFile(path, old, new, tuple(reversed(done)))
