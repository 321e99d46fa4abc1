"""A directory of XML files with priorities, from which entries are completed: the base of Rules and Defaults.

Each file's root has an integer ``priority``. A *candidate* for an entry is an element, anywhere in a file, with the
same tag and a matching name, whose conditions the client meets. The candidate in the file with the highest priority is
used. Two candidates with the same priority are a conflict, unless they say the same (docs: reference/plugins/rules).

Files are indexed when they are loaded, so the cost of a lookup does not depend on the number of candidates.
"""

from __future__ import annotations

import copy
import functools
import logging
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import UNCHANGED, ForEveryClient
from geventcore.specfiles.conditions import CONDITIONAL_TAGS, condition_holds, is_conditional
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.structfile import StructFile, xml_match_in_place

log = logging.getLogger(__name__)

#: The priority of a file without a ``priority``.
NO_PRIORITY = -1
#: The number of names for which an index remembers the candidates; it forgets all when there are more.
MAX_NAMES = 50_000
_REFERENCE = re.compile(r"%(?:%|\{(\w+)\}|(\w+))")


@dataclass(frozen=True, eq=False)
class Candidate:
    """An element that may complete entries.

    Attributes:
        element: the element in the file.
        conditions: the conditional elements around it.
        priority: the priority of its file.
        pattern: if names are regular expressions, the pattern for the start of an entry's name.
        path: its file.
        is_lasting: true if it is the same object for every client, until a file changes.
    """

    element: etree._Element
    conditions: tuple[etree._Element, ...]
    priority: int
    pattern: re.Pattern[str] | None
    path: Path
    is_lasting: bool

    def applies(self, metadata: ClientMetadata) -> bool:
        """Return true if a client meets all conditions around the element."""
        return all(condition_holds(condition, metadata) for condition in self.conditions)

    @functools.cached_property
    def is_conditional(self) -> bool:
        """Return true if there are conditions inside of the element."""
        return bool(len(self.element)) and next(self.element.iter(*CONDITIONAL_TAGS), None) is not None

    @property
    def place(self) -> str:
        """The file, and the line of the element unless a template has made it."""
        line = self.element.sourceline if self.is_lasting else None
        return f"{self.path}: line {line}" if line else str(self.path)

    def content(self, metadata: ClientMetadata) -> etree._Element:
        """Return the element with its inner conditions resolved for a client. It must not be changed."""
        if not self.is_conditional:
            return self.element
        element = copy.deepcopy(self.element)
        xml_match_in_place(element, metadata)
        return element


def _plain_name(tag: str, name: str) -> str:
    # Trailing slashes of a path do not matter.
    return name.rstrip("/") if tag == "Path" and len(name) > 1 else name


class Index:
    """An index of candidates by tag and name; candidates with patterns are indexed by tag alone."""

    def __init__(self, regular_expressions: bool, nested: bool = True, is_lasting: bool = True) -> None:
        """Create an empty index.

        `regular_expressions`: names are patterns. `nested`: elements inside other entries are candidates, too.
        `is_lasting`: the index is for all clients.
        """
        self._is_lasting = is_lasting
        self.regular_expressions = regular_expressions
        self._nested = nested
        self._by_name: dict[tuple[str, str], list[Candidate]] = {}
        self._patterns: dict[str, list[Candidate]] = {}
        self._named: dict[tuple[str, str], tuple[Candidate, ...]] = {}

    def add(self, root: etree._Element, priority: int, where: Path) -> None:
        """Add all elements below the root of file `where`."""
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

    def named(self, tag: str, name: str) -> tuple[Candidate, ...]:
        """Return the candidates whose names match an entry's, for any client."""
        found = self._named.get((tag, name))
        if found is None:
            exact = self._by_name.get((tag, _plain_name(tag, name)), ())
            matching = (
                candidate
                for candidate in self._patterns.get(tag, ())
                if candidate.pattern is not None and candidate not in exact and candidate.pattern.match(name)
            )
            if len(self._named) >= MAX_NAMES:
                self._named.clear()
            found = self._named[(tag, name)] = (*exact, *matching)
        return found

    def only_candidate(self, tag: str, name: str) -> Candidate | None:
        """Return the candidate for an entry if it is the only one and unconditional; else None."""
        found = self.named(tag, name)
        return found[0] if len(found) == 1 and not found[0].conditions else None

    def find(self, tag: str, name: str, metadata: ClientMetadata) -> list[Candidate]:
        """Return the candidates for an entry that apply to a client."""
        return [candidate for candidate in self.named(tag, name) if candidate.applies(metadata)]


