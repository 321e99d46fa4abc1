"""Conditions: Group and Client elements that no client can meet, or that name nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lxml import etree

from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind

_TAGS = ("Group", "Client")


@dataclass
class _Met:
    """The conditions around an element: names that must hold, and that must not."""

    groups: dict[str, etree._Element] = field(default_factory=dict)
    not_groups: set[str] = field(default_factory=set)
    client: str | None = None
    not_clients: set[str] = field(default_factory=set)


class Conditions(Check):
    """The conditions in bundles, Rules, Svcmgr, Defaults, Decisions and info.xml."""

    name = "Conditions"
    is_own = True
    needs_core = True
    kinds = (
        Kind(
            "contradicting-conditions",
            "warning",
            "A condition contradicts the conditions around it, so its content is for no client.",
            "Remove the element, or move it out of the other condition.",
        ),
        Kind(
            "repeated-condition",
            "note",
            "A condition repeats one of the conditions around it.",
            "Remove the inner element, and keep its content.",
        ),
        Kind(
            "unknown-group",
            "note",
            "A condition names a group that is nowhere else.",
            "Correct the name, or declare the group in Metadata/groups.xml. Groups that only "
            "your own plugins give are known once a client is in them.",
        ),
        Kind(
            "unknown-client",
            "note",
            "A condition names a client that is not in the client list.",
            "Correct the name, or remove the element.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        for path in self._files():
            root = self.site.document(path).root
            if root is not None and self.site.concerns(path):
                yield from self._check(root, _Met(), path)

    def _files(self) -> Iterator[Path]:
        if "Bundler" in self.site.plugins:
            yield from self.site.bundle_files
        for plugin in ("Rules", "Svcmgr", "Defaults", "Decisions", "Deps", "Pkgmgr"):
            if plugin in self.site.plugins:
                yield from self.site.plugin_files(plugin)
        if "Cfg" in self.site.plugins:
            for entry in self.site.cfg.entries.values():
                yield from (file.path for file in entry.files if file.path.suffix == ".xml")

    @cached_property
    def _categories(self) -> Mapping[str, str]:
        """Group -> its category."""
        found = {}
        for element in self.site.document(self.site.groups_file).tagged("Group"):
            if element.get("category"):
                found[element.get("name", "")] = element.get("category", "")
        return found

    def _check(self, parent: etree._Element, met: _Met, path: Path) -> Iterator[Finding]:
        for child in parent.iterchildren(etree.Element):
            if child.tag not in _TAGS or not child.get("name") or "$" in child.get("name", ""):
                # The text of a template may stand around conditions, which hold inside all the same.
                yield from self._check(child, met, path)
                continue
            name, is_negated = child.get("name", ""), child.get("negate", "").lower() == "true"
            contradiction, is_repeated = self._compare(child, name, is_negated, met)
            if contradiction:
                yield self.found_at("contradicting-conditions", contradiction, child, path)
                continue
            if is_repeated:
                message = f"{child.tag} {name} repeats a condition around it"
                yield self.found_at("repeated-condition", message, child, path)
            yield from self._check_name(child, name, path)
            yield from self._check(child, _extended(met, child, name, is_negated), path)

    def _compare(self, child: etree._Element, name: str, is_negated: bool, met: _Met) -> tuple[str, bool]:
        """Return why no client meets a condition, and true if every client that meets the others meets it."""
        not_word = "not " if is_negated else ""
        if child.tag == "Client":
            if is_negated:
                is_excluded, repeats = met.client == name, name in met.not_clients
            else:
                is_excluded = name in met.not_clients or met.client not in (None, name)
                repeats = met.client == name
            around = f"for {met.client}" if met.client else f"not for {name}"
            return (f"{not_word}for client {name}, inside of a part {around}" if is_excluded else "", repeats)
        if is_negated:
            if name in met.groups:
                return f"not for group {name}, inside of a part for group {name}", False
            return "", name in met.not_groups
        if name in met.not_groups:
            return f"for group {name}, inside of a part not for group {name}", False
        category = self._categories.get(name)
        for other in met.groups:
            if category is not None and other != name and self._categories.get(other) == category:
                why = f"a client has one group of the category {category}"
                return f"for group {name}, inside of a part for group {other}; {why}", False
        return "", name in met.groups

    def _check_name(self, child: etree._Element, name: str, path: Path) -> Iterator[Finding]:
        if child.tag == "Client":
            if name.lower() not in self.site.client_names:
                yield self.found_at("unknown-client", f"no client has the name {name}", child, path)
        elif name not in self.site.known_groups:
            yield self.found_at("unknown-group", f"no group has the name {name}", child, path)


def _extended(met: _Met, child: etree._Element, name: str, is_negated: bool) -> _Met:
    new = _Met(dict(met.groups), set(met.not_groups), met.client, set(met.not_clients))
    if child.tag == "Client":
        if is_negated:
            new.not_clients.add(name)
        else:
            new.client = name
    elif is_negated:
        new.not_groups.add(name)
    else:
        new.groups[name] = child
    return new
