"""The sources that a client has, as one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from geventcore.cache import RecentItems
from geventcore.plugins.packages.additions import Addition, Wanted, make_addition
from geventcore.plugins.packages.apt_resolver import AptResolver
from geventcore.plugins.packages.configuration import CONFIGURATIONS
from geventcore.plugins.packages.index import PackageIndex
from geventcore.plugins.packages.resolver import Request, Resolution, Resolver
from geventcore.plugins.packages.source import Source
from geventcore.plugins.packages.urls import public_url

log = logging.getLogger(__name__)

#: The types of sources that have groups of packages.
KINDS_WITH_GROUPS = frozenset({"yum", "pac"})
#: Type of sources -> beginnings of requirements that no package fulfils, and that nobody misses.
MAY_BE_MISSING: Mapping[str, tuple[str, ...]] = {"yum": ("rpmlib",)}
#: The type of packages where no source says which one.
UNKNOWN_TYPE = "unknown"
#: The memory for additions that are kept of one collection, in bytes: some thousand clients of 300 packages.
MAX_ADDITIONS_BYTES = 128 << 20
#: What a name of a request takes in the memory, in bytes.
NAME_BYTES = 64


class Indexes(Protocol):
    """The indexes that have been made of sources."""

    def index(self, source: Source, architecture: str) -> PackageIndex | None:
        """The index of one architecture of a source; None if there are no data of it."""


@dataclass(frozen=True)
class ClientSource:
    """A source with the indexes of the architectures that a client has.

    Attributes:
        source: the source.
        architectures: the client's, in the order of the source.
        indexes: those that there are data of.
    """

    source: Source
    architectures: tuple[str, ...]
    indexes: tuple[PackageIndex, ...]

    @property
    def recommended(self) -> bool:
        """True if recommended packages are added by default; an entry may override it."""
        return self.source.recommended

    def offers(self, name: str) -> bool:
        """Return true if the source has a package, and its blacklist and whitelist allow it."""
        return any(index.is_package(name) for index in self.indexes) and self.source.allows(name)


class Collection:
    """The sources of all clients that have the same ones.

    Attributes:
        sources: in the order of ``sources.xml``.
        kind: the type that all of them have; empty if there are several or none.
        package_type: the type of packages.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, tuple[str, ...]]],
        indexes: Indexes,
        *,
        first_alternative: bool = False,
        apt_like: bool = False,
        breathe: Callable[[], None] = lambda: None,
    ) -> None:
        """`apt_like` counts if all sources are of apt, and `first_alternative` if not.

        `breathe` lets other clients run if this one has computed for some time.
        """
        self.sources = tuple(
            ClientSource(
                source,
                architectures,
                tuple(index for arch in architectures if (index := indexes.index(source, arch)) is not None),
            )
            for source, architectures in sources
        )
        kinds = {source.kind for source, _ in sources}
        self.kind = next(iter(kinds)) if len(kinds) == 1 else ""
        self.package_type = sources[0][0].package_type if sources else UNKNOWN_TYPE
        self._resolver: Resolver | AptResolver
        if apt_like and self.kind == "apt":
            self._resolver = AptResolver(self.sources, breathe=breathe)
        else:
            self._resolver = Resolver(
                self.sources,
                may_be_missing=MAY_BE_MISSING.get(self.kind, ()),
                first_alternative=first_alternative,
                breathe=breathe,
            )
        self._additions: RecentItems[tuple[Wanted, str], Addition] = RecentItems(MAX_ADDITIONS_BYTES)

    @cached_property
    def essential_packages(self) -> frozenset[str]:
        """The packages that every client of these sources has."""
        return frozenset(
            name
            for source in self.sources
            if source.source.essential
            for index in source.indexes
            for name in index.essential_packages()
        )

    def group_members(self, name: str, kind: str) -> tuple[str, ...]:
        """The packages of a group, from the first source that has it; logs an error if there are none.

        `kind` is ``mandatory``, ``default``, ``optional`` or ``all``; see `PackageGroup.members`.
        """
        name = name.removeprefix("@")
        if self.kind not in KINDS_WITH_GROUPS:
            log.error("Package group %r is not expanded: sources of type %s have no groups", name, self.kind or "any")
            return ()
        for source in self.sources:
            found = [group for index in source.indexes if (group := index.group(name)) is not None]
            if found:
                return tuple(dict.fromkeys(member for group in found for member in group.members(kind)))
        log.error("Package group %r is not expanded: no source has it", name)
        return ()

    def resolve(self, names: frozenset[str], recommended: Mapping[str, bool]) -> Resolution:
        """The packages that a client needs which asks for some."""
        return self._resolver.resolve(Request(names, recommended))

    # -- warming up

    @property
    def known_number(self) -> int:
        """The number of packages that the resolver has found something out about."""
        return self._resolver.known_number

    @property
    def known_names(self) -> set[str]:
        """The packages that the resolver has found something out about."""
        return self._resolver.known_names

    def warm_up(self, names: Iterable[str]) -> None:
        """Find out about packages before a client asks for them."""
        self._resolver.warm_up(names)

    # -- for clients

    def addition(self, wanted: Wanted, version: str) -> Addition:
        """The packages that are added for a client, with a version; kept for the next time, and for other clients."""
        key = wanted, version
        found = self._additions.get(key)
        if found is None:
            found = make_addition(wanted, self._resolver.resolve(wanted.request), version, self.package_type)
            self._additions.put(key, found, found.size + NAME_BYTES * len(wanted.named))
        return found

    @cached_property
    def configuration(self) -> str:
        """The file for the client's package manager; empty, with an error in the log, if this type has none."""
        make = CONFIGURATIONS.get(self.kind)
        if make is None:
            what = f"sources of type {self.kind}" if self.kind else "no sources, or of several types"
            log.error("No package manager configuration can be generated for clients with %s", what)
            return ""
        return make((source.source, source.architectures) for source in self.sources)

    def keys(self) -> Iterator[str]:
        """The URLs of the keys that these sources name, each once."""
        return iter(dict.fromkeys(key for source in self.sources for key in source.source.keys))

    def objects(self) -> list[dict[str, object]]:
        """Return the repositories as JSON can represent them."""
        return [
            {
                "name": client_source.source.repository_name(location),
                "type": client_source.source.package_type,
                "url": public_url(location.url),
                "keys": list(client_source.source.keys),
                "blacklist": list(client_source.source.blacklist_words),
                "whitelist": list(client_source.source.whitelist_words),
            }
            for client_source in self.sources
            for location in client_source.source.locations
            if location.architecture in client_source.architectures
        ]

    def describe(self) -> str:
        """Return a text about each repository, for people; the form is that of ``bcfg2-info packagesources``."""
        lines = []
        for client_source in self.sources:
            source = client_source.source
            for location in source.locations:
                if location.architecture in client_source.architectures:
                    lines += [
                        f"Name: {source.repository_name(location)}",
                        f"  Type: {source.package_type}",
                        f"  URL: {public_url(location.url)}",
                        f"  GPG Key(s): {', '.join(source.keys) or 'None'}",
                        *([f"  Blacklist: {', '.join(source.blacklist_words)}"] if source.blacklist else []),
                        *([f"  Whitelist: {', '.join(source.whitelist_words)}"] if source.whitelist else []),
                        "",
                    ]
        return "\n".join(lines)
