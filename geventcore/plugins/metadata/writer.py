"""Changing the files of the metadata: edits that are applied to the text of a file, and written so that none is lost.

An `Edit` adds, changes or removes one named element. `apply_edits` takes many, changes each in the file that holds its
element (the file itself or one that it includes) and writes each file once. Includes, comments, unknown attributes and
blank lines stay; only white space inside a tag may change.

A file is read anew for every batch, and replaced only if it is still what was read, so an administrator's change is
never overwritten. Processes that write at the same time take turns.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lxml import etree

from geventcore.errors import MetadataConsistencyError, MetadataError, MetadataRuntimeError
from geventcore.specfiles.durable import sync_directory, write_durably
from geventcore.specfiles.xmlfile import Signature, signature

#: How often a batch is begun again because somebody else changed a file meanwhile.
MAX_ATTEMPTS = 20

_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")


@dataclass(eq=False)
class Edit:
    """One wanted change, and what came of it.

    Attributes:
        action: ``add`` an element unless there is one of that name, ``update`` attributes, ``remove`` the element.
        tag, name: the element.
        attributes: name -> new value, or None to take the attribute away.
        error: why it was not done, or None.
        existed: for ``add``: there was one already, and nothing was changed.
        element: the element as it is now, in a tree that nobody uses any more.
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
    """What a batch did.

    Attributes:
        read: the versions of the files that edits were applied to.
        written: the versions that they have now.
    """

    read: dict[Path, Signature]
    written: dict[Path, Signature]


class _ChangedMeanwhileError(Exception):
    """Somebody else replaced the file after it was read."""


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
    """What names are compared by: those of clients in lower case."""
    return name.lower() if tag == "Client" else name


class _File:
    """One file as it was read, to be edited.

    Attributes:
        edits: those whose success depends on this file being written, if it is `changed`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signature = signature(path)
        try:
            self._data = path.read_bytes()
            self.tree = etree.ElementTree(etree.fromstring(self._data, _editing_parser()))
            self._encoding = codecs.lookup(self.tree.docinfo.encoding or "UTF-8").name
        except OSError as err:
            raise MetadataRuntimeError(f"{path}: cannot read this file: {err.strerror}") from err
        except etree.XMLSyntaxError as err:
            raise MetadataRuntimeError(f"{path}: cannot be changed, as it is not well-formed: {err.msg}") from err
        except LookupError as err:
            raise MetadataRuntimeError(f"{path}: cannot be changed: {err}") from err
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
        """The first element of that tag and name; a group's declaration comes before its mentions in other groups."""
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
        """Set and take away attributes."""
        _set_attributes(element, edit.attributes)
        edit.element = element
        if "name" in edit.attributes:
            self._indexes.clear()
        self.changed = True

    def remove(self, element: etree._Element, edit: Edit) -> None:
        """Take an element out with the line that it stood on."""
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
        """Replace the file; the version that it has then. `_ChangedMeanwhileError` if it is not what was read."""
        return _replace_unless_changed(
            self.path, self._text().encode(self._encoding, "xmlcharrefreplace"), self.signature
        )

    def _text(self) -> str:
        declaration = _DECLARATION.match(self._data.decode(self._encoding, "replace").lstrip("\ufeff"))
        head = "" if declaration is None else declaration.group().strip() + "\n"
        if self.tree.docinfo.internalDTD is not None:
            return f"{head}{etree.tostring(self.tree, encoding='unicode')}\n"
        root = self.tree.getroot()
        nodes = [*reversed(list(root.itersiblings(preceding=True))), root, *root.itersiblings()]
        return head + "".join(etree.tostring(node, encoding="unicode", with_tail=False) + "\n" for node in nodes)


def _editing_parser() -> etree.XMLParser:
    """A parser that keeps everything as it stands: blank text, comments, entities, CDATA."""
    return etree.XMLParser(strip_cdata=False, resolve_entities=False, load_dtd=False, no_network=True)


def _replace_unless_changed(path: Path, data: bytes, expected: Signature) -> Signature:
    """Replace a file durably if it still has that version; returns the new one.

    All the slow work is done on a file beside it, so that only an instant lies between the last look and the renaming.
    """
    target = Path(os.path.realpath(path))
    if not os.access(target, os.W_OK, effective_ids=True):
        # Renaming would not mind, but who took the right to write away had a reason.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    staged = target.with_name(f".{target.name}.{secrets.token_hex(6)}.new")
    old = os.stat(target)
    os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        # An ordinary user may not give files away; the content matters more than the owner.
        with contextlib.suppress(PermissionError):
            os.chown(staged, old.st_uid, old.st_gid)
        os.chmod(staged, old.st_mode & 0o7777)
        write_durably(staged, data)
        written = signature(staged)
        if signature(target) != expected:
            raise _ChangedMeanwhileError
        os.replace(staged, target)
    except BaseException:
        os.unlink(staged)
        raise
    sync_directory(target.parent)
    return written


class _Batch:
    """One attempt at edits; files are read when they are needed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._files: dict[Path, _File] = {}

    def _file(self, path: Path) -> _File:
        if path not in self._files:
            self._files[path] = _File(path)
        return self._files[path]

    def apply(self, edit: Edit) -> None:
        """Change the file that holds the edit's element."""
        # Fails for what XML cannot hold, while nothing is changed yet.
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
        """Write what was changed; returns the edits whose file has been changed meanwhile."""
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
    """Do the edits; returns those that must be done again because a file has changed meanwhile."""
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
    """Change files, the first of which is the one that new elements go to.

    The caller has locked the directory. What could not be done says so in `Edit.error`; what has no error is durable.
    Blocks.
    """
    outcome = Outcome({}, {})
    left = list(edits)
    try:
        for _ in range(MAX_ATTEMPTS):
            left = _attempt(paths, left, outcome)
            if not left:
                return outcome
        error = MetadataRuntimeError(f"{paths[0]}: somebody else keeps changing this file")
    except OSError as err:
        error = MetadataRuntimeError(f"{paths[0].parent}: cannot be written: {err.strerror}")
    for edit in left:
        edit.error = error
    return outcome
