"""The resolution of dependencies as ``apt-get install`` does it on a system where nothing is installed.

The packages that a client asks for are *protected*: they are to be installed, whatever others want. They are marked for
installation first. Then, in the order of their names, the requirements of each one are followed in depth:

* A requirement is met if something that is marked meets it. Else its solutions are tried, in the order of
  `geventcore.plugins.packages.apt_facts`.
* A package cannot be marked if a requirement has no solution that is left, if it conflicts with a protected package, or
  if the packages that it requires cannot be marked. It is excluded then. Packages that it conflicts with and that are
  not protected are unmarked.
* If a requirement of a protected package has a single solution, that is protected, too. Packages that a protected one
  conflicts with are excluded.

After that `geventcore.plugins.packages.apt_repair` repairs what is broken and unmarks what nothing needs.

The rules are those of apt 2.6 (``apt-pkg/depcache.cc``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

from geventcore.plugins.packages.apt_facts import AptFacts, Facts
from geventcore.plugins.packages.apt_repair import Repair
from geventcore.plugins.packages.index import Condition
from geventcore.plugins.packages.resolver import PackageSource, Request, Resolution


class AptResolver:
    """Resolves requests of all clients that have the same sources, with apt's rules."""

    def __init__(self, sources: Sequence[PackageSource], breathe: Callable[[], None] = lambda: None) -> None:
        """`sources` in the order of the client's list of sources; `breathe` may let another request run."""
        self._facts = AptFacts(sources, breathe)

    @property
    def known_number(self) -> int:
        """The number of packages that something has been found out about."""
        return self._facts.known_number

    @property
    def known_names(self) -> set[str]:
        """The packages that something has been found out about."""
        return self._facts.known_names

    def warm_up(self, names: Iterable[str]) -> None:
        """Find out about packages before they are asked for."""
        for name in names:
            self._facts.facts(name)

    def resolve(self, request: Request) -> Resolution:
        """Add what the packages of a request need."""
        facts = self._facts
        without = {name for name in request.names if facts.candidate(name) is None}
        solutions = {name: facts.solutions(Condition(name, "")) for name in without}
        # As with apt-get, a virtual name stands for the package that provides it if there is only one.
        only = {found[0]: name for name, found in solutions.items() if len(found) == 1}
        marking = Marking(facts, tuple(sorted((request.names - without).union(only))), request.recommended)
        marking.run()
        problems = Repair(marking).run() if marking.is_doubtful() else ()
        needed_by = {name: by for name, by in marking.needed_by.items() if name in marking.marked}
        needed_by |= {name: by for name, by in only.items() if name not in request.names}
        unknown = frozenset(name for name, found in solutions.items() if not found)
        return Resolution(frozenset(without | marking.marked), unknown, needed_by, problems)


