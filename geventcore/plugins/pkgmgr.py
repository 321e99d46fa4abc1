"""Pkgmgr: packages listed by hand, with their versions (docs: reference/plugins/pkgmgr).

This is the predecessor of Packages, which resolves versions by itself. Packages inherit the attributes of their
containers, for example from ``<PackageList priority="0" type="deb" uri="http://mirror">``. A ``uri`` with
``simplefile`` or ``file`` gives a ``url``. The file names of RPM and encap packages also give name and version.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Candidate, Explaining, Source, Sources
from geventcore.plugin.interfaces import Binder, DeclaredDependencies, ForEveryClient, Generator
from geventcore.specfiles.conditions import condition_holds, is_conditional
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.places import condition_of, line_of, why_not
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile

#: Type -> pattern of a package's file name.
FILE_NAMES = {
    "rpm": re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.(?P<arch>\w+)\.rpm"),
    "encap": re.compile(r"(?P<name>.+)-(?P<version>[\w.+]+(?:-[\w.+]+)?)\.encap.*"),
}


@dataclass(frozen=True, eq=False)
class ListedPackage:
    """One package of a list.

    Attributes:
        name: the name that entries use.
        attributes: its own attributes and those of its containers.
        children: its child elements, such as ``Instance``.
        conditions: the conditional elements around it.
        priority: the priority of its list.
        element: the element in the file.
    """

    name: str
    attributes: Mapping[str, str]
    children: tuple[etree._Element, ...]
    conditions: tuple[etree._Element, ...]
    priority: int
    element: etree._Element

    def applies(self, metadata: ClientMetadata) -> bool:
        """Return true if a client meets all the conditions."""
        return all(condition_holds(condition, metadata) for condition in self.conditions)


def _complete(given: Mapping[str, str], where: str) -> dict[str, str]:
    """Complete a package's attributes from the name of its file."""
    attributes = dict(given)
    uri, file = attributes.get("uri", ""), attributes.get("file")
    if "simplefile" in attributes:
        attributes["url"] = f"{uri}/{attributes['simplefile']}"
    elif file is not None and "multiarch" in attributes:
        architectures = attributes["multiarch"].split()
        sources = attributes.get("srcs", attributes["multiarch"]).split()
        if len(sources) != len(architectures):
            raise RepositoryError(f"{where}: {file}: srcs and multiarch must have the same number of words")
        try:
            names = [file % {"src": source, "arch": arch} for source, arch in zip(sources, architectures, strict=True)]
        except (KeyError, ValueError, TypeError) as err:
            raise RepositoryError(f"{where}: {file!r} may contain only the references %(src)s and %(arch)s") from err
        attributes["url"] = " ".join(f"{uri}/{name}" for name in names)
    elif file is not None:
        attributes["url"] = f"{uri}/{file}"
    pattern = FILE_NAMES.get(attributes.get("type", ""))
    match = pattern.fullmatch(file) if pattern is not None and file is not None else None
    if match is not None:
        attributes.update(match.groupdict())
    return attributes


class PackageListFile(XMLFile):
    """One list of packages."""

    def __init__(self, path: Path, context: PluginContext) -> None:
        self.packages: tuple[ListedPackage, ...] = ()
        super().__init__(path, context.file_monitor, self._read, monitor_self=False)

    def _read(self, document: XMLDocument) -> None:
        try:
            priority = int(document.root.get("priority", ""))
        except ValueError as err:
            raise RepositoryError(f"{self.path}: the root element has no integer priority") from err
        self.packages = tuple(self._walk(document.root, {}, (), priority))

    def _walk(
        self,
        container: etree._Element,
        inherited: Mapping[str, str],
        conditions: tuple[etree._Element, ...],
        priority: int,
    ) -> list[ListedPackage]:
        attributes = {**inherited, **{name: value for name, value in _attributes(container).items() if name != "name"}}
        found = []
        for child in container.iterchildren(tag=etree.Element):
            if child.tag == "Package":
                own = _complete({**attributes, **_attributes(child)}, f"{self.path}: line {child.sourceline}")
                children = tuple(child.iterchildren(tag=etree.Element))
                found.append(ListedPackage(own.get("name", ""), own, children, conditions, priority, child))
            else:
                further = (*conditions, child) if is_conditional(child) else conditions
                found += self._walk(child, attributes, further, priority)
        return found


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): element.get(name, "") for name in element.keys()}  # noqa: SIM118 - iteration gives children


