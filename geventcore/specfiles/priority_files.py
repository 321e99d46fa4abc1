"""A directory of XML files with priorities, from which entries are completed: what Rules and Defaults are made of.

Each file's root has an integer ``priority``. A *candidate* for an entry is an element of the same tag whose name fits,
anywhere in a file, whose conditions the client meets. The candidate in the file with the highest priority is used; two
candidates of one priority are a conflict (docs: reference/plugins/rules).

Files are indexed when they are loaded, so that a lookup costs the same however many candidates there are.
"""

from __future__ import annotations

import copy
import functools
import logging
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ForEveryClient
from geventcore.specfiles.conditions import CONDITIONAL_TAGS, condition_holds, is_conditional
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.structfile import StructFile, xml_match_in_place

log = logging.getLogger(__name__)

#: The priority of a file that has none.
NO_PRIORITY = -1
_REFERENCE = re.compile(r"%(?:%|\{(\w+)\}|(\w+))")


@dataclass(frozen=True, eq=False)
class Candidate:
    """An element that may complete entries.

    Attributes:
        element: as it stands in the file.
        conditions: the conditional elements around it.
        priority: that of its file.
        pattern: matches the names of entries from their start, if names are regular expressions.
        path: its file.
        is_lasting: whether it is the same object for every client, until a file changes.
    """

    element: etree._Element
    conditions: tuple[etree._Element, ...]
    priority: int
    pattern: re.Pattern[str] | None
    path: Path
    is_lasting: bool

    def applies(self, metadata: ClientMetadata) -> bool:
        """Whether a client meets all its conditions."""
        return all(condition_holds(condition, metadata) for condition in self.conditions)

    @functools.cached_property
    def is_conditional(self) -> bool:
        """Whether there are conditions inside of the element."""
        return bool(len(self.element)) and next(self.element.iter(*CONDITIONAL_TAGS), None) is not None

    def content(self, metadata: ClientMetadata) -> etree._Element:
        """The element as it is for a client; not to be changed."""
        if not self.is_conditional:
            return self.element
        element = copy.deepcopy(self.element)
        xml_match_in_place(element, metadata)
        return element


def _plain_name(tag: str, name: str) -> str:
    # A path is the same with and without slashes at its end.
    return name.rstrip("/") if tag == "Path" and len(name) > 1 else name


class Index:
    """Candidates by tag and name; those with patterns by tag alone."""

    def __init__(self, regular_expressions: bool, nested: bool = True, is_lasting: bool = True) -> None:
        """`regular_expressions`: whether names are patterns; `nested`: whether elements inside others count;
        `is_lasting`: whether the index is for all clients."""
        self._is_lasting = is_lasting
        self.regular_expressions = regular_expressions
        self._nested = nested
        self._by_name: dict[tuple[str, str], list[Candidate]] = {}
        self._patterns: dict[str, list[Candidate]] = {}

    def add(self, root: etree._Element, priority: int, where: Path) -> None:
        """Add everything below the root of file `where`."""
        self._add_children(root, (), priority, where)

    def _add_children(
        self, parent: etree._Element, conditions: tuple[etree._Element, ...], priority: int, where: Path
    ) -> None:
        for element in parent:
            if is_conditional(element):
                self._add_children(element, (*conditions, element), priority, where)
                continue
            if element.get("name") is not None:
                pattern = self._pattern(element, where)
                self._add(Candidate(element, conditions, priority, pattern, where, self._is_lasting))
            if len(element) and self._nested:
                self._add_children(element, conditions, priority, where)

    def _pattern(self, element: etree._Element, where: Path) -> re.Pattern[str] | None:
        name = element.get("name", "")
        if not self.regular_expressions or re.escape(name) == name:
            return None
        try:
            return re.compile(f"{name}$")
        except re.error as err:
            log.error("%s: line %s: %r is not a regular expression: %s", where, element.sourceline, name, err)
            return None

    def _add(self, candidate: Candidate) -> None:
        tag = candidate.element.tag
        name = candidate.element.get("name", "")
        self._by_name.setdefault((tag, _plain_name(tag, name)), []).append(candidate)
        if candidate.pattern is not None:
            self._patterns.setdefault(tag, []).append(candidate)

    def only_candidate(self, tag: str, name: str) -> Candidate | None:
        """The candidate for an entry if there is just one, for every client alike."""
        found = self._by_name.get((tag, _plain_name(tag, name)), ())
        if len(found) != 1 or tag in self._patterns or found[0].conditions:
            return None
        return found[0]

    def find(self, tag: str, name: str, metadata: ClientMetadata) -> list[Candidate]:
        """The candidates for an entry that apply to a client."""
        exact = self._by_name.get((tag, _plain_name(tag, name)), ())
        found = [candidate for candidate in exact if candidate.applies(metadata)]
        for candidate in self._patterns.get(tag, ()):
            if (
                candidate.pattern is not None
                and candidate not in exact
                and candidate.pattern.match(name)
                and candidate.applies(metadata)
            ):
                found.append(candidate)
        return found


