"""The groups: what ``groups.xml`` declares, and the rules by which groups follow from others.

A `GroupTable` is one state of the file and never changes; connectors that declare groups of their own
(`GroupTable.with_dynamic`) get a new table.

Every ``Group`` without children that stands inside another ``Group`` or a ``Client`` is a rule: the elements around it
are its conditions. Rules are compiled when the file is read, and looked up by one of the groups (or the client) that
they require, so that working out a client's groups costs what its own groups cost and not what the site has.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableSet
from dataclasses import dataclass, field, replace

from lxml import etree

from geventcore.plugin.client_metadata import MetadataGroup

log = logging.getLogger(__name__)

#: Told of a group that a client does not get because its category is taken: ``(client, group, category, holder)``.
SuppressedHook = Callable[[str, str, str, str], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """If all conditions hold, the client gets `group` (or, as a removal rule, loses it).

    Attributes:
        order: place of the group among those with membership rules.
        required, excluded: groups that the client must be in, and must not be in.
        clients, other_clients: names that the client's must be equal to, and must differ from.
    """

    group: str
    order: int
    required: frozenset[str]
    excluded: frozenset[str]
    clients: frozenset[str]
    other_clients: frozenset[str]

    def holds(self, client: str, groups: MutableSet[str]) -> bool:
        """Whether all conditions hold."""
        return (
            self.required <= groups
            and self.excluded.isdisjoint(groups)
            and client not in self.other_clients
            and (not self.clients or self.clients == {client})
        )


@dataclass(frozen=True, eq=False)
class RuleIndex:
    """Membership rules, each filed under one thing that it requires.

    Attributes:
        by_group: those that require the group.
        by_client: those that require the client.
        always: those that require neither.
    """

    by_group: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    by_client: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    always: tuple[Rule, ...] = ()

    @classmethod
    def of_rules(cls, rules: Iterable[Rule]) -> RuleIndex:
        """File rules, each under that of its groups which the fewest rules require."""
        rules = list(rules)
        weight = Counter(group for rule in rules for group in rule.required)
        by_group, by_client = defaultdict(list), defaultdict(list)
        always = []
        for rule in rules:
            if rule.clients:
                by_client[min(rule.clients)].append(rule)
            elif rule.required:
                by_group[min(rule.required, key=lambda group: (weight[group], group))].append(rule)
            else:
                always.append(rule)
        return cls(
            {group: tuple(found) for group, found in by_group.items()},
            {client: tuple(found) for client, found in by_client.items()},
            tuple(always),
        )

    def holding(self, client: str, groups: MutableSet[str]) -> list[Rule]:
        """The rules that hold and give a group that is not in `groups`, in the order of their groups."""
        candidates = [*self.always, *self.by_client.get(client, ())]
        for group in groups:
            candidates += self.by_group.get(group, ())
        found = [rule for rule in candidates if rule.group not in groups and rule.holds(client, groups)]
        found.sort(key=lambda rule: rule.order)
        return found


@dataclass(frozen=True)
class DynamicGroup:
    """A group that the connector `source` declares."""

    group: MetadataGroup
    source: str


@dataclass(frozen=True, eq=False)
class GroupTable:
    """One state of the groups.

    Attributes:
        declared: name -> group, as the file declares them.
        dynamic: name -> group, as connectors declare them.
        default: the group of clients that have no other, or None.
        membership: the rules that add groups.
        removal: group -> the rules that take it away.
        names: every group that the file declares or has a rule for.
        children: group -> the groups directly below it in the file, in document order.
    """

    declared: Mapping[str, MetadataGroup] = field(default_factory=dict)
    dynamic: Mapping[str, DynamicGroup] = field(default_factory=dict)
    default: str | None = None
    membership: RuleIndex = field(default_factory=RuleIndex)
    removal: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of_root(cls, root: etree._Element, file: str) -> GroupTable:
        """From the root of ``groups.xml``, includes resolved. What makes no sense is reported and skipped."""
        declarations, default = _declarations(root, file)
        membership, removal = _rules(root, file)
        implicit = {rule.group for rule in membership} | set(removal)
        for name in sorted(implicit - declarations.keys()):
            declarations[name] = MetadataGroup(name)
        return cls(
            declared=declarations,
            default=default,
            membership=RuleIndex.of_rules(membership),
            removal=removal,
            names=frozenset(declarations),
            children=_children(root),
        )

    def get(self, name: str) -> MetadataGroup | None:
        """The declaration of a group, or None."""
        found = self.declared.get(name)
        if found is None and name in self.dynamic:
            return self.dynamic[name].group
        return found

    def category_of(self, name: str) -> str | None:
        """The group's category, or None."""
        group = self.get(name)
        return (group.category or None) if group is not None else None

    def is_profile(self, name: str) -> bool:
        """Whether the group may be a profile."""
        group = self.get(name)
        return group is not None and group.is_profile

    def in_category(self, category: str) -> set[str]:
        """Names of the category's groups."""
        return {name for name in (*self.declared, *self.dynamic) if self.category_of(name) == category}

    def bundles_of(self, groups: Iterable[str]) -> set[str]:
        """The bundles of all these groups."""
        bundles: set[str] = set()
        for name in groups:
            group = self.get(name)
            if group is not None:
                bundles |= group.bundles
        return bundles

    def with_dynamic(self, group: MetadataGroup, source: str) -> GroupTable:
        """A table in which connector `source` declares a group."""
        return replace(self, dynamic={**self.dynamic, group.name: DynamicGroup(group, source)})


