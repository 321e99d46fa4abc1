"""The groups in ``groups.xml``, and the groups and bundles that they imply for a client.

A `GroupTable` is one version of the file and immutable. When a connector declares a group (`GroupTable.with_dynamic`),
a new table replaces it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

from geventcore.plugin.client_metadata import MetadataGroup
from geventcore.plugins.metadata.resolution import Membership, Resolution
from geventcore.plugins.metadata.rules import RuleSet, is_inside

log = logging.getLogger(__name__)

#: The limit on cached results. Clients of one profile share a result, unless rules name them.
_RESOLUTION_LIMIT = 2000
#: A result for more groups is not cached: probes choose the names, and a name takes memory.
_RESOLUTION_GROUPS = 500


@dataclass(frozen=True)
class DynamicGroup:
    """A group that the connector `source` declares."""

    group: MetadataGroup
    source: str


@dataclass(frozen=True, eq=False)
class GroupTable:
    """One version of the groups.

    Attributes:
        declared: name -> group, for the groups in the file. A group that occurs only in rules is declared by them.
        dynamic: name -> group, for the groups of connectors.
        default: the profile of clients without another one, or None.
        rules: the rules that derive groups from others.
        children: group -> the groups directly below it in the file, in document order.
    """

    declared: Mapping[str, MetadataGroup] = field(default_factory=dict)
    dynamic: Mapping[str, DynamicGroup] = field(default_factory=dict)
    default: str | None = None
    rules: RuleSet = field(default_factory=RuleSet)
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _resolutions: dict[object, Resolution] = field(init=False, repr=False, default_factory=dict)

    @classmethod
    def of_root(cls, root: etree._Element, file: str) -> GroupTable:
        """Build a table from the root of ``groups.xml``, includes resolved. Log and skip invalid elements."""
        declared, default = _declarations(root, file)
        rules = RuleSet.of_root(root, file)
        for name in sorted(rules.groups - declared.keys()):
            declared[name] = MetadataGroup(name)
        return cls(declared=declared, default=default, rules=rules, children=_children(root))

    def get(self, name: str) -> MetadataGroup | None:
        """Return the declaration of a group, or None."""
        found = self.declared.get(name)
        if found is None and name in self.dynamic:
            return self.dynamic[name].group
        return found

    def category_of(self, name: str) -> str | None:
        """Return the group's category, or None."""
        group = self.get(name)
        return (group.category or None) if group is not None else None

    def is_profile(self, name: str) -> bool:
        """Return true if the group may be a profile."""
        group = self.get(name)
        return group is not None and group.is_profile

    def in_category(self, category: str) -> set[str]:
        """Return the names of the category's groups."""
        return {name for name in (*self.declared, *self.dynamic) if self.category_of(name) == category}

    def bundles_of(self, groups: Iterable[str]) -> frozenset[str]:
        """Return the bundles of all these groups."""
        declared = filter(None, map(self.get, groups))
        return frozenset().union(*(group.bundles for group in declared))

    def resolve(self, client: str, membership: Membership) -> Resolution:
        """Apply the rules to a client's groups, and return the resulting groups and bundles."""
        named = client if client in self.rules.clients else None
        key = (
            named,
            frozenset(membership.groups),
            frozenset(membership.categories.items()),
            tuple(membership.suppressed),
        )
        found = self._resolutions.get(key)
        if found is None:
            membership.apply(self.rules, client, self.category_of)
            found = Resolution(
                frozenset(membership.groups),
                dict(membership.categories),
                tuple(membership.suppressed),
                membership.is_contradictory,
                self.bundles_of(membership.groups),
            )
            if len(found.groups) > _RESOLUTION_GROUPS:
                return found
            if len(self._resolutions) >= _RESOLUTION_LIMIT:
                self._resolutions.clear()
            self._resolutions[key] = found
        return found

    def with_dynamic(self, group: MetadataGroup, source: str) -> GroupTable:
        """Return a table in which the connector `source` declares a group."""
        return replace(self, dynamic={**self.dynamic, group.name: DynamicGroup(group, source)})


def _named(elements: Iterable[etree._Element], file: str) -> list[etree._Element]:
    """Return the elements with a name; log the others."""
    named = []
    for element in elements:
        if element.get("name"):
            named.append(element)
        else:
            log.error("%s: line %s: ignoring a %s without a name", file, element.sourceline, element.tag)
    return named


def _declarations(root: etree._Element, file: str) -> tuple[dict[str, MetadataGroup], str | None]:
    """Return the groups that the file declares, and the default one.

    Groups directly in ``Groups`` come first, then the groups inside those. The first declaration of a name wins.
    """
    top, nested = [], []
    for element in _named(root.iter("Group"), file):
        parent = element.getparent()
        if parent is not None and parent.tag == "Groups":
            top.append(element)
        elif is_inside(element, "Group"):
            nested.append(element)
    declared: dict[str, MetadataGroup] = {}
    default = None
    for element in (*top, *nested):
        name = str(element.get("name"))
        if name in declared:
            continue
        declared[name] = MetadataGroup(
            name,
            bundles=frozenset(str(bundle.get("name")) for bundle in _named(element.iterchildren("Bundle"), file)),
            category=element.get("category") or None,
            is_profile=element.get("profile") == "true",
            is_public=element.get("public") == "true",
        )
        if element.get("default") == "true":
            if default is not None:
                log.warning("%s: line %s: both %s and %s are the default group; using %s",
                            file, element.sourceline, default, name, name)  # fmt: skip
            default = name
    return declared, default


def _children(root: etree._Element) -> dict[str, tuple[str, ...]]:
    children: dict[str, dict[str, None]] = {}
    for element in root.iter("Group"):
        parent = element.getparent()
        if parent is not None and parent.tag == "Group" and parent.get("name") and element.get("name"):
            children.setdefault(str(parent.get("name")), {})[str(element.get("name"))] = None
    return {name: tuple(names) for name, names in children.items()}