class Marking:
    """The packages to be installed for one request.

    Attributes:
        asked: the packages that the client asks for and that exist.
        marked: the packages to be installed.
        excluded: packages that cannot be installed.
        needed_by: package -> the one for which it was marked first.
    """

    def __init__(self, facts: AptFacts, asked: tuple[str, ...], recommended: Mapping[str, bool]) -> None:
        self.known = facts
        self.asked = asked
        self._recommended = recommended
        self.marked: set[str] = set(asked)
        #: Those that are marked, or excluded, for good.
        self.protected: set[str] = set(asked)
        self.excluded: set[str] = set()
        self.needed_by: dict[str, str] = {}
        self._conflicting: list[str] = []
        self._has_failed = False

    def run(self) -> None:
        """Follow the requirements of what was asked for."""
        for name in self.asked:
            self._follow(name)

    def is_doubtful(self) -> bool:
        """Return true if something may be broken or not needed."""
        return self._has_failed or any(
            not self.marked.isdisjoint(self.facts(name).conflicts) for name in self._conflicting
        )

    def facts(self, name: str) -> Facts:
        """The facts about a package, with the recommendations that count."""
        return self.known.facts(name, self._recommended.get(name))

    # -- packages that are protected

    def _follow(self, name: str) -> None:
        """Follow the requirements of a protected package, and of those that become protected."""
        stack = [self._newly_protected(name)]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
            else:
                stack.append(self._newly_protected(found))

    def _newly_protected(self, name: str) -> Iterator[str]:
        """Meet the requirements of a protected package; yields the packages that become protected thereby."""
        facts = self.facts(name)
        marked, protected, excluded = self.marked, self.protected, self.excluded
        if facts.conflicts:
            self._conflicting.append(name)
        if not self._can_be_met(facts):
            self._has_failed = True
            return
        if facts.conflicts:
            self._exclude(facts.conflicts)
        if not facts.has_choice and facts.only <= protected and (not excluded or facts.only.isdisjoint(excluded)):
            return
        for solutions, is_critical, _ in facts.needs:
            if is_critical:
                if excluded and len(solutions) > 1:
                    solutions = tuple(one for one in solutions if one not in excluded)
                if len(solutions) == 1:
                    (only,) = solutions
                    if only not in protected:
                        marked.add(only)
                        protected.add(only)
                        self.needed_by.setdefault(only, name)
                        yield only
                    elif only in excluded:
                        self._has_failed = True
                    continue
            if marked.isdisjoint(solutions) and not self.mark_one(solutions, name) and is_critical:
                self._has_failed = True

    def _exclude(self, names: frozenset[str]) -> None:
        """Exclude packages that a protected one conflicts with, unless they are marked and protected themselves."""
        kept = names & self.protected & self.marked
        if kept or not names.isdisjoint(self.marked):
            self._has_failed = True
        self.excluded |= names - kept
        self.protected |= names - kept
        self.marked -= names - kept

    # -- all others

    def _can_be_met(self, facts: Facts) -> bool:
        excluded = self.excluded
        if not facts.is_installable:
            return False
        if not excluded or excluded.isdisjoint(facts.critical):
            return True
        return all(not excluded.issuperset(need.solutions) for need in facts.needs if need.is_critical)

    def mark_one(self, solutions: Sequence[str], by: str) -> bool:
        """Mark the first of some packages that can be marked; false if none can be."""
        for one in solutions:
            if one not in self.excluded:
                # Requirements can be nested deeper than Python lets functions call each other.
                stack = [self._mark(one, by)]
                outcome: bool | None = None
                while stack:
                    try:
                        required, requiring = stack[-1].send(outcome)
                    except StopIteration as done:
                        outcome = done.value
                        stack.pop()
                    else:
                        stack.append(self._mark(required, requiring))
                        outcome = None
                if outcome:
                    return True
        return False

    def _mark(self, name: str, by: str) -> Generator[tuple[str, str], bool | None, bool]:
        """Mark a package that is not, and what it requires; returns false if that fails.

        Yields packages that are to be marked, with the one that requires them, and receives whether that succeeded.
        """
        facts = self.facts(name)
        marked, protected = self.marked, self.protected
        if not self._can_be_met(facts):
            self.excluded.add(name)
            return False
        if facts.conflicts:
            in_the_way = facts.conflicts & marked
            if in_the_way:
                self._has_failed = True
                if not in_the_way.isdisjoint(protected):
                    return False
                marked -= in_the_way
            self._conflicting.append(name)
        marked.add(name)
        self.needed_by.setdefault(name, by)
        if not facts.has_choice and facts.only <= marked:
            return True
        # Nothing that it requires may unmark it.
        protected.add(name)
        is_met = True
        for solutions, is_critical, _ in facts.needs:
            if marked.isdisjoint(solutions):
                for one in solutions:
                    if one not in self.excluded and (yield one, name):
                        break
                else:
                    if is_critical:
                        is_met = False
                        break
        protected.discard(name)
        if not is_met:
            self._has_failed = True
            marked.discard(name)
            self.excluded.add(name)
        return is_met