class PriorityFile(StructFile):
    """One file with a priority."""

    @property
    def priority(self) -> int:
        """The root's priority; `NO_PRIORITY` if it is missing or invalid."""
        try:
            return int(self.root.get("priority", ""))
        except ValueError:
            return NO_PRIORITY

    def load(self) -> None:
        """Load the file; log an error if it has no priority."""
        super().load()
        try:
            int(self.root.get("priority", ""))
        except ValueError:
            log.error("%s: the root element has no integer priority; using %d", self.path, NO_PRIORITY)

    def template_index(self, metadata: ClientMetadata, regular_expressions: bool, nested: bool) -> Index:
        """Return the index of a template rendered for a client; `RepositoryError` if rendering fails."""
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
        """Watch `directory`. With `nested`, elements inside other entries are candidates, too."""
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
        """The unconditional elements directly below a root: tag -> names."""
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
        """Return the candidates for an entry. A template that cannot be rendered for this client gives none."""
        return self._candidates(entry.tag, entry.get("name", ""), metadata)

    def _candidates(self, tag: str, name: str, metadata: ClientMetadata) -> list[Candidate]:
        found = self._static_index().find(tag, name, metadata)
        for file in self._templates:
            try:
                index = file.template_index(metadata, self.regular_expressions, self._nested)
            except GeventcoreError as err:
                log.error("%s: %s", metadata.hostname, err)
                continue
            found += index.find(tag, name, metadata)
        return found

    def all_candidates(
        self, entry: etree._Element, metadata: ClientMetadata
    ) -> Iterator[tuple[PriorityFile, Candidate]]:
        """Yield the candidates for an entry with their files, also those whose conditions do not hold."""
        tag, name = entry.tag, entry.get("name", "")
        by_path = {file.path: file for file in self._files}
        for candidate in self._static_index().named(tag, name):
            yield by_path[candidate.path], candidate
        for file in self._templates:
            try:
                index = file.template_index(metadata, self.regular_expressions, self._nested)
            except GeventcoreError:
                continue
            for candidate in index.named(tag, name):
                yield file, candidate

    def best(self, entry: etree._Element, metadata: ClientMetadata) -> Candidate | None:
        """Return the candidate with the highest priority, or None; `PluginExecutionError` if there are several."""
        return self._best(entry.tag, entry.get("name", ""), metadata)

    def _best(self, tag: str, name: str, metadata: ClientMetadata) -> Candidate | None:
        only = self._static_index().only_candidate(tag, name)
        if only is not None and not self._templates:
            return only
        found = self._candidates(tag, name, metadata)
        if not found:
            return None
        best = max(candidate.priority for candidate in found)
        chosen = [candidate for candidate in found if candidate.priority == best]
        if len(chosen) > 1 and len({_meaning(candidate.content(metadata)) for candidate in chosen}) > 1:
            places = " and ".join(dict.fromkeys(candidate.place for candidate in chosen))
            raise PluginExecutionError(
                f"{len(chosen)} rules of priority {best} for {tag}:{name}, host {metadata.hostname}, in {places}"
            )
        return chosen[0]

    def key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """Return the candidate that `complete` would use, as a cache key.

        None if there is no candidate, or if the candidate is for this client alone.
        """
        only = self._static_index().only_candidate(entry.tag, entry.get("name", ""))
        if only is not None and not self._templates and not only.is_conditional:
            return ForEveryClient(only)
        candidate = self.best(entry, metadata)
        return candidate if candidate is not None and candidate.is_lasting and not candidate.is_conditional else None

    def choice(self, tag: str, name: str, metadata: ClientMetadata) -> Hashable | None:
        """Return the candidate for an entry as a cache key, or `UNCHANGED` if there is none for any client.

        None if the candidate is for this client alone; `PluginExecutionError` if there are several.
        """
        named = self._static_index().named(tag, name)
        if not self._templates:
            if not named:
                return UNCHANGED
            if len(named) == 1 and not named[0].conditions and not named[0].is_conditional:
                return ForEveryClient(named[0])
        candidate = self._best(tag, name, metadata)
        if candidate is None:
            return "no candidate"
        return candidate if candidate.is_lasting and not candidate.is_conditional else None

    def complete(self, entry: etree._Element, metadata: ClientMetadata, replace_name: bool) -> None:
        """Complete an entry from its best candidate; `PluginExecutionError` if there is none, or a conflict."""
        candidate = self.best(entry, metadata)
        if candidate is None:
            raise PluginExecutionError(f"no rule for {entry.tag}:{entry.get('name')}")
        apply(candidate.content(metadata), entry, replace_name)


def _meaning(element: etree._Element) -> tuple[Hashable, ...]:
    """Return what an element gives an entry: equal for elements that say the same."""
    attributes = sorted((str(name), str(value)) for name, value in element.attrib.items() if name != "name")
    children = tuple(etree.tostring(child, method="c14n", with_tail=False) for child in element)
    return (tuple(attributes), (element.text or "").strip(), children)


def apply(source: etree._Element, entry: etree._Element, replace_name: bool) -> None:
    """Copy text, children and missing attributes from `source` to an entry."""
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
    """Replace ``%{name}`` and ``%name`` by the entry's name and ``%%`` by ``%``; keep other references."""

    def replacement(match: re.Match[str]) -> str:
        if match.group(0) == "%%":
            return "%"
        return entry.get("name", "") if "name" in match.groups() else match.group(0)

    return _REFERENCE.sub(replacement, text)
