"""The facts that the resolver with apt's rules asks of all sources of a client.

Of a package in several sources the newest version is the *candidate*, the only one that may be installed; of the same
version in two sources the one of the first source counts. What fulfils a requirement is a list of candidates, in apt's
order of preference: the package of that name, then essential and important packages, then by priority, and among equals
the one that apt has met last when it read the lists of the sources one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from geventcore.plugins.packages.index import Condition, PackageIndex
from geventcore.plugins.packages.resolver import PackageSource
from geventcore.plugins.packages.versions import DebianVersion, debian_satisfies, debian_version

_NONE: frozenset[str] = frozenset()


class Candidate(NamedTuple):
    """The one version of a package that may be installed."""

    version: str
    source: PackageSource
    listed_in: PackageIndex


class Need(NamedTuple):
    """A requirement of a package.

    Attributes:
        solutions: the packages of which one is needed, the best one first.
        is_critical: false for a recommendation.
        text: the requirement as a source writes it, for messages.
    """

    solutions: tuple[str, ...]
    is_critical: bool
    text: str


class Facts(NamedTuple):
    """The requirements of a package and what it cannot stand beside.

    Attributes:
        needs: its requirements, in the order in which they are met.
        only: the solutions of critical requirements that have a single one.
        has_choice: true if there are other requirements.
        conflicts: the candidates that it conflicts with.
        critical: all packages that could meet a critical requirement.
        is_installable: false if a critical requirement has no solution at all.
    """

    needs: tuple[Need, ...]
    only: frozenset[str]
    has_choice: bool
    conflicts: frozenset[str]
    critical: frozenset[str]
    is_installable: bool


class AptFacts:
    """Facts about packages, found out once for all clients that have the same sources."""

    def __init__(self, sources: Sequence[PackageSource], breathe: Callable[[], None]) -> None:
        self._sources = sources
        self._breathe = breathe
        self._indexes = [index for source in sources for index in source.indexes]
        self._candidates: dict[str, Candidate | None] = {}
        self._providing: dict[str, tuple[tuple[str, str], ...]] = {}
        self._solutions: dict[Condition, tuple[str, ...]] = {}
        self._needs: dict[tuple[tuple[Condition, ...], bool], Need] = {}
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._facts: dict[tuple[str, bool | None], Facts] = {}
        self._ranks: dict[str, tuple[bool, bool, int, int, int]] = {}

    def candidate(self, name: str) -> Candidate | None:
        """The version of a package that may be installed; None if no source offers it."""
        if name not in self._candidates:
            self._candidates[name] = self._find_candidate(name)
        return self._candidates[name]

    def _find_candidate(self, name: str) -> Candidate | None:
        best: tuple[DebianVersion, Candidate] | None = None
        for source in self._sources:
            if not source.offers(name):
                continue
            for index in source.indexes:
                if index.is_package(name):
                    text = index.version(name)
                    version = debian_version(text)
                    if best is None or best[0] < version:
                        best = version, Candidate(text, source, index)
        return None if best is None else best[1]

    def is_essential(self, name: str) -> bool:
        """Return true if apt neither removes a package by itself nor counts it as unneeded."""
        found = self.candidate(name)
        return found is not None and (found.listed_in.is_essential(name) or found.listed_in.is_important(name))

    def priority(self, name: str) -> int:
        """The priority of a candidate."""
        found = self.candidate(name)
        return 0 if found is None else found.listed_in.priority(name)

    # -- what fulfils a condition

    def solutions(self, condition: Condition) -> tuple[str, ...]:
        """The packages whose candidates fulfil a condition, the best one first."""
        found = self._solutions.get(condition)
        if found is None:
            found = self._solutions[condition] = self._find_solutions(condition)
        return found

    def _find_solutions(self, condition: Condition) -> tuple[str, ...]:
        name, relation = condition
        own = self.candidate(name)
        providers = self._providers(name)
        fulfilled = [name] if own is not None and debian_satisfies(own.version, relation) else []
        # What is provided without a version meets no condition on one (Debian policy, 7.5).
        provided = {
            provider
            for provider, version in providers
            if not relation or (version and debian_satisfies(version, relation))
        }
        return (*fulfilled, *sorted(provided, key=self._rank))

    def _providers(self, name: str) -> tuple[tuple[str, str], ...]:
        """The candidates that provide a name, each with the version that it provides."""
        found = self._providing.get(name)
        if found is None:
            found = self._providing[name] = tuple(
                (provider, version.removeprefix("= "))
                for index in self._indexes
                for provider, version in index.provided(name)
                if provider != name
                and (candidate := self.candidate(provider)) is not None
                and candidate.listed_in is index
            )
        return found

    def _is_candidate_of(self, index: PackageIndex, name: str) -> bool:
        found = self.candidate(name)
        return found is not None and found.listed_in is index

    def _rank(self, name: str) -> tuple[bool, bool, int, int, int]:
        found = self._ranks.get(name)
        if found is None:
            candidate = self._candidates[name]
            assert candidate is not None
            index = candidate.listed_in
            place, mention = next(
                ((place, mention) for place, one in enumerate(self._indexes) if (mention := one.mention(name))), (0, 0)
            )
            found = self._ranks[name] = (
                not index.is_essential(name),
                not index.is_important(name),
                index.priority(name),
                -place,
                -mention,
            )
        return found

    # -- facts about a package

    @property
    def known_number(self) -> int:
        """The number of packages that something has been found out about."""
        return len(self._facts)

    @property
    def known_names(self) -> set[str]:
        """The packages that something has been found out about."""
        return {name for name, _ in list(self._facts)}

    def facts(self, name: str, recommended: bool | None = None) -> Facts:
        """The facts about a candidate; `recommended` None leaves it to its source whether recommendations count."""
        found = self._facts.get((name, recommended))
        if found is None:
            candidate = self.candidate(name)
            if candidate is None:
                return NOTHING
            # This is what takes time, when a source is new.
            self._breathe()
            follows = candidate.source.recommended if recommended is None else recommended
            found = self._facts[name, recommended] = self._find_facts(name, candidate.listed_in, follows)
        return found

    def _find_facts(self, name: str, index: PackageIndex, follows: bool) -> Facts:
        needs = [self._need(alternatives, True) for alternatives in index.conditions(name)]
        if follows:
            needs += [self._need(alternatives, False) for alternatives in index.conditions(name, "recommends")]
        critical = [need for need in needs if need.is_critical]
        only = self._shared(frozenset(need.solutions[0] for need in critical if len(need.solutions) == 1))
        conflicts = frozenset(one for other in index.conflicts(name) for one in self.solutions(other)) - {name}
        return Facts(
            needs=tuple(dict.fromkeys(needs)),
            only=only,
            has_choice=any(len(need.solutions) != 1 or not need.is_critical for need in needs),
            conflicts=self._shared(conflicts),
            critical=self._shared(frozenset(one for need in critical for one in need.solutions)),
            is_installable=all(need.solutions for need in critical),
        )

    def _shared(self, names: frozenset[str]) -> frozenset[str]:
        """The one set with some names: many packages need the same ones."""
        return self._sets.setdefault(names, names)

    def _need(self, alternatives: tuple[Condition, ...], is_critical: bool) -> Need:
        found = self._needs.get((alternatives, is_critical))
        if found is None:
            found = self._needs[alternatives, is_critical] = self._find_need(alternatives, is_critical)
        return found

    def _find_need(self, alternatives: tuple[Condition, ...], is_critical: bool) -> Need:
        solutions = dict.fromkeys(one for condition in alternatives for one in self.solutions(condition))
        text = " | ".join(f"{name} ({relation})" if relation else name for name, relation in alternatives)
        return Need(tuple(solutions), is_critical, text)


NOTHING = Facts((), _NONE, False, _NONE, _NONE, True)
