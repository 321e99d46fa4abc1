"""Edits of the metadata files, which are applied to the text of a file without losing other changes.

An `Edit` adds, changes or removes one named element. `apply_edits` applies a batch of edits, each in the file with its
element (the file itself or an include), and writes each file once. Includes, comments, unknown attributes and blank
lines stay; only white space inside a tag may change.

Every batch reads the files again, and replaces a file only if it has not changed since. So an administrator's change is
never overwritten. Concurrent processes write one after the other.
"""

from __future__ import annotations

import codecs
import errno
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lxml import etree

from geventcore.errors import MetadataConsistencyError, MetadataError, MetadataRuntimeError
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.xmlfile import Signature, signature, signature_of

#: The limit on attempts of a batch. An attempt fails if another writer changes a file meanwhile.
MAX_ATTEMPTS = 20

_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")


@dataclass(eq=False)
class Edit:
    """One requested change, and its result.

    Attributes:
        action: ``add`` an element unless it exists, ``update`` attributes, or ``remove`` the element.
        tag, name: the element.
        attributes: name -> new value, or None to remove the attribute.
        error: the reason of a failure, or None.
        existed: for ``add``: true if the element existed, and nothing was changed.
        element: the changed element, in a tree that is not used otherwise.
    """

    action: Literal["add", "update", "remove"]
    tag: str
    name: str
    attributes: Mapping[str, str | None]
    error: MetadataError | None = None
    existed: bool = False
    element: etree._Element | None = None


@dataclass
class Outcome:
    """The result of a batch.

    Attributes:
        read: the versions of the files that edits were applied to.
        written: their versions after the write.
    """

    read: dict[Path, Signature]
    written: dict[Path, Signature]


class _ChangedMeanwhileError(Exception):
    """A change of the file by another writer after it was read."""


def _set_attributes(element: etree._Element, attributes: Mapping[str, str | None]) -> None:
    for name, value in attributes.items():
        if value is not None:
            element.set(name, value)
        elif name in element.attrib:
            del element.attrib[name]


