r"""GroupPatterns: groups from host names (docs: reference/plugins/grouppatterns).

``config.xml`` has ``GroupPattern`` elements: patterns, and the groups that a client gets whose name fits one of them.

* ``NamePattern`` is a regular expression that is searched in the name; ``$1``, ``$2`` … in a group stand for what its
  parentheses have found. One that took no part in the match stands for nothing.
* ``NameRange`` is text with ranges of numbers in double brackets, ``node[[1-4,9]]``; ``[[5-]]`` has no end. It fits
  from the start of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector
from geventcore.specfiles.durable import create_if_missing
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile

_RANGE = re.compile(r"\[\[([\d\-,]+)\]\]")
_REFERENCE = re.compile(r"\$(\d+)")


class Range:
    """A pattern with ranges of numbers; `ValueError` if a range is none."""

    def __init__(self, text: str) -> None:
        self._ranges = [_parse_range(match.group(1)) for match in _RANGE.finditer(text)]
        pattern = _RANGE.sub(r"(\\d+)", text)
        if "[[" in pattern:
            raise ValueError("what stands in double brackets are no numbers")
        try:
            self._pattern = re.compile(pattern)
        except re.error as err:
            raise ValueError(str(err)) from err

    def matches(self, name: str) -> bool:
        """Whether a name fits from its start, every number within its range."""
        match = self._pattern.match(name)
        if match is None or len(match.groups()) != len(self._ranges):
            return False
        return all(
            any(low <= int(digits) and (high is None or int(digits) <= high) for low, high in spans)
            for digits, spans in zip(match.groups(), self._ranges, strict=True)
        )


def _parse_range(text: str) -> list[tuple[int, int | None]]:
    """The spans of a range: ``1-4,9,12-`` is ``[(1, 4), (9, 9), (12, None)]``."""
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
        """The groups that a client of a name gets."""
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
    """A group's name with what a match has captured for ``$1``, ``$2`` …; references to more than there are stay."""

    def captured(reference: re.Match[str]) -> str:
        number = int(reference.group(1))
        if number == 0 or number > len(match.groups()):
            return reference.group(0)
        return match.group(number) or ""

    return _REFERENCE.sub(captured, group)


class GroupPatterns(Plugin, Connector):
    """Gives clients groups by their names."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        path = self.directory / "config.xml"
        create_if_missing(path, b"<GroupPatterns/>\n")
        self._groups: tuple[PatternGroup, ...] = ()
        self._file = XMLFile(path, context.file_monitor, self._load)

    def _load(self, document: XMLDocument) -> None:
        self._groups = tuple(self._read(element, document) for element in document.root.iter("GroupPattern"))
        self.context.expire_metadata()

    def _read(self, element: etree._Element, document: XMLDocument) -> PatternGroup:
        """Read one element; of its patterns, those behind a bad one do not count."""
        patterns: list[re.Pattern[str]] = []
        ranges: list[Range] = []
        for child in element.iterchildren("NamePattern", "NameRange"):
            text = (child.text or "").strip()
            try:
                if not text:
                    raise ValueError("it is empty")
                if child.tag == "NamePattern":
                    patterns.append(re.compile(text))
                else:
                    ranges.append(Range(text))
            except (re.error, ValueError) as err:
                self.log.error(
                    "%s: line %s: %s %r cannot be used, nor those behind it: %s",
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
        # A capture that found nothing may leave nothing of a name.
        return [name for group in self._groups for name in group.groups_for(metadata.hostname) if name]
