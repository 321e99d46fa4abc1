"""Completion of entries, groups and bundles in the shell, from the files of the repository.

The files are read without a core: whoever types a command line does not want to wait for a build, and a repository
that cannot be loaded still has names. Names that a template makes are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from geventcore.cli.command import settings_of
from geventcore.errors import GeventcoreError
from geventcore.options.server import REPOSITORY

#: Elements of bundles that are no entries.
_NO_ENTRIES = frozenset({"Bundle", "RequiredBundle", "Group", "Client"})
#: A name with other characters would have to be quoted, or is an expression of a template.
_PLAIN = re.compile(r"[\w./:@%+,=~-]+")
_WORDS = ("group", "bundle")


def _elements(repository: Path, *patterns: str) -> Iterator[tuple[str, str]]:
    """Yield the tag and the name of each element in the files that match."""
    from lxml import etree

    for path in sorted(path for pattern in patterns for path in repository.glob(pattern)):
        try:
            parsed = etree.iterparse(path, events=("start",), recover=True, no_network=True, resolve_entities=False)
            for _, element in parsed:
                name = element.get("name", "")
                if isinstance(element.tag, str) and _PLAIN.fullmatch(name):
                    yield element.tag, name
        except (OSError, etree.XMLSyntaxError):
            continue


def entry_names(repository: Path) -> set[str]:
    """Return the entries of all bundles, as ``Tag:name``."""
    found = _elements(repository, "Bundler/**/*.xml", "Bundler/**/*.genshi", "Base/**/*.xml")
    # An element in another namespace is an instruction of a template.
    return {f"{tag.removeprefix('Bound')}:{name}" for tag, name in found if tag not in _NO_ENTRIES and tag[0] != "{"}


def bundle_names(repository: Path) -> set[str]:
    """Return the names of all bundles."""
    files = {path.stem for end in ("xml", "genshi") for path in repository.glob(f"Bundler/**/*.{end}")}
    return {name for name in files if _PLAIN.fullmatch(name)}


def group_names(repository: Path) -> set[str]:
    """Return the names of groups in the files of Metadata."""
    return {name for tag, name in _elements(repository, "Metadata/**/*.xml") if tag == "Group"}


def _items(ctx: click.Context, incomplete: str, *kinds: Any) -> list[CompletionItem]:
    try:
        repository = settings_of(ctx)[REPOSITORY]
        names: Iterable[str] = sorted({name for kind in kinds for name in kind(repository)})
    except (GeventcoreError, OSError):
        # An error message would disturb the line that the user is typing.
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class _Word(click.ParamType[str]):
    """A word as it is."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)


class EntryName(_Word):
    """An entry, as ``Tag:name``."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _items(ctx, incomplete, entry_names)


class GroupName(_Word):
    """A group."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _items(ctx, incomplete, group_names)


class BundleName(_Word):
    """A bundle."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _items(ctx, incomplete, bundle_names)


class Subject(_Word):
    """A subject of ``explain``: ``Tag:name``, ``/path``, ``group NAME`` or ``bundle NAME``."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before = (ctx.params.get(param.name or "") or ("",))[-1]
        if before in _WORDS:
            return _items(ctx, incomplete, group_names if before == "group" else bundle_names)
        if incomplete.startswith("/"):
            return [
                CompletionItem(item.value.removeprefix("Path:"))
                for item in _items(ctx, f"Path:{incomplete}", entry_names)
            ]
        words = [CompletionItem(word) for word in _WORDS if word.startswith(incomplete)]
        return words + _items(ctx, incomplete, entry_names)


ENTRY_NAME = EntryName()
GROUP_NAME = GroupName()
BUNDLE_NAME = BundleName()
SUBJECT = Subject()
