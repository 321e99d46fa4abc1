r"""GroupPatterns: groups from host names (docs: reference/plugins/grouppatterns).

``config.xml`` has ``GroupPattern`` elements: patterns, and the groups of a client whose name matches one of them.

* ``NamePattern`` is a regular expression that is searched in the name. ``$1``, ``$2`` … in a group are replaced by its
  captures; a capture that took no part in the match is empty.
* ``NameRange`` is text with ranges of numbers in double brackets, ``node[[1-4,9]]``; ``[[5-]]`` has no end. It must
  match from the start of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from lxml import etree

from geventcore.filemonitor import NOTHING
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, GroupReason, Source
from geventcore.plugin.interfaces import Connector
from geventcore.repository.durable_writes import create_if_missing
from geventcore.specfiles.places import DocumentPlaces
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile

_RANGE = re.compile(r"\[\[([\d\-,]+)\]\]")
_REFERENCE = re.compile(r"\$(\d+)")


class Range:
    """A pattern with ranges of numbers; `ValueError` if a range is invalid."""

    def __init__(self, text: str) -> None:
        self._ranges = [_parse_range(match.group(1)) for match in _RANGE.finditer(text)]
        pattern = _RANGE.sub(r"(\\d+)", text)
        if "[[" in pattern:
            raise ValueError("the text in double brackets is not a range of numbers")
        try:
            self._pattern = re.compile(pattern)
        except re.error as err:
            raise ValueError(str(err)) from err

    def matches(self, name: str) -> bool:
        """Return true if the start of a name matches, with every number within its range."""
        match = self._pattern.match(name)
        if match is None or len(match.groups()) != len(self._ranges):
            return False
        return all(
            any(low <= int(digits) and (high is None or int(digits) <= high) for low, high in spans)
            for digits, spans in zip(match.groups(), self._ranges, strict=True)
        )


def _parse_range(text: str) -> list[tuple[int, int | None]]:
    """Parse a range: ``1-4,9,12-`` is ``[(1, 4), (9, 9), (12, None)]``."""
    spans: list[tuple[int, int | None]] = []
    for part in text.split(","):
        low, dash, high = part.partition("-")
        spans.append((int(low), int(high) if high else None) if dash else (int(low), int(low)))
    return spans


@dataclass(frozen=True)
class PatternGroup:
    """One ``GroupPattern``."""

    patterns: tuple[re.Pattern[str], ...]
    ranges: tuple[Range, ...]
    groups: tuple[str, ...]

    def groups_for(self, name: str) -> list[str]:
        """Return the groups of the client `name`."""
        found = []
        for pattern in self.patterns:
            match = pattern.search(name)
            if match is not None:
                found += [fill_in_captures(group, match) for group in self.groups]
        for each in self.ranges:
            if each.matches(name):
                found += self.groups
        return found


def fill_in_captures(group: str, match: re.Match[str]) -> str:
    """Replace ``$1``, ``$2`` … in a group's name by the captures of a match; keep references to missing captures."""

    def captured(reference: re.Match[str]) -> str:
        number = int(reference.group(1))
        if number == 0 or number > len(match.groups()):
            return reference.group(0)
        return match.group(number) or ""

    return _REFERENCE.sub(captured, group)


class GroupPatterns(Plugin, Connector, Explaining):
    """A plugin that adds groups depending on a client's name."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        path = self.directory / "config.xml"
        create_if_missing(path, b"<GroupPatterns/>\n", context.read_only)
        self._groups: tuple[PatternGroup, ...] = ()
        self._file = XMLFile(path, context.file_monitor, self._load)
        # Groups are a part of metadata.
        self._file.effect = NOTHING

    def _load(self, document: XMLDocument) -> None:
        self._groups = tuple(self._read(element, document) for element in document.root.iter("GroupPattern"))
        self.context.expire_metadata()

    def _read(self, element: etree._Element, document: XMLDocument) -> PatternGroup:
        """Read one element; ignore its patterns from the first invalid one on."""
        patterns: list[re.Pattern[str]] = []
        ranges: list[Range] = []
        for child in element.iterchildren("NamePattern", "NameRange"):
            text = (child.text or "").strip()
            try:
                if not text:
                    raise ValueError("the pattern is empty")
                if child.tag == "NamePattern":
                    patterns.append(re.compile(text))
                else:
                    ranges.append(Range(text))
            except (re.error, ValueError) as err:
                self.log.error(
                    "%s: line %s: ignoring %s %r and the patterns after it: %s",
                    document.path,
                    child.sourceline,
                    child.tag,
                    text,
                    err,
                )
                break
        groups = tuple((group.text or "").strip() for group in element.iterchildren("Group"))
        return PatternGroup(tuple(patterns), tuple(ranges), tuple(group for group in groups if group))

    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        """See `Connector`."""
        # An empty capture may make the group's name empty.
        return [name for group in self._groups for name in group.groups_for(metadata.hostname) if name]

    def explain_groups(self, metadata: ClientMetadata) -> Mapping[str, Sequence[GroupReason]]:
        """See `Explaining`: the patterns that the client's name matches."""
        document = self._file.document
        if document is None:
            return {}
        places = DocumentPlaces(document)
        found: dict[str, list[GroupReason]] = {}
        for element, group in zip(document.root.iter("GroupPattern"), self._groups, strict=True):
            file, line = places.of(element)
            words = ", ".join(
                f"{child.tag} {(child.text or '').strip()}"
                for child in element.iterchildren("NamePattern", "NameRange")
            )
            for name in group.groups_for(metadata.hostname):
                found.setdefault(name, []).append(GroupReason(Source(self.name, "element", file, line, words)))
        return found
