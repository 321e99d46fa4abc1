"""The places of groups and bundles in ``groups.xml`` and ``clients.xml``, and why a client is in a group or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.explanation import Condition, GroupReason, Obstacle, Source
from geventcore.plugins.metadata.clients import Client
from geventcore.plugins.metadata.groups import GroupTable
from geventcore.plugins.metadata.rules import Rule, compiled_rules, is_negated
from geventcore.specfiles.places import DocumentPlaces, line_of, why_not
from geventcore.specfiles.xmlfile import load_document

PLUGIN = "Metadata"


class _File:
    """A file with its includes, read again for the places of its elements."""

    def __init__(self, path: Path, root_tag: str) -> None:
        self.path = path
        try:
            document = load_document(path)
        except RepositoryError:
            self.root, self._places = etree.Element(root_tag), None
        else:
            self.root, self._places = document.root, DocumentPlaces(document)

    def source(self, element: etree._Element, text: str, conditions: tuple[Condition, ...] = ()) -> Source:
        """Return the source of an element."""
        file, line = self._places.of(element) if self._places is not None else (str(self.path), None)
        return Source(PLUGIN, "element", file, line, text, conditions)


class GroupPlaces:
    """The places of groups, rules and clients in one version of the files."""

    def __init__(self, groups_file: Path, clients_file: Path, table: GroupTable) -> None:
        self._groups = _File(groups_file, "Groups")
        self._clients = _File(clients_file, "Clients")
        self._table = table

    @cached_property
    def _rules(self) -> list[tuple[Rule, etree._Element]]:
        return list(compiled_rules(self._groups.root, str(self._groups.path)))

    # -- groups of a client

    def reasons(self, client: Client | None, metadata: ClientMetadata) -> Mapping[str, list[GroupReason]]:
        """Return the reasons why a client is in groups: its profile first, then rules."""
        found: dict[str, list[GroupReason]] = {}
        for name in client.profiles if client is not None else ():
            source = self._profile_source(metadata.hostname, name)
            found.setdefault(name, []).append(GroupReason(source))
        default = self._table.default
        if default is not None and (client is None or not client.profiles) and default in metadata.groups:
            declaration = self._declaration(default)
            found.setdefault(default, []).append(GroupReason(self._of(declaration, "default group")))
        for rule, element in self._rules:
            if (
                rule.group in metadata.groups
                and not is_negated(element)
                and rule.holds(metadata.hostname, metadata.groups)
            ):
                conditions = tuple(self._conditions(element, metadata))
                source = self._groups.source(element, "rule", conditions)
                found.setdefault(rule.group, []).append(GroupReason(source, tuple(sorted(rule.required))))
        return found

    def _profile_source(self, hostname: str, profile: str) -> Source:
        for element in self._clients.root.iter("Client"):
            if element.get("name", "").lower() == hostname and element.get("profile") == profile:
                return self._clients.source(element, "profile")
        return Source(PLUGIN, "plugin", text="profile in the client list")

    def _conditions(self, element: etree._Element, metadata: ClientMetadata) -> Iterator[Condition]:
        for each in reversed(list(element.iterancestors("Group", "Client"))):
            name = each.get("name", "")
            holds = (name in metadata.groups if each.tag == "Group" else name == metadata.hostname) != is_negated(each)
            yield Condition(str(each.tag), name, is_negated(each), holds, line_of(each))

    def _declaration(self, name: str) -> etree._Element | None:
        """Return the element that declares a group: the first directly in ``Groups``, else the first one."""
        found = [element for element in self._groups.root.iter("Group") if element.get("name") == name]
        top = [element for element in found if getattr(element.getparent(), "tag", None) == "Groups"]
        return next(iter([*top, *found]), None)

    def _of(self, element: etree._Element | None, text: str) -> Source:
        return Source(PLUGIN, "plugin", text=text) if element is None else self._groups.source(element, text)

    # -- bundles

    def bundle_sources(self, bundle: str) -> list[tuple[str, Source]]:
        """Return the groups that bring a bundle, each with the place of the ``Bundle`` element."""
        found = []
        for name, group in self._table.declared.items():
            if bundle in group.bundles:
                declaration = self._declaration(name)
                children = () if declaration is None else declaration.iterchildren("Bundle")
                element = next((child for child in children if child.get("name") == bundle), declaration)
                found.append((name, self._of(element, f"bundle of the group {name}")))
        return found

    # -- groups that a client is not in

    def obstacles(self, name: str, metadata: ClientMetadata) -> list[Obstacle]:
        """Return why a client is not in a group."""
        found = []
        category = self._table.category_of(name)
        holder = metadata.categories.get(category) if category else None
        for rule, element in self._rules:
            if rule.group != name:
                continue
            conditions = tuple(self._conditions(element, metadata))
            source = self._groups.source(element, "rule", conditions)
            failed = tuple(condition for condition in conditions if not condition.holds)
            if is_negated(element):
                if not failed:
                    found.append(Obstacle(source, "this rule removes the group", distance=1))
                continue
            text = " and ".join(map(why_not, failed))
            if not failed and holder:
                text = f"the host is in {holder} already, which has the same category {category}"
            found.append(
                Obstacle(source, text or "the rule holds, but the group is removed", "", failed, len(failed) or 1)
            )
        group = self._table.get(name)
        if group is not None and group.is_profile:
            source = self._of(self._declaration(name), "profile")
            found.append(Obstacle(source, f"the profile of the host is {metadata.profile}", distance=1))
        if not found and group is not None:
            source = self._of(self._declaration(name), "declared")
            found.append(Obstacle(source, "no rule, probe or pattern gives it to the host"))
        return found
