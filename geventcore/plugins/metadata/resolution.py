"""The resolution of a client's groups from rules and categories.

A client is in at most one group of a category: the first that it gets. The result lists the groups that it does not get
for that reason. It also tells if rules contradict each other: "members of a are in b, and members of b are not in a"
may never settle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from geventcore.plugins.metadata.rules import RuleSet

#: A function that returns the category of a group, or None.
CategoryOf = Callable[[str], str | None]


class Suppressed(NamedTuple):
    """A group that a client does not get, because it is in `holder`, which has the same category."""

    group: str
    category: str
    holder: str


@dataclass
class Membership:
    """The groups of a client during the resolution.

    Attributes:
        groups: names.
        categories: category -> the client's group in it.
        suppressed: the groups that the client did not get.
        is_contradictory: true if the rules did not settle because they contradict each other.
    """

    groups: set[str] = field(default_factory=set)
    categories: dict[str, str] = field(default_factory=dict)
    suppressed: list[Suppressed] = field(default_factory=list)
    is_contradictory: bool = False

    def join(self, name: str, category: str | None) -> bool:
        """Add a group unless its category is taken; return true if it was added."""
        if self._takes(name, category):
            self.groups.add(name)
            return True
        return False

    def _takes(self, name: str, category: str | None) -> bool:
        if category is None:
            return True
        holder = self.categories.setdefault(category, name)
        if holder == name:
            return True
        self.suppressed.append(Suppressed(name, category, holder))
        return False

    def apply(self, rules: RuleSet, client: str, category_of: CategoryOf) -> None:
        """Apply the rules until nothing changes.

        A pass adds the groups whose rules hold for the groups at its start, then removes groups for which a removal
        rule holds. It is the last one if the number of groups is unchanged, or if the same state occurred before.
        """
        seen = set()
        size = -1
        while size != len(self.groups):
            state = (frozenset(self.groups), frozenset(self.categories.items()))
            if state in seen:
                self.is_contradictory = True
                return
            seen.add(state)
            size = len(self.groups)
            candidates = dict.fromkeys(rule.group for rule in rules.membership.holding(client, self.groups))
            self.groups.update([name for name in candidates if self._takes(name, category_of(name))])
            removed = [
                name
                for name in self.groups & rules.removal.keys()
                if any(rule.holds(client, self.groups) for rule in rules.removal[name])
            ]
            for name in removed:
                category = category_of(name)
                if category is not None and self.categories.get(category) == name:
                    del self.categories[category]
            self.groups.difference_update(removed)


@dataclass(frozen=True)
class Resolution:
    """The result of applying the rules to some groups.

    Attributes:
        groups, categories, suppressed, is_contradictory: see `Membership`.
        bundles: the bundles of all the groups.
    """

    groups: frozenset[str]
    categories: Mapping[str, str]
    suppressed: tuple[Suppressed, ...]
    is_contradictory: bool
    bundles: frozenset[str]
