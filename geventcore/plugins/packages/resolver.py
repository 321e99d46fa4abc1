"""The resolution of dependencies, with Bcfg2's rules for every kind of source.

A name is a *package* if a source has it, and *virtual* if a package provides it; it may be both. The resolver starts
with the requested names and adds the packages that they require, until no requirement is missing:

* Alternatives (``a | b``) and virtual names are fulfilled by their provider if there is only one. With several
  providers nothing is added: the client's package manager chooses.
* A name that is both is fulfilled by a provider that is already added. Otherwise the package of that name is added,
  after everything else is resolved.
* The dependencies of a package are those in the first source that has it.

* A requirement of an RPM package that depends on what else is installed counts as soon as that is added; one that
  depends on what is not, after everything else is resolved.

With ``first_alternative``, if no alternative is already added, the first one that exists is added, after everything
else is resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from geventcore.plugins.packages.index import Conditional, PackageIndex, Requirement

_NONE: frozenset[str] = frozenset()


class PackageSource(Protocol):
    """One source, as a client sees it."""

    @property
    def recommended(self) -> bool:
        """True if recommended packages are added by default; an entry may override it."""

    @property
    def indexes(self) -> Sequence[PackageIndex]:
        """The indexes of the client's architectures."""

    def offers(self, name: str) -> bool:
        """Return true if the source has a package, and its blacklist and whitelist allow it."""


@dataclass(frozen=True)
class Request:
    """The packages that a client asks for.

    Attributes:
        names: names of packages.
        recommended: name -> whether its recommendations are followed, for entries that say so.
    """

    names: frozenset[str]
    recommended: Mapping[str, bool]


@dataclass(frozen=True)
class Resolution:
    """The outcome.

    Attributes:
        packages: the names that were asked for, and those that they need.
        unknown: names that no source has, without those that may be missing.
        needed_by: name of a package that was added -> the package that asked for it first.
        problems: why the packages cannot be installed together, as far as the resolver knows; each a sentence.
    """

    packages: frozenset[str]
    unknown: frozenset[str]
    needed_by: Mapping[str, str]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Needs:
    """The requirements of a package, sorted by what is to be done about them.

    Attributes:
        packages: names of packages that nobody else provides, and of the only providers of virtual names.
        both: names of packages that others provide, too.
        alternatives: lists of names of which one is needed, in the order of the package.
        unknown: names that no source has.
        conditional: requirements that depend on what else is installed.
    """

    packages: frozenset[str]
    both: frozenset[str]
    alternatives: tuple[tuple[str, ...], ...]
    unknown: frozenset[str]
    conditional: tuple[Conditional, ...] = ()


class Resolver:
    """Resolves requests of all clients that have the same sources.

    It keeps what it has found out about a package, so that each client after the first pays little more than for the
    packages that are its own.
    """

    def __init__(
        self,
        sources: Sequence[PackageSource],
        *,
        may_be_missing: tuple[str, ...] = (),
        first_alternative: bool = False,
        breathe: Callable[[], None] = lambda: None,
    ) -> None:
        """Unknown names that begin with one of `may_be_missing` are not mentioned. `sources` are asked in order.

        `breathe` is called often; it may let another request run.
        """
        self._sources = sources
        self._may_be_missing = may_be_missing
        self._first_alternative = first_alternative
        self._breathe = breathe
        self._offering: dict[str, PackageSource | None] = {}
        self._providing: dict[str, tuple[str, ...]] = {}
        self._needs: dict[tuple[str, bool], _Needs] = {}
        self._sets: dict[frozenset[str], frozenset[str]] = {}

    # -- sources

    def offering(self, name: str) -> PackageSource | None:
        """The first source that offers a package; None if none does."""
        if name not in self._offering:
            self._offering[name] = next((source for source in self._sources if source.offers(name)), None)
        return self._offering[name]

    def providers(self, name: str) -> tuple[str, ...]:
        """The packages that provide a name, in any source."""
        found = self._providing.get(name)
        if found is None:
            found = self._providing[name] = tuple(
                dict.fromkeys(
                    provider
                    for source in self._sources
                    for index in source.indexes
                    for provider in index.providers(name)
                )
            )
        return found

    @property
    def known_number(self) -> int:
        """The number of packages that something has been found out about."""
        return len(self._needs)

    @property
    def known_names(self) -> set[str]:
        """The packages that something has been found out about."""
        return {name for name, _ in list(self._needs)}

    def warm_up(self, names: Iterable[str]) -> None:
        """Find out about packages before they are asked for."""
        for name in names:
            self.needs(name, None)

    def needs(self, name: str, recommended: bool | None) -> _Needs:
        """The requirements of a package; `recommended` None leaves it to the source what recommendations count."""
        source = self.offering(name)
        if source is None:
            return _NOTHING
        follows = source.recommended if recommended is None else recommended
        found = self._needs.get((name, follows))
        if found is None:
            # This is what takes time, when a source is new.
            self._breathe()
            found = self._needs[name, follows] = self._sorted(source, name, follows)
        return found

    def _sorted(self, source: PackageSource, name: str, recommended: bool) -> _Needs:
        packages: set[str] = set()
        both: set[str] = set()
        alternatives: dict[tuple[str, ...], None] = {}
        unknown: set[str] = set()
        conditional: dict[Conditional, None] = {}
        for requirement in self._requirements(source, name, recommended):
            if isinstance(requirement, str):
                self.sort_in(requirement, packages, both, unknown)
            elif isinstance(requirement, Conditional):
                conditional[requirement] = None
            else:
                alternatives[requirement] = None
        return _Needs(
            self._shared(packages),
            self._shared(both),
            tuple(alternatives),
            self._shared(unknown),
            tuple(conditional),
        )

    def _shared(self, names: set[str]) -> frozenset[str]:
        """The one set with some names: many packages need the same ones."""
        frozen = frozenset(names)
        return self._sets.setdefault(frozen, frozen)

    def _requirements(self, source: PackageSource, name: str, recommended: bool) -> Iterator[Requirement]:
        for index in source.indexes:
            yield from index.requirements(name)
            if recommended:
                yield from index.requirements(name, "recommends")

    def sort_in(self, name: str, packages: set[str], both: set[str], unknown: set[str]) -> None:
        """Add a required name to the set that says what is to be done about it; see `_Needs`."""
        # A virtual name with one provider stands for it, which may be virtual itself.
        followed: set[str] = set()
        while name not in followed:
            followed.add(name)
            providers = self.providers(name)
            if self.offering(name) is not None:
                (both if providers else packages).add(name)
            elif not providers:
                unknown.add(name)
            elif len(providers) == 1:
                (name,) = providers
                continue
            return

    # -- a request

    def resolve(self, request: Request) -> Resolution:
        """Add what the packages of a request need."""
        return _Search(self, request, self._first_alternative).run(self._may_be_missing)