def _is_nested(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag == "Group"


def _key(tag: str, name: str) -> str:
    """Return the key by which names are compared: names of clients in lower case."""
    return name.lower() if tag == "Client" else name


class _File:
    """One file as it was read, to be edited.

    Attributes:
        edits: the edits that depend on writing this file, if it is `changed`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signature = signature(path)
        try:
            self._data = read_file(path)
            self.tree = etree.ElementTree(etree.fromstring(self._data, _editing_parser()))
            self._encoding = codecs.lookup(self.tree.docinfo.encoding or "UTF-8").name
        except OSError as err:
            raise MetadataRuntimeError(f"{path}: cannot read this file: {err.strerror}") from err
        except etree.XMLSyntaxError as err:
            raise MetadataRuntimeError(
                f"{path}: cannot change this file, because it is not well-formed: {err.msg}"
            ) from err
        except LookupError as err:
            raise MetadataRuntimeError(f"{path}: cannot change this file: {err}") from err
        self.changed = False
        self.edits: list[Edit] = []
        self._indexes: dict[str, dict[str, etree._Element]] = {}

    def _index(self, tag: str) -> dict[str, etree._Element]:
        if tag not in self._indexes:
            index: dict[str, etree._Element] = {}
            for element in sorted(self.tree.getroot().iter(tag), key=_is_nested):
                index.setdefault(_key(tag, str(element.get("name", ""))), element)
            self._indexes[tag] = index
        return self._indexes[tag]

    def find(self, tag: str, name: str) -> etree._Element | None:
        """Return the first element with a tag and name; a group's declaration comes before its uses in other groups."""
        return self._index(tag).get(_key(tag, name))

    def add(self, edit: Edit) -> None:
        """Append the edit's element to the root, indented like its siblings."""
        root = self.tree.getroot()
        before = root[-1] if len(root) else None
        element = etree.SubElement(root, edit.tag, {"name": edit.name})
        _set_attributes(element, edit.attributes)
        if before is None:
            root.text, element.tail = "\n  ", "\n"
        elif not (before.tail or "").strip():
            element.tail = before.tail if before.tail and "\n" in before.tail else "\n"
            before.tail = root.text if root.text and not root.text.strip() else "\n  "
        edit.element = element
        self._index(edit.tag)[_key(edit.tag, edit.name)] = element
        self.changed = True

    def update(self, element: etree._Element, edit: Edit) -> None:
        """Set and remove attributes."""
        _set_attributes(element, edit.attributes)
        edit.element = element
        if "name" in edit.attributes:
            self._indexes.clear()
        self.changed = True

    def remove(self, element: etree._Element, edit: Edit) -> None:
        """Remove an element together with its line."""
        parent = element.getparent()
        if parent is None:
            raise MetadataConsistencyError(f"{self.path}: {edit.tag} is the root element and cannot be removed")
        before = element.getprevious()
        if element.getnext() is None:
            if before is not None:
                before.tail = element.tail
            else:
                parent.text = element.tail
        parent.remove(element)
        self._indexes.clear()
        self.changed = True

    def write(self) -> Signature:
        """Replace the file and return its version; `_ChangedMeanwhileError` if it has changed since it was read."""
        return signature_of(
            write_durably(self.path, self._text().encode(self._encoding, "xmlcharrefreplace"), check=self._require_same)
        )

    def _require_same(self, target: Path) -> None:
        if signature(target) != self.signature:
            raise _ChangedMeanwhileError
        if not os.access(target, os.W_OK, effective_ids=True):
            # Renaming would succeed, but a file without write permission is protected on purpose.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _text(self) -> str:
        declaration = _DECLARATION.match(self._data.decode(self._encoding, "replace").lstrip("\ufeff"))
        head = "" if declaration is None else declaration.group().strip() + "\n"
        if self.tree.docinfo.internalDTD is not None:
            return f"{head}{etree.tostring(self.tree, encoding='unicode')}\n"
        root = self.tree.getroot()
        nodes = [*reversed(list(root.itersiblings(preceding=True))), root, *root.itersiblings()]
        return head + "".join(etree.tostring(node, encoding="unicode", with_tail=False) + "\n" for node in nodes)


def _editing_parser() -> etree.XMLParser:
    """Return a parser that keeps blank text, comments, entities and CDATA unchanged."""
    return etree.XMLParser(strip_cdata=False, resolve_entities=False, load_dtd=False, no_network=True)


class _Batch:
    """One attempt at a batch of edits; files are read on demand."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._files: dict[Path, _File] = {}

    def _file(self, path: Path) -> _File:
        if path not in self._files:
            self._files[path] = _File(path)
        return self._files[path]

    def apply(self, edit: Edit) -> None:
        """Change the file with the edit's element."""
        # This fails for characters that XML does not allow, before anything is changed.
        etree.Element(edit.tag, {"name": edit.name, **{key: text or "" for key, text in edit.attributes.items()}})
        edit.existed = False
        for path in self._paths:
            file = self._file(path)
            element = file.find(edit.tag, edit.name)
            if element is None:
                continue
            if edit.action == "remove":
                file.remove(element, edit)
            elif edit.action == "update":
                file.update(element, edit)
            else:
                edit.existed = True
            break
        else:
            file = self._file(self._paths[0])
            if edit.action != "add":
                raise MetadataConsistencyError(f"{file.path} has no {edit.tag} {edit.name}")
            file.add(edit)
        file.edits.append(edit)

    def write(self, outcome: Outcome) -> list[Edit]:
        """Write the changed files; return the edits whose file another writer has changed meanwhile."""
        again: list[Edit] = []
        for path, file in self._files.items():
            outcome.read.setdefault(path, file.signature)
            if not file.changed:
                continue
            try:
                outcome.written[path] = file.write()
            except _ChangedMeanwhileError:
                outcome.read[path] = None
                again += file.edits
            except OSError as err:
                for edit in file.edits:
                    edit.error = MetadataRuntimeError(f"{path}: cannot be written: {err.strerror}")
        return again


def _attempt(paths: Sequence[Path], edits: Iterable[Edit], outcome: Outcome) -> list[Edit]:
    """Apply the edits; return those to repeat, because a file has changed meanwhile."""
    batch = _Batch(paths)
    for edit in edits:
        try:
            batch.apply(edit)
        except MetadataError as err:
            edit.error = err
        except (ValueError, TypeError) as err:
            edit.error = MetadataConsistencyError(f"{edit.tag} {edit.name!r}: cannot be written as XML: {err}")
    return batch.write(outcome)


def apply_edits(paths: Sequence[Path], edits: Sequence[Edit]) -> Outcome:
    """Apply edits to files; the first file gets new elements.

    The caller has locked the directory. An edit that failed has an `Edit.error`; the others are durable. Blocks.
    """
    outcome = Outcome({}, {})
    left = list(edits)
    try:
        for _ in range(MAX_ATTEMPTS):
            left = _attempt(paths, left, outcome)
            if not left:
                return outcome
        error = MetadataRuntimeError(f"{paths[0]}: another writer changed this file in each of {MAX_ATTEMPTS} attempts")
    except OSError as err:
        error = MetadataRuntimeError(f"{paths[0].parent}: cannot be written: {err.strerror}")
    for edit in left:
        edit.error = error
    return outcome
