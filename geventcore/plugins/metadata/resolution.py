"""Working out a client's groups from the rules, and what categories have to say about it.

A client is in at most one group of a category: the first that it gets. Whatever it does not get for that reason is
reported with the result, and so are rules that contradict each other: "whoever is in a is in b, and whoever is in b is
not in a" need not ever come to an end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from geventcore.plugins.metadata.rules import RuleSet

#: Gives the category of a group, or None.
CategoryOf = Callable[[str], str | None]


class Suppressed(NamedTuple):
    """A group that a client does not get, because it is in `holder`, which has the same category."""

    group: str
    category: str
    holder: str


@dataclass
class Membership:
    """The groups of a client while they are worked out.

    Attributes:
        groups: names.
        categories: category -> the group that has it.
        suppressed: what the client did not get.
        is_contradictory: whether the rules were given up because they went round in circles.
    """

    groups: set[str] = field(default_factory=set)
    categories: dict[str, str] = field(default_factory=dict)
    suppressed: list[Suppressed] = field(default_factory=list)
    is_contradictory: bool = False

    def join(self, name: str, category: str | None) -> bool:
        """Put the client into a group unless the group's category is taken; whether it was put in."""
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

        A pass adds the groups whose rules hold for the groups as they were when it began, then takes groups away for
        which a removal rule holds. It is the last one if there are as many groups as before it, or if everything has
        been like this before.
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
    """What the rules make of some groups.

    Attributes:
        groups, categories, suppressed, is_contradictory: see `Membership`.
        bundles: those of all the groups.
    """

    groups: frozenset[str]
    categories: Mapping[str, str]
    suppressed: tuple[Suppressed, ...]
    is_contradictory: bool
    bundles: frozenset[str]
