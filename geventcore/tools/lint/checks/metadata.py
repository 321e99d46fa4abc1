"""Metadata: groups and clients that contradict each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from geventcore.plugins.metadata.groups import GroupTable
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind
from geventcore.tools.lint.site import direct_groups
from geventcore.tools.log_recording import recorded_log


class Metadata(Check):
    """``groups.xml`` and ``clients.xml``."""

    name = "Metadata"
    plugin = "Metadata"
    kinds = (
        Kind(
            "nested-client-tags",
            "warning",
            "A Client stands in another Client in groups.xml, so it never applies.",
            "Move it out of the other one.",
        ),
        Kind(
            "deprecated-clients-options",
            "warning",
            "A client has the deprecated attribute location.",
            'Write floating="true" for location="floating", and remove location="fixed"; --fix does that.',
        ),
        Kind(
            "nonexistent-profile-group",
            "error",
            "The profile of a client is not a group.",
            "Correct the profile in clients.xml, or declare the group in groups.xml.",
        ),
        Kind(
            "non-profile-set-as-profile",
            "error",
            "The profile of a client is a group that is not a profile.",
            'Add profile="true" to the group in groups.xml, or give the client another profile.',
        ),
        Kind(
            "duplicate-group",
            "error",
            "A group is declared twice, so one declaration's attributes are lost.",
            "Keep the attributes in one declaration; elsewhere write only the name.",
        ),
        Kind(
            "duplicate-client",
            "error",
            "A client is in clients.xml twice.",
            "Remove one of the two elements.",
        ),
        Kind(
            "multiple-default-groups",
            "error",
            "Several groups are the default; only the last one is used.",
            'Keep default="true" for one group.',
        ),
        Kind(
            "default-is-not-profile",
            "error",
            "The default group is not a profile.",
            'Add profile="true" to it.',
        ),
    )

    def run(self) -> Iterator[Finding]:
        groups, clients = self.site.groups_file, self.site.clients_file
        root = self.site.document(groups).root if groups.is_file() else None
        if root is not None:
            yield from self._check_groups(root, groups)
        if clients.is_file():
            yield from self._check_clients(clients, root)

    def _check_groups(self, root: etree._Element, path: Path) -> Iterator[Finding]:
        for element in root.iter("Client"):
            if next(element.iterancestors("Client"), None) is not None:
                message = f"the client {element.get('name')} stands in another Client"
                yield self.found_at("nested-client-tags", message, element, path)
        direct = list(direct_groups(root))
        known = set(direct)
        nested = [each for each in root.iter("Group") if each not in known]
        seen: set[str | None] = set()
        for element in (*direct, *nested):
            is_in_group = next(element.iterancestors("Group"), None) is not None
            if element not in known and not is_in_group:
                continue
            name = element.get("name")
            if name in seen and set(element.attrib) - {"name", "negate"}:
                message = f"the group {name} is declared twice"
                yield self.found_at("duplicate-group", message, element, path)
            seen.add(name)
        yield from self._check_default(root, path)

    def _check_default(self, root: etree._Element, path: Path) -> Iterator[Finding]:
        outside = [each for each in root.iter("Group") if next(each.iterancestors("Client"), None) is None]
        defaults = [each for each in outside if each.get("default", "").lower() == "true"]
        if len(defaults) > 1:
            names = ", ".join(str(each.get("name")) for each in defaults)
            message = f"several groups are the default: {names}"
            yield self.found_at("multiple-default-groups", message, defaults[-1], path)
        effective = [each for each in defaults if each.get("default") == "true"]
        if effective and effective[-1].get("profile", "").lower() != "true":
            message = f"the default group {effective[-1].get('name')} is not a profile"
            yield self.found_at("default-is-not-profile", message, effective[-1], path)

    def _check_clients(self, path: Path, root: etree._Element | None) -> Iterator[Finding]:
        with recorded_log():
            # The schema and the server say what they ignore.
            table = GroupTable() if root is None else GroupTable.of_root(root, str(self.site.groups_file))
        count = Counter[str | None]()
        for element in self.site.document(path).tagged("Client"):
            name, profile = element.get("name"), element.get("profile", "")
            count[name] += 1
            if count[name] == 2:
                yield self.found_at("duplicate-client", f"the client {name} is there twice", element, path)
            if element.get("location"):
                message = f"the client {name} has the deprecated attribute location={element.get('location')!r}"
                place = self.site.place(path, element, "location")
                yield self.found("deprecated-clients-options", message, place, f"Client:{name}")
            if table.get(profile) is None:
                message = f"the client {name} has the profile {profile}, which is not a group"
                yield self.found_at("nonexistent-profile-group", message, element, path)
            elif not table.is_profile(profile):
                message = f"the client {name} has the profile {profile}, a group that is not a profile"
                yield self.found_at("non-profile-set-as-profile", message, element, path)
