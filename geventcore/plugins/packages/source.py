"""The sources of packages that ``sources.xml`` lists, and the conditions under which a client has them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.packages.kinds.base import Origin
from geventcore.plugins.packages.urls import public_url, split_login
from geventcore.specfiles.conditions import condition_holds, is_conditional

log = logging.getLogger(__name__)

#: The types of sources, in lower case, with the types of the packages that they have.
PACKAGE_TYPES: Mapping[str, str] = {"apt": "deb", "yum": "yum", "pac": "pacman", "pkgng": "pkgng"}

#: Characters that a repository's name does not have unless the site has named it.
_ODD_CHARACTERS = re.compile(r"[^A-Za-z0-9\-_.:]")
_PULP_NAME = re.compile(r"pulp/repos/(?P<name>[^/]+)")
_RPMS_NAME = re.compile(r"/RPMS\.(?P<name>[^/]+)")


@dataclass(frozen=True)
class Location:
    """One place of a source: one component for one architecture.

    Attributes:
        url: where the files are; ends in a slash.
        base_url: the ``url`` or ``rawurl`` of the source.
    """

    version: str
    component: str
    architecture: str
    base_url: str
    url: str


@dataclass(frozen=True, eq=False)
class Source:
    """One ``Source`` element.

    Attributes:
        kind: its type in lower case, a key of `PACKAGE_TYPES`.
        url, rawurl: as the attributes, with a slash at the end; empty if there is none. May hold a login.
        name: the name that the site gives; empty if it gives none.
        conditions: the conditional elements around it, outermost first.
        server_options, client_options: the attributes of ``Options`` elements, for each side.
        line: where it stands, for messages.
    """

    kind: str
    url: str
    rawurl: str
    version: str
    name: str
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    keys: tuple[str, ...]
    blacklist: frozenset[str]
    whitelist: frozenset[str]
    blacklist_words: tuple[str, ...]
    whitelist_words: tuple[str, ...]
    recommended: bool
    essential: bool
    debsrc: bool
    conditions: tuple[etree._Element, ...]
    server_options: Mapping[str, str]
    client_options: Mapping[str, str]
    line: str

    @cached_property
    def origin(self) -> Origin:
        """The identity of the source: the files that it has."""
        return Origin(self.kind, self.url, self.rawurl, self.version, self.components, self.architectures)

    @property
    def package_type(self) -> str:
        """The type of its packages."""
        return PACKAGE_TYPES[self.kind]

    @property
    def place(self) -> str:
        """The URL that it is known by, for messages."""
        return public_url(self.rawurl or self.url) or self.line

    def applies(self, metadata: ClientMetadata) -> bool:
        """Return true if a client has one of the architectures of this source and meets all its conditions."""
        return any(arch in metadata.groups for arch in self.architectures) and all(
            condition_holds(condition, metadata) for condition in self.conditions
        )

    def client_architectures(self, metadata: ClientMetadata) -> tuple[str, ...]:
        """The architectures that a client has, in the order of the file."""
        return tuple(arch for arch in self.architectures if arch in metadata.groups)

    def allows(self, package: str) -> bool:
        """Return true if the blacklist and the whitelist allow a package."""
        return package not in self.blacklist and (not self.whitelist or package in self.whitelist)

    @property
    def locations(self) -> Iterator[Location]:
        """Each component for each architecture, as templates see them."""
        if self.rawurl:
            for arch in self.architectures:
                yield Location(self.version, "", arch, self.rawurl, self.rawurl)
            return
        for component in self.components:
            for arch in self.architectures:
                parts = "/".join(part for part in (self.version, component, arch) if part)
                yield Location(self.version, component, arch, self.url, f"{self.url}{parts}/")

    def repository_name(self, location: Location) -> str:
        """The name of a location in a generated configuration.

        It is the one that the site gives, else the component, else the last part of the URL behind the innermost group
        around the source that is not negated.
        """
        if self.name:
            return self.name
        if location.component:
            return _ODD_CHARACTERS.sub("-", location.component)
        group = next(
            (
                condition.get("name", "")
                for condition in reversed(self.conditions)
                if condition.tag == "Group" and condition.get("negate", "false").lower() != "true"
            ),
            "",
        )
        name = "-".join(part for part in (group, self._last_part()) if part) or location.url
        return _ODD_CHARACTERS.sub("-", name)

    def _last_part(self) -> str:
        for pattern in (_PULP_NAME, _RPMS_NAME):
            match = pattern.search(self.rawurl or self.url)
            if match is not None:
                return match["name"]
        return (self.rawurl or self.url).rstrip("/").rpartition("/")[2]


def read_sources(root: etree._Element, path: str, backends: Iterable[str]) -> list[Source]:
    """All sources of a document, in its order. One that cannot be used is logged and left out.

    `backends` are the types that are read, as in ``[packages] backends``; a module of Bcfg2's may stand for its type.
    """
    sources = []
    for element in root.iter("Source"):
        try:
            source = parse_source(element, path, backends)
        except RepositoryError as err:
            log.error("%s", err)
            continue
        if source.origin.is_empty:
            log.error("%s: this Source has neither url nor rawurl, so it has no packages", source.line)
        sources.append(source)
    return sources


def parse_source(element: etree._Element, path: str, backends: Iterable[str]) -> Source:
    """Parse a ``Source`` element; `RepositoryError` if it cannot be used."""
    enabled = {name.rpartition(".")[2].lower() for name in backends}
    source = _read_source(element, path)
    if source.kind not in enabled:
        raise RepositoryError(
            f"{source.line}: this Source has type {source.kind}, which [packages] backends leaves out"
        )
    return source


def _read_source(element: etree._Element, path: str) -> Source:
    where = f"{path}: line {element.sourceline}"
    kind = (element.get("type") or "").strip().lower()
    if kind not in PACKAGE_TYPES:
        found = f"type {element.get('type')!r}" if kind else "no type"
        raise RepositoryError(f"{where}: this Source has {found}; the types are {', '.join(PACKAGE_TYPES)}")
    _refuse_templates(element, where)
    url, rawurl = _with_slash(element.get("url", "")), _with_slash(element.get("rawurl", ""))
    for given in (url, rawurl):
        split_login(given)
    server, client = _options(element)
    black, white = _words(element, "Blacklist"), _words(element, "Whitelist")
    return Source(
        kind=kind,
        url=url,
        rawurl=rawurl,
        version=element.get("version", "").strip(),
        name=element.get("name", ""),
        components=_words(element, "Component"),
        architectures=_words(element, "Arch"),
        keys=_words(element, "GPGKey"),
        blacklist=frozenset(black),
        whitelist=frozenset(white),
        blacklist_words=black,
        whitelist_words=white,
        recommended=_is_true(element.get("recommended", "false")),
        essential=_is_true(element.get("essential", "true")),
        debsrc=element.get("debsrc", "false") == "true",
        conditions=tuple(reversed([above for above in element.iterancestors() if is_conditional(above)])),
        server_options=server,
        client_options=client,
        line=where,
    )


def _is_true(word: str) -> bool:
    return word.lower() == "true"


def _words(element: etree._Element, tag: str) -> tuple[str, ...]:
    found = ((child.text or "").strip() for child in element.iterchildren(tag))
    return tuple(word for word in found if word)


def _with_slash(url: str) -> str:
    url = url.strip()
    return url if not url or url.endswith("/") else f"{url}/"


def _options(element: etree._Element) -> tuple[dict[str, str], dict[str, str]]:
    """The options for the server, and those for the client."""
    server: dict[str, str] = {}
    client: dict[str, str] = {}
    for options in element.iterchildren("Options"):
        given = {str(name): str(value) for name, value in options.items()}
        client_only = _is_true(given.pop("clientonly", "false"))
        server_only = _is_true(given.pop("serveronly", "false"))
        if not client_only:
            server.update(given)
        if not server_only:
            client.update(given)
    return server, client


def _refuse_templates(element: etree._Element, where: str) -> None:
    """Refuse a source around which a template decides: this file is no template, so every client would have it."""
    for above in (element, *element.iterancestors()):
        names = [str(name) for name in above.attrib] + [str(above.tag)]
        if any(name.startswith("{http://genshi.edgewall.org/}") for name in names):
            raise RepositoryError(
                f"{where}: sources.xml is not rendered as a template; use Group and Client elements around this Source"
            )
