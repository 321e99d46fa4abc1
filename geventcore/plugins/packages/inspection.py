"""Mistakes in ``sources.xml`` and in the names of packages, for tools that look for them. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.plugins.packages.resolver import Resolution
from geventcore.plugins.packages.source import Source, parse_source
from geventcore.plugins.packages.urls import split_login

SCHEMES = ("http", "https", "ftp", "file")
ATTRIBUTES = frozenset(
    {"type", "url", "rawurl", "version", "name", "recommended", "essential", "debsrc", "pulp_id", "pulpid"}
)
ELEMENTS = frozenset({"Component", "Arch", "GPGKey", "Options", "Blacklist", "Whitelist"})
#: Attributes that are true or false.
SWITCHES = ("recommended", "essential", "debsrc")


@dataclass(frozen=True)
class Problem:
    """A mistake.

    Attributes:
        line: the line of the element in its file; 0 if it is unknown.
        text: one sentence.
    """

    line: int
    text: str


def source_problems(root: etree._Element, backends: Iterable[str]) -> Iterator[Problem]:
    """Yield the mistakes in the sources of a document; `backends` as in ``[packages] backends``."""
    for element in root.iter("Source"):
        line = cast(int, element.sourceline or 0)
        try:
            source = parse_source(element, "sources.xml", backends)
        except RepositoryError as err:
            # The place is told apart.
            yield Problem(line, str(err).removeprefix(f"sources.xml: line {element.sourceline}: "))
            continue
        for text in (*_url_problems(source), *_content_problems(element, source)):
            yield Problem(line, text)


def _url_problems(source: Source) -> Iterator[str]:
    if source.origin.is_empty:
        yield "this Source has neither url nor rawurl, so it has no packages"
    for name, url in (("url", source.url), ("rawurl", source.rawurl), *(("GPGKey", key) for key in source.keys)):
        if not url:
            continue
        public = split_login(url)[0]
        parts = urlsplit(public)
        if parts.scheme not in SCHEMES:
            yield f"{name} {public} has no scheme that can be fetched; expected one of {', '.join(SCHEMES)}"
        elif parts.scheme != "file" and not parts.hostname:
            yield f"{name} {public} names no host"
    if source.rawurl and not source.url and source.kind == "pac":
        yield "pacman sources need url and Component elements, not rawurl"


def _content_problems(element: etree._Element, source: Source) -> Iterator[str]:
    if not source.architectures:
        yield "this Source has no Arch element, so no client has it"
    if not source.components and not source.rawurl and source.url:
        yield "this Source has no Component element, so it has no packages"
    if source.kind == "apt" and not source.version and not source.rawurl:
        yield "this Source has no version, which names the suite of an apt repository"
    for name in element.attrib:
        if name not in ATTRIBUTES:
            yield f"the attribute {name!s} is unknown"
    for name in SWITCHES:
        word = element.get(name)
        if word is not None and word.lower() not in ("true", "false"):
            yield f'{name}="{word}" means false; expected true or false'
    for child in element.iterchildren("*"):
        if child.tag not in ELEMENTS:
            yield f"the element {child.tag} is unknown"
        elif child.tag != "Options" and not (child.text or "").strip():
            yield f"the element {child.tag} is empty"
    both = source.blacklist & source.whitelist
    if both:
        yield f"these packages are in Blacklist and Whitelist: {', '.join(sorted(both))}"


def reasons(name: str, needed_by: Mapping[str, str]) -> list[str]:
    """Return why a package is there: its name, the package that needs it, and so on to one that was asked for."""
    chain = [name]
    while (by := needed_by.get(chain[-1])) is not None and by not in chain:
        chain.append(by)
    return chain


def unknown_names(wanted: Iterable[str], resolution: Resolution) -> list[str]:
    """Return the names that were asked for and that no source has, sorted."""
    return sorted(resolution.unknown.intersection(wanted))
