"""Client metadata: a client's groups and bundles, and the data that connectors add.

The public names of `ClientMetadata` and `MetadataQuery` are Bcfg2's, because the templates of a site use them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from geventcore.plugin.client_version import ClientVersion

log = logging.getLogger(__name__)


@dataclass(eq=False)
class MetadataGroup:
    """The declaration of a group.

    Two groups are equal if their names are equal, so a set of groups has each name once.
    """

    name: str
    bundles: frozenset[str] = frozenset()
    category: str | None = None
    is_profile: bool = False
    is_public: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MetadataGroup) and other.name == self.name


@dataclass
class MetadataQuery:
    """Queries about all clients, for templates: ``metadata.query``.

    Attributes:
        by_name: host name -> its full metadata.
        names_by_groups_set: names of the clients that are in *all* of the given groups.
        names_by_profiles_set: names of the clients whose profile is *any* of the given ones.
        all_clients: names of all clients.
        all_groups: names of all groups.
        all_groups_in_category: category -> names of its groups.
    """

    by_name: Callable[[str], ClientMetadata]
    names_by_groups_set: Callable[[Iterable[str]], Iterable[str]]
    names_by_profiles_set: Callable[[Iterable[str]], Iterable[str]]
    all_clients: Callable[[], list[str]]
    all_groups: Callable[[], set[str]]
    all_groups_in_category: Callable[[str], set[str]]

    @staticmethod
    def _as_list(function: str, names: Iterable[str]) -> list[str]:
        if isinstance(names, str):
            log.warning(
                "metadata.query.%s expects a list of names, but got the text %r; using it as one name", function, names
            )
            return [names]
        return list(names)

    def names_by_groups(self, groups: Iterable[str]) -> list[str]:
        """Names of the clients that are in all of `groups`."""
        return list(self.names_by_groups_set(self._as_list("names_by_groups", groups)))

    def names_by_profiles(self, profiles: Iterable[str]) -> list[str]:
        """Names of the clients whose profile is one of `profiles`."""
        return list(self.names_by_profiles_set(self._as_list("names_by_profiles", profiles)))

    def by_groups(self, groups: Iterable[str]) -> list[ClientMetadata]:
        """The metadata of the clients that are in all of `groups`."""
        return [self.by_name(name) for name in self.names_by_groups(self._as_list("by_groups", groups))]

    def by_profiles(self, profiles: Iterable[str]) -> list[ClientMetadata]:
        """The metadata of the clients whose profile is one of `profiles`."""
        return [self.by_name(name) for name in self.names_by_profiles(self._as_list("by_profiles", profiles))]

    def all(self) -> list[ClientMetadata]:
        """The metadata of every client."""
        return [self.by_name(name) for name in self.all_clients()]


@dataclass(eq=False, repr=False)
class ClientMetadata:
    """The metadata of one client.

    Each connector plugin adds an attribute with the plugin's name: ``metadata.Probes``, ``metadata.Properties``; the
    names are in `connectors`. Reading a missing attribute raises `AttributeError`.

    Attributes:
        hostname: the canonical, lower-case name.
        profile: the client's profile group, or None.
        groups, bundles, aliases, addresses: names.
        categories: category -> the client's group in it.
        uuid, password: from the client list, or None.
        version: the version string that the client declared, or None.
        version_info: the same, comparable, or None.
        query: queries about other clients.
        scratch: results that were computed for this object and are valid for one run, such as rendered templates.
    """

    hostname: str
    profile: str | None = None
    groups: set[str] = field(default_factory=set)
    bundles: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    categories: dict[str, str] = field(default_factory=dict)
    uuid: str | None = None
    password: str | None = None
    version: str | None = None
    version_info: ClientVersion | None = None
    query: MetadataQuery | None = None
    connectors: list[str] = field(default_factory=list)
    scratch: dict[Any, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the metadata of {self.hostname} have no attribute {name!r}")

    def copy(self) -> ClientMetadata:
        """Return a copy whose sets and dict can be changed independently; connector data are shared."""
        new = object.__new__(ClientMetadata)
        state = dict(self.__dict__, scratch={})
        for name in ("groups", "bundles", "aliases", "addresses", "categories", "connectors"):
            state[name] = state[name].copy()
        new.__dict__.update(state)
        return new

    def inGroup(self, name: str) -> bool:  # noqa: N802 - the name that sites' templates use
        """Return true if the client is in the group."""
        return name in self.groups

    def groups_among(self, names: frozenset[str | None]) -> frozenset[str | None]:
        """Return those of some groups that the client is in."""
        return names.intersection(self.groups)

    def group_in_category(self, category: str) -> str:
        """Return the client's group in a category, or ``""``."""
        if self.query is not None:
            for group in self.query.all_groups_in_category(category):
                if group in self.groups:
                    return group
        return ""

    def __repr__(self) -> str:
        return f"ClientMetadata({self.hostname}, profile={self.profile}, groups={sorted(self.groups)})"