class PriorityFile(StructFile):
    """One file."""

    @property
    def priority(self) -> int:
        """The root's priority; `NO_PRIORITY` if it has no usable one."""
        try:
            return int(self.root.get("priority", ""))
        except ValueError:
            return NO_PRIORITY

    def load(self) -> None:
        """Load the file, and say so if it has no priority."""
        super().load()
        try:
            int(self.root.get("priority", ""))
        except ValueError:
            log.error("%s: the root needs an integer priority; %d is used", self.path, NO_PRIORITY)

    def template_index(self, metadata: ClientMetadata, regular_expressions: bool, nested: bool) -> Index:
        """The candidates of a template for a client; `RepositoryError` if it cannot be rendered."""
        struct = self.struct(metadata)
        key = (PriorityFile, struct)
        index: Index | None = metadata.scratch.get(key)
        if index is None:
            index = metadata.scratch[key] = Index(regular_expressions, nested, is_lasting=False)
            index.add(struct.root, self.priority, self.path)
        return index


class PriorityFiles:
    """All files of a directory, and the completion of entries from them."""

    def __init__(self, directory: Path, context: PluginContext, nested: bool = True) -> None:
        """`nested`: whether elements inside other entries count as candidates, too."""
        self.regular_expressions = False
        self._nested = nested
        self._names: Mapping[str, tuple[str, ...]] | None = None
        self._index: Index | None = None
        self._directory: Directory[PriorityFile] = Directory(
            directory,
            context.file_monitor,
            lambda path: PriorityFile(path, context, monitor_self=False),
            re.compile(r".*\.xml"),
            ignore=re.compile(r".*(?<!\.xml)"),
            on_change=self._changed,
        )
        self._templates: list[PriorityFile] = []

    def _changed(self) -> None:
        self._names = self._index = None

    @property
    def _files(self) -> list[PriorityFile]:
        return [file for file in self._directory.children.values() if file.document is not None]

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Tag -> names of the elements that stand outside of conditions, directly below a root."""
        if self._names is None:
            table: dict[str, dict[str, None]] = {}
            for file in self._files:
                for element in file.root.iterchildren(tag=etree.Element):
                    if not is_conditional(element):
                        table.setdefault(element.tag, {})[element.get("name", "")] = None
            self._names = {tag: tuple(names) for tag, names in table.items()}
        return self._names

    def _static_index(self) -> Index:
        index = self._index
        if index is None or index.regular_expressions != self.regular_expressions:
            index = Index(self.regular_expressions, self._nested)
            self._templates = []
            for file in self._files:
                if file.static is None:
                    self._templates.append(file)
                else:
                    index.add(file.static.root, file.priority, file.path)
            self._index = index
        return index

    def candidates(self, entry: etree._Element, metadata: ClientMetadata) -> list[Candidate]:
        """The candidates for an entry; a template that cannot be rendered for this client has none."""
        tag, name = entry.tag, entry.get("name", "")
        found = self._static_index().find(tag, name, metadata)
        for file in self._templates:
            try:
                index = file.template_index(metadata, self.regular_expressions, self._nested)
            except GeventcoreError as err:
                log.error("%s: %s", metadata.hostname, err)
                continue
            found += index.find(tag, name, metadata)
        return found

    def best(self, entry: etree._Element, metadata: ClientMetadata) -> Candidate | None:
        """The candidate of the highest priority, or None; `PluginExecutionError` if there are several."""
        only = self._static_index().only_candidate(entry.tag, entry.get("name", ""))
        if only is not None and not self._templates:
            return only
        found = self.candidates(entry, metadata)
        if not found:
            return None
        best = max(candidate.priority for candidate in found)
        chosen = [candidate for candidate in found if candidate.priority == best]
        if len(chosen) > 1:
            files = ", ".join(dict.fromkeys(str(candidate.path) for candidate in chosen))
            raise PluginExecutionError(
                f"{len(chosen)} rules of priority {best} for {entry.tag}:{entry.get('name')}, "
                f"host {metadata.hostname}, in {files}"
            )
        return chosen[0]

    def key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """What `complete` would take; None if that is made for this client alone, or there is nothing to take."""
        only = self._static_index().only_candidate(entry.tag, entry.get("name", ""))
        if only is not None and not self._templates and not only.is_conditional:
            return ForEveryClient(only)
        candidate = self.best(entry, metadata)
        return candidate if candidate is not None and candidate.is_lasting and not candidate.is_conditional else None

    def complete(self, entry: etree._Element, metadata: ClientMetadata, replace_name: bool) -> None:
        """Complete an entry from its best candidate; `PluginExecutionError` if there is none, or a conflict."""
        candidate = self.best(entry, metadata)
        if candidate is None:
            raise PluginExecutionError(f"no rule for {entry.tag}:{entry.get('name')}")
        apply(candidate.content(metadata), entry, replace_name)


def apply(source: etree._Element, entry: etree._Element, replace_name: bool) -> None:
    """Copy text, children and the attributes that the entry does not have yet."""
    if source.text and source.text.strip():
        entry.text = source.text
    for child in source:
        entry.append(copy.deepcopy(child))
    present = set(entry.keys())
    for name, value in source.attrib.items():
        if name not in present:
            text = str(value)
            entry.set(name, fill_in_name(text, entry) if replace_name and "%" in text else text)


def fill_in_name(text: str, entry: etree._Element) -> str:
    """Replace ``%{name}`` and ``%name`` by the entry's name and ``%%`` by ``%``; other references stay."""

    def replacement(match: re.Match[str]) -> str:
        if match.group(0) == "%%":
            return "%"
        return entry.get("name", "") if "name" in match.groups() else match.group(0)

    return _REFERENCE.sub(replacement, text)