_NOTHING = _Needs(_NONE, _NONE, (), _NONE)


class _Search:
    """The search for one request."""

    def __init__(self, resolver: Resolver, request: Request, first_alternative: bool) -> None:
        self._resolver = resolver
        self._request = request
        self._first_alternative = first_alternative
        self._result: set[str] = set(request.names)
        self._pending: list[str] = sorted(request.names)
        self._both: dict[str, str] = {}
        self._alternatives: dict[tuple[str, ...], str] = {}
        self._conditional: dict[Conditional, str] = {}
        self._unknown: set[str] = set()
        self._needed_by: dict[str, str] = {}

    def run(self, may_be_missing: tuple[str, ...]) -> Resolution:
        for name in list(self._pending):
            if self._resolver.offering(name) is None:
                # The provider of a virtual name is added beside it if there is only one.
                self._require((name,), name)
        self._follow()
        while self._decide():
            self._follow()
        missing = (name for name in self._unknown if not (may_be_missing and name.startswith(may_be_missing)))
        return Resolution(frozenset(self._result), frozenset(missing), self._needed_by)

    def _follow(self) -> None:
        """Add what is required beyond doubt, until nothing is left."""
        recommended, resolver, pending, result = self._request.recommended, self._resolver, self._pending, self._result
        while pending:
            name = pending.pop()
            needs = resolver.needs(name, recommended.get(name))
            fresh = needs.packages - result
            if fresh:
                result |= fresh
                # Sorted, so that what is found first does not depend on the order of a set.
                pending += sorted(fresh)
                self._needed_by.update(dict.fromkeys(fresh, name))
            if needs.both:
                self._both.update(dict.fromkeys(needs.both - result, name))
            if needs.alternatives and self._first_alternative:
                self._alternatives.update(dict.fromkeys(needs.alternatives, name))
            if needs.unknown:
                self._unknown |= needs.unknown
            if needs.conditional:
                self._conditional.update(dict.fromkeys(needs.conditional, name))

    def _decide(self) -> bool:
        """Decide what depends on everything else; true if that adds something."""
        both, self._both = self._both, {}
        for name, by in sorted(both.items()):
            if not self._has_any(self._resolver.providers(name)):
                self._add(name, by)
        if self._pending or self._meet_conditional(with_absent=False) or self._meet_conditional(with_absent=True):
            return True
        alternatives, self._alternatives = self._alternatives, {}
        for names, by in alternatives.items():
            if not self._is_fulfilled(names):
                self._add_first(names, by)
        return bool(self._pending)

    def _meet_conditional(self, *, with_absent: bool) -> bool:
        """Meet the requirements whose conditions hold; true if that leads to something."""
        for one, by in list(self._conditional.items()):
            if bool(one.absent) != with_absent or not all(map(self._is_present, one.present)):
                continue
            del self._conditional[one]
            if not any(map(self._is_present, one.absent)) and self._require(one.names, by):
                return True
        return False

    def _require(self, names: tuple[str, ...], by: str) -> bool:
        if len(names) > 1:
            self._alternatives.update({names: by} if self._first_alternative else {})
            return False
        packages: set[str] = set()
        both: set[str] = set()
        self._resolver.sort_in(names[0], packages, both, self._unknown)
        self._both.update(dict.fromkeys(both - self._result, by))
        for name in packages:
            self._add(name, by)
        return bool(self._pending or self._both)

    def _is_present(self, name: str) -> bool:
        return name in self._result or self._has_any(self._resolver.providers(name))

    def _add(self, name: str, by: str) -> None:
        if name not in self._result:
            self._result.add(name)
            self._needed_by[name] = by
            self._pending.append(name)

    def _add_first(self, names: Iterable[str], by: str) -> None:
        for name in names:
            if self._resolver.offering(name) is not None:
                self._add(name, by)
                return
            providers = self._resolver.providers(name)
            if providers:
                self._add(providers[0], by)
                return

    def _has_any(self, names: Iterable[str]) -> bool:
        return not self._result.isdisjoint(names)

    def _is_fulfilled(self, alternatives: Sequence[str]) -> bool:
        return self._has_any(alternatives) or any(
            self._has_any(self._resolver.providers(name)) for name in alternatives
        )
