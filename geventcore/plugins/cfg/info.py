"""``info.xml``: the attributes of a file, and its access control lists.

``<FileInfo>`` holds ``Info`` elements and the conditions ``Group``, ``Client`` and ``Path`` (the requested name of the
entry), each with an optional ``negate="true"``. A nested ``FileInfo`` (from an include) is replaced by its contents.
The first ``Info`` in document order whose conditions hold is used: its attributes are copied to the entry, and so are
its ``ACL`` children, which may have their own conditions.

A file that is not a template is converted to a list of rules once, so most clients cost at most a comparison.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.handlers import CfgInfo, Info
from geventcore.specfiles.conditions import CONDITIONAL_TAGS
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmlfile import XMLDocument

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InfoCondition:
    """A ``Group``, ``Client`` or ``Path`` element."""

    tag: str
    name: str | None
    negated: bool

    @classmethod
    def of(cls, element: etree._Element) -> InfoCondition:
        return cls(element.tag, element.get("name"), element.get("negate", "false").lower() == "true")

    def holds(self, name: str, metadata: ClientMetadata) -> bool:
        if self.tag == "Group":
            holds = self.name in metadata.groups
        else:
            holds = self.name == (metadata.hostname if self.tag == "Client" else name)
        return holds != self.negated


_Conditions = tuple[InfoCondition, ...]


def _hold(conditions: _Conditions, name: str, metadata: ClientMetadata) -> bool:
    return all(condition.holds(name, metadata) for condition in conditions)


def _contents(parent: etree._Element, conditions: _Conditions = ()) -> Iterator[tuple[_Conditions, etree._Element]]:
    """Yield the elements below an element in document order, each with the conditions around it."""
    for child in parent.iterchildren(etree.Element):
        if child.tag in CONDITIONAL_TAGS or child.tag == "Path":
            yield from _contents(child, (*conditions, InfoCondition.of(child)))
        elif child.tag == "FileInfo":
            yield from _contents(child, conditions)
        else:
            yield conditions, child


def info_elements(root: etree._Element) -> Iterator[tuple[_Conditions, etree._Element]]:
    """Yield the ``Info`` elements of a file in document order, each with the conditions around it."""
    return _contents(root)


def _attributes(element: etree._Element) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in element.items())


@dataclass(frozen=True)
class _Rule:
    """One ``Info`` element, with its conditions."""

    conditions: _Conditions
    info: Info
    acls: tuple[tuple[_Conditions, etree._Element], ...]

    @classmethod
    def of(cls, conditions: _Conditions, element: etree._Element) -> _Rule:
        acls = tuple(item for item in _contents(element) if item[1].tag == "ACL")
        conditional = any(under for under, _ in acls)
        info = Info(_attributes(element), () if conditional else tuple(acl for _, acl in acls))
        return cls(conditions, info, acls if conditional else ())

    def info_for(self, name: str, metadata: ClientMetadata) -> Info:
        if not self.acls:
            return self.info
        acls = tuple(acl for conditions, acl in self.acls if _hold(conditions, name, metadata))
        return Info(self.info.attributes, acls)


class _Rules:
    """The rules of a file."""

    def __init__(self, root: etree._Element) -> None:
        self._rules = [_Rule.of(conditions, element) for conditions, element in _contents(root)]
        first = self._rules[0] if self._rules else None
        self.unconditional = first.info if first and not first.conditions and not first.acls else None
        self.has_several_for_all = sum(not rule.conditions for rule in self._rules) > 1

    def find(self, name: str, metadata: ClientMetadata) -> tuple[Info | None, bool]:
        """Return the first matching rule's result, and true if other rules match, too."""
        fitting = (rule for rule in self._rules if _hold(rule.conditions, name, metadata))
        first = next(fitting, None)
        if first is None:
            return None, False
        return first.info_for(name, metadata), next(fitting, None) is not None


class InfoXML(CfgInfo):
    """``info.xml``."""

    basenames = ("info.xml",)
    is_specific = False
    priority = 0

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._file = StructFile(path, context, monitor_self=False)
        self._rules: _Rules | None = None
        self._document: XMLDocument | None = None
        self._reported = False

    @property
    def file(self) -> StructFile:
        """The structured file."""
        return self._file

    def handle_event(self, event: FileEvent) -> None:
        self._file.handle_event(event)
        self._refresh()

    @property
    def info_for_all(self) -> Info | None:
        self._refresh()
        return self._rules.unconditional if self._rules is not None else None

    def info_for(self, name: str, metadata: ClientMetadata) -> Info | None:
        self._refresh()
        # A template has rules for each client. Without a valid version of the file this raises.
        rules = self._rules or _Rules(self._file.struct(metadata).root)
        info, has_more = rules.find(name, metadata)
        if has_more:
            self._report_several(metadata.hostname)
        return info

    def _refresh(self) -> None:
        """Convert the current version of the file to rules, after a change of the file or of an include."""
        document = self._file.document
        if document is self._document or document is None:
            return
        self._document, self._rules, self._reported = document, None, False
        if not self._file.is_template:
            self._rules = _Rules(document.root)
            if self._rules.has_several_for_all:
                self._report_several("all clients")

    def _report_several(self, whom: str) -> None:
        if not self._reported:
            self._reported = True
            log.warning("%s: several Info elements apply to %s; using the first", self.path, whom)