class Pkgmgr(Plugin, Generator, DeclaredDependencies, Explaining):
    """A plugin that binds packages from lists."""

    deprecated: ClassVar[bool] = True

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._index: dict[str, list[ListedPackage]] | None = None
        self._published: Mapping[str, Mapping[str, Binder]] = {}
        self._lists = Directory(
            self.directory,
            context.file_monitor,
            lambda path: PackageListFile(path, context),
            re.compile(r".*\.xml"),
            ignore=re.compile(r".*(?<!\.xml)"),
            on_change=self._changed,
        )

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    def _changed(self) -> None:
        self._index = None

    def _by_name(self) -> Mapping[str, list[ListedPackage]]:
        index = self._index
        if index is None:
            index = {}
            for file in self._lists.children.values():
                for package in file.packages:
                    index.setdefault(package.name, []).append(package)
            unconditional = [name for name, found in index.items() if any(not each.conditions for each in found)]
            self._published = {"Package": dict.fromkeys(unconditional, self.bind_entry)}
            self._index = index
        return index

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # computed when files change
        """See `Generator`: the unconditional packages."""
        self._by_name()
        return self._published

    def _candidates(self, entry: etree._Element, metadata: ClientMetadata) -> list[ListedPackage]:
        name = entry.get("name", "").partition(":")[0]
        return [package for package in self._by_name().get(name, ()) if package.applies(metadata)]

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true if a list has the package for this client."""
        return entry.tag == "Package" and bool(self._candidates(entry, metadata))

    def _best(self, entry: etree._Element, metadata: ClientMetadata) -> ListedPackage:
        found = self._candidates(entry, metadata)
        if not found:
            raise PluginExecutionError(f"no package list has Package:{entry.get('name')} for {metadata.hostname}")
        best = max(package.priority for package in found)
        chosen = [package for package in found if package.priority == best]
        if len(chosen) > 1:
            raise PluginExecutionError(
                f"{len(chosen)} package lists with priority {best} have Package:{entry.get('name')}"
            )
        return chosen[0]

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """See `Generator`: the package in the list with the highest priority."""
        package = self._best(entry, metadata)
        name = entry.get("name", "").partition(":")[0]
        return package if any(other.conditions for other in self._by_name()[name]) else ForEveryClient(package)

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Copy the attributes and children of the package in the list with the highest priority."""
        package = self._best(entry, metadata)
        name, _, architectures = entry.get("name", "").partition(":")
        wanted = set(architectures.split(",")) if architectures else None
        for attribute, value in package.attributes.items():
            if attribute != "name":
                entry.set(attribute, value)
        for child in package.children:
            if wanted is None or child.tag != "Instance" or child.get("arch") in wanted:
                entry.append(copy.deepcopy(child))
        entry.set("name", name)

    # -- explanations

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the package in the lists, and the containers whose attributes it inherits."""
        name = entry.get("name", "").partition(":")[0]
        best = self._best(entry, metadata)
        sources = Sources()
        for file in self._lists.children.values():
            for package in file.packages:
                if package.name != name:
                    continue
                source = self._source(file, package, package.element, metadata)
                if package is not best:
                    failed = [why_not(condition) for condition in source.conditions if not condition.holds]
                    reason = " and ".join(failed) or f"priority {package.priority} is lower than {best.priority}"
                    sources.lost.append(Candidate(source, reason))
                    continue
                sources.attributes["name"] = source
                sources.children = source
                for attribute in package.attributes:
                    holder = next(
                        (
                            each
                            for each in (package.element, *package.element.iterancestors())
                            if attribute in each.attrib
                        ),
                        None,
                    )
                    made = Source(self.name, "plugin", source.file, source.line, "made from the other attributes")
                    sources.attributes[attribute] = (
                        made if holder is None else self._source(file, package, holder, metadata)
                    )
        return sources

    def _source(
        self, file: PackageListFile, package: ListedPackage, element: etree._Element, metadata: ClientMetadata
    ) -> Source:
        conditions = tuple(
            condition_of(each, condition_holds(each, metadata), line_of(each)) for each in package.conditions
        )
        text = f"priority {package.priority}"
        return Source(self.name, "attribute", str(file.path), line_of(element), text, conditions)