def join(
    table: GroupTable,
    client: str,
    name: str,
    groups: MutableSet[str],
    categories: dict[str, str],
    suppressed: SuppressedHook,
) -> bool:
    """Put a client into a group unless the group's category is taken; whether it is in now."""
    category = table.category_of(name)
    if category is not None:
        holder = categories.get(category)
        if holder is not None:
            suppressed(client, name, category, holder)
            return False
        categories[category] = name
    groups.add(name)
    return True


def resolve(
    table: GroupTable,
    client: str,
    groups: MutableSet[str],
    categories: dict[str, str],
    suppressed: SuppressedHook,
) -> None:
    """Apply the rules to a client's groups and categories, in place, until nothing changes.

    A pass adds the groups whose rules hold for the groups as they were when it began, then takes groups away for which
    a removal rule holds. It is the last one if there are as many groups as before it.
    """
    size = -1
    while size != len(groups):
        size = len(groups)
        new: set[str] = set()
        refused: set[str] = set()
        for rule in table.membership.holding(client, groups):
            if rule.group not in new and rule.group not in refused:
                added = join(table, client, rule.group, new, categories, suppressed)
                if not added:
                    refused.add(rule.group)
        groups |= new
        removed = {
            name
            for name in groups & table.removal.keys()
            if any(rule.holds(client, groups) for rule in table.removal[name])
        }
        for name in removed:
            category = table.category_of(name)
            if category is not None and categories.get(category) == name:
                del categories[category]
        groups -= removed


def _is_inside(element: etree._Element, tag: str) -> bool:
    """Whether an element or one around it is a `tag` directly in ``Groups``."""
    for candidate in (element, *element.iterancestors()):
        parent = candidate.getparent()
        if candidate.tag == tag and parent is not None and parent.tag == "Groups":
            return True
    return False


def _named(elements: Iterable[etree._Element], file: str) -> list[etree._Element]:
    """Those that have a name; the others are reported."""
    named = []
    for element in elements:
        if element.get("name"):
            named.append(element)
        else:
            log.error("%s: line %s: a %s without a name is ignored", file, element.sourceline, element.tag)
    return named


def _declarations(root: etree._Element, file: str) -> tuple[dict[str, MetadataGroup], str | None]:
    """The groups that the file declares, and the default one.

    Candidates are the groups directly in a ``Groups``, then the groups inside those. The first of a name counts.
    """
    top, nested = [], []
    for element in _named(root.iter("Group"), file):
        parent = element.getparent()
        if parent is not None and parent.tag == "Groups":
            top.append(element)
        elif _is_inside(element, "Group"):
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
                log.warning("%s: line %s: %s and %s are both the default; it is %s",
                            file, element.sourceline, default, name, name)  # fmt: skip
            default = name
    return declared, default


def _rules(root: etree._Element, file: str) -> tuple[list[Rule], dict[str, tuple[Rule, ...]]]:
    """The membership rules, and the removal rules of each group."""
    leaves = [element for element in root.iter("Group", "Client") if not len(element)]
    membership: list[Rule] = []
    removal: dict[str, list[Rule]] = {}
    order: dict[str, int] = {}
    for tag in ("Group", "Client"):
        for element in leaves:
            parent = element.getparent()
            name = element.get("name")
            if parent is None or not name or not _is_inside(parent, tag):
                continue
            if element.tag == "Client":
                if tag == "Group":
                    log.warning("%s: line %s: Client %s is empty and means nothing", file, element.sourceline, name)
                continue
            if element.get("negate", "").lower() == "true":
                removal.setdefault(name, []).append(_compile(element, order=0))
            else:
                membership.append(_compile(element, order.setdefault(name, len(order))))
    return membership, {name: tuple(rules) for name, rules in removal.items()}


def _compile(element: etree._Element, order: int) -> Rule:
    """The rule that a leaf is, with the elements around it as conditions."""
    conditions: dict[tuple[object, bool], set[str]] = defaultdict(set)
    for ancestor in element.iterancestors("Group", "Client"):
        negated = ancestor.get("negate", "").lower() == "true"
        # Without a name it is a condition that nobody meets, or negated one that all do.
        name = ancestor.get("name") or ""
        conditions[ancestor.tag, negated].add(name)
    return Rule(
        group=str(element.get("name")),
        order=order,
        required=frozenset(conditions["Group", False]),
        excluded=frozenset(conditions["Group", True]),
        clients=frozenset(conditions["Client", False]),
        other_clients=frozenset(conditions["Client", True]),
    )


def _children(root: etree._Element) -> dict[str, tuple[str, ...]]:
    children: dict[str, dict[str, None]] = {}
    for element in root.iter("Group"):
        parent = element.getparent()
        if parent is not None and parent.tag == "Group" and parent.get("name") and element.get("name"):
            children.setdefault(str(parent.get("name")), {})[str(element.get("name"))] = None
    return {name: tuple(names) for name, names in children.items()}
