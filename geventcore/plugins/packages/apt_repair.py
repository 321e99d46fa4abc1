"""The repair of what marking packages one after the other has left broken, as apt's problem resolver does it.

Every marked package has a score, which is higher the more it is needed. In the order of their scores, from the highest,
packages with an unmet requirement, or that conflict with another one, are repaired: another solution is marked, or the
one with the lower score is unmarked. What was asked for stays. At last all packages are unmarked that nothing needs.

The rules are those of apt 2.6 (``pkgProblemResolver`` in ``apt-pkg/algorithms.cc``), simplified for a system where
nothing is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from geventcore.plugins.packages.apt_facts import AptFacts, Facts, Need
from geventcore.plugins.packages.records import Priority

#: How often all packages are looked at, at most: repairing one may break another.
MAX_ROUNDS = 20
PRIORITY_SCORES: Mapping[int, int] = {
    Priority.REQUIRED: 3,
    Priority.IMPORTANT: 2,
    Priority.STANDARD: 1,
    Priority.OPTIONAL: -1,
    Priority.EXTRA: -2,
}
ESSENTIAL_SCORE, PROTECTED_SCORE = 5100, 10_000


class Marked(Protocol):
    """The packages to be installed; see `geventcore.plugins.packages.apt_resolver.Marking`."""

    known: AptFacts
    asked: tuple[str, ...]
    marked: set[str]
    protected: set[str]
    excluded: set[str]

    def facts(self, name: str) -> Facts:
        """The facts about a package, with the recommendations that count."""

    def mark_one(self, solutions: Sequence[str], by: str) -> bool:
        """Mark the first of some packages that can be marked; false if none can be."""


class Repair:
    """The repair of one request."""

    def __init__(self, marking: Marked) -> None:
        self._marking = marking

    def run(self) -> tuple[str, ...]:
        """Repair what can be repaired; returns a sentence for each problem that is left."""
        marking = self._marking
        if any(self._is_broken(name) for name in marking.marked):
            scores = self._scores()
            for _ in range(MAX_ROUNDS):
                order = sorted(marking.marked, key=lambda name: (-scores.get(name, 0), name))
                if not [name for name in order if name in marking.marked and self._repair(name, scores)]:
                    break
        self._sweep()
        return tuple(dict.fromkeys(self._problems()))

    def _unmet(self, name: str) -> Iterator[Need]:
        return (need for need in self._marking.facts(name).needs if need.is_critical and not self._is_met(need))

    def _is_met(self, need: Need) -> bool:
        return not self._marking.marked.isdisjoint(need.solutions)

    def _is_broken(self, name: str) -> bool:
        facts = self._marking.facts(name)
        return not facts.conflicts.isdisjoint(self._marking.marked) or next(self._unmet(name), None) is not None

    # -- scores

    def _scores(self) -> dict[str, int]:
        marking = self._marking
        scores = {name: PRIORITY_SCORES.get(marking.known.priority(name), -2) for name in marking.marked}
        needing: list[tuple[str, str]] = []
        for name in marking.marked:
            facts = marking.known.facts(name, True)
            for other in facts.conflicts & marking.marked:
                scores[other] -= 1
            for need in facts.needs:
                needing += [(name, other) for other in need.solutions if other in marking.marked]
        for _, other in needing:
            scores[other] += 1
        # A package inherits the scores of those that need it.
        inherited = dict(scores)
        for name, other in needing:
            inherited[other] += max(0, scores[name])
        for name in inherited:
            if name in marking.protected:
                inherited[name] += PROTECTED_SCORE
            if marking.known.is_essential(name):
                inherited[name] += ESSENTIAL_SCORE
        return inherited

    # -- repairing

    def _repair(self, name: str, scores: Mapping[str, int]) -> bool:
        """Repair a package; true if that changes anything."""
        marking = self._marking
        before = len(marking.marked)
        has_changed = False
        for need in list(self._unmet(name)):
            if self._is_met(need):
                continue
            if marking.mark_one(need.solutions, name):
                has_changed = True
            elif name not in marking.protected:
                self._unmark(name)
                return True
        for other in sorted(marking.facts(name).conflicts & marking.marked):
            can_stay = scores.get(name, 0) > scores.get(other, 0) or name in marking.protected
            if not can_stay:
                self._unmark(name)
                return True
            if other not in marking.protected:
                self._unmark(other)
                has_changed = True
        return has_changed or len(marking.marked) != before

    def _unmark(self, name: str) -> None:
        self._marking.marked.discard(name)
        self._marking.excluded.add(name)

    def _problems(self) -> Iterator[str]:
        marking = self._marking
        for name in sorted(marking.marked):
            for need in self._unmet(name):
                yield f"{name} needs {need.text}, which cannot be installed"
            for other in sorted(marking.facts(name).conflicts & marking.marked):
                yield f"{name} conflicts with {other}"

    # -- sweeping

    def _sweep(self) -> None:
        """Unmark what no package needs or recommends that was asked for, directly or through others.

        apt also keeps what is only suggested; an index does not have suggestions.
        """
        marking = self._marking
        needed = {name for name in marking.marked if marking.known.is_essential(name)}
        needed.update(name for name in marking.asked if name in marking.marked)
        self._spread(needed, None)
        if len(needed) < len(marking.marked):
            # Facts with recommendations have to be found out yet, mostly.
            self._spread(needed, True)
        marking.marked &= needed

    def _spread(self, needed: set[str], recommended: bool | None) -> None:
        """Add what packages need, and recommend if that is to count."""
        marking = self._marking
        pending = list(needed)
        while pending:
            for need in marking.known.facts(pending.pop(), recommended).needs:
                fresh = [one for one in need.solutions if one in marking.marked and one not in needed]
                needed.update(fresh)
                pending += fresh
