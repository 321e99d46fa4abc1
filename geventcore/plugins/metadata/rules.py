"""The rules by which groups follow from others.

Every ``Group`` without children that stands inside another ``Group`` or a ``Client`` of ``groups.xml`` is a rule: the
elements around it are its conditions. Rules are looked up by one of the groups (or the client) that they require, so
that finding those that hold for a client costs what its own groups cost, and not what the site has.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from lxml import etree

log = logging.getLogger(__name__)


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

    def holds(self, client: str, groups: Set[str]) -> bool:
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

    def holding(self, client: str, groups: Set[str]) -> list[Rule]:
        """The rules that hold and give a group that is not in `groups`, in the order of their groups."""
        candidates = [*self.always, *self.by_client.get(client, ())]
        for group in groups:
            candidates += self.by_group.get(group, ())
        found = [rule for rule in candidates if rule.group not in groups and rule.holds(client, groups)]
        found.sort(key=lambda rule: rule.order)
        return found


@dataclass(frozen=True, eq=False)
class RuleSet:
    """All the rules of a file.

    Attributes:
        membership: the rules that add groups.
        removal: group -> the rules that take it away.
        groups: the groups that rules add or take away.
        clients: the names that conditions are about.
    """

    membership: RuleIndex = field(default_factory=RuleIndex)
    removal: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()

    @classmethod
    def of_root(cls, root: etree._Element, file: str) -> RuleSet:
        """From the root of ``groups.xml``, includes resolved. What means nothing is reported and skipped."""
        membership: list[Rule] = []
        removal: defaultdict[str, list[Rule]] = defaultdict(list)
        order: dict[str, int] = {}
        for element in _leaves(root, file):
            name = str(element.get("name"))
            if is_negated(element):
                removal[name].append(_compile(element, order=0))
            else:
                membership.append(_compile(element, order.setdefault(name, len(order))))
        everything = [*membership, *(rule for rules in removal.values() for rule in rules)]
        return cls(
            RuleIndex.of_rules(membership),
            {name: tuple(rules) for name, rules in removal.items()},
            frozenset(rule.group for rule in everything),
            frozenset(client for rule in everything for client in rule.clients | rule.other_clients),
        )


def is_negated(element: etree._Element) -> bool:
    """Whether an element says ``negate="true"``, in any case of letters."""
    return element.get("negate", "").lower() == "true"


def is_inside(element: etree._Element, tag: str) -> bool:
    """Whether an element or one around it is a `tag` directly in ``Groups``."""
    for candidate in (element, *element.iterancestors()):
        parent = candidate.getparent()
        if candidate.tag == tag and parent is not None and parent.tag == "Groups":
            return True
    return False


def _leaves(root: etree._Element, file: str) -> list[etree._Element]:
    """The elements that are rules: those inside a ``Groups/Group``, then those inside a ``Groups/Client``."""
    leaves = []
    empty = [element for element in root.iter("Group", "Client") if not len(element) and element.get("name")]
    for tag in ("Group", "Client"):
        for element in empty:
            parent = element.getparent()
            if parent is None or not is_inside(parent, tag):
                continue
            if element.tag == "Group":
                leaves.append(element)
            else:
                log.warning("%s: line %s: an empty Client means nothing", file, element.sourceline)
    return leaves


def _compile(element: etree._Element, order: int) -> Rule:
    """The rule that a leaf is, with the elements around it as conditions."""
    conditions: dict[tuple[object, bool], set[str]] = defaultdict(set)
    for ancestor in element.iterancestors("Group", "Client"):
        negated = is_negated(ancestor)
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
