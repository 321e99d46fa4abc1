"""The rules that derive groups from other groups.

Every ``Group`` without children inside another ``Group`` or a ``Client`` of ``groups.xml`` is a rule: the elements
around it are its conditions. Rules are indexed by one of the groups (or the client) that they require. So the cost of
finding a client's rules depends on the client's groups, and not on the size of the site.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from lxml import etree

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: if all conditions hold, the client gets `group` (or, with a removal rule, loses it).

    Attributes:
        order: the position of the group among those with membership rules.
        required, excluded: groups that the client must be in, and must not be in.
        clients, other_clients: names that the client's name must equal, and must differ from.
    """

    group: str
    order: int
    required: frozenset[str]
    excluded: frozenset[str]
    clients: frozenset[str]
    other_clients: frozenset[str]

    def holds(self, client: str, groups: Set[str]) -> bool:
        """Return true if all conditions hold."""
        return (
            self.required <= groups
            and self.excluded.isdisjoint(groups)
            and client not in self.other_clients
            and (not self.clients or self.clients == {client})
        )


@dataclass(frozen=True, eq=False)
class RuleIndex:
    """An index of membership rules, each under one of its requirements.

    Attributes:
        by_group: group -> rules that require it.
        by_client: client -> rules that require it.
        always: rules that require neither a group nor a client.
    """

    by_group: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    by_client: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    always: tuple[Rule, ...] = ()

    @classmethod
    def of_rules(cls, rules: Iterable[Rule]) -> RuleIndex:
        """Index each rule under the one of its required groups that the fewest rules require."""
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
        """Return the rules that hold and add a group that is not in `groups`, in the order of their groups."""
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
        removal: group -> the rules that remove it.
        groups: the groups that rules add or remove.
        clients: the names of clients in conditions.
    """

    membership: RuleIndex = field(default_factory=RuleIndex)
    removal: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()

    @classmethod
    def of_root(cls, root: etree._Element, file: str) -> RuleSet:
        """Read the rules from the root of ``groups.xml``, includes resolved. Log and skip elements without effect."""
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


def compiled_rules(root: etree._Element, file: str) -> Iterator[tuple[Rule, etree._Element]]:
    """Yield each rule of a file with the element that it was read from; see `is_negated` for removal rules."""
    for element in _leaves(root, file):
        yield _compile(element, 0), element


def is_negated(element: etree._Element) -> bool:
    """Return true if an element has ``negate="true"``, in upper or lower case."""
    return element.get("negate", "").lower() == "true"


def is_inside(element: etree._Element, tag: str) -> bool:
    """Return true if an element or one around it is a `tag` directly in ``Groups``."""
    for candidate in (element, *element.iterancestors()):
        parent = candidate.getparent()
        if candidate.tag == tag and parent is not None and parent.tag == "Groups":
            return True
    return False


def _leaves(root: etree._Element, file: str) -> list[etree._Element]:
    """Return the elements that are rules: those inside a ``Groups/Group``, then those inside a ``Groups/Client``."""
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
                log.warning("%s: line %s: ignoring an empty Client, which has no effect", file, element.sourceline)
    return leaves


def _compile(element: etree._Element, order: int) -> Rule:
    """Compile a leaf into a rule, with the elements around it as conditions."""
    conditions: dict[tuple[object, bool], set[str]] = defaultdict(set)
    for ancestor in element.iterancestors("Group", "Client"):
        negated = is_negated(ancestor)
        # A condition without a name holds for no client, or if negated for all.
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
