"""Bundler: bundles of entries, one file each (docs: reference/plugins/bundler).

A bundle's name is its file's base name without the extension. ``RequiredBundle`` adds other bundles. An included
``Bundle`` is merged into the including one. A ``Path`` entry with a ``glob`` is replaced by one entry for each matching
path that a generator knows.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Hashable, Iterator, Mapping, MutableSequence, Sequence
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import ElementSource, Explaining, Obstacle, Source, StructureSources
from geventcore.plugin.interfaces import (
    REQUIRED_BUNDLES,
    DeclaredDependencies,
    Generator,
    Structure,
    StructureValidator,
)
from geventcore.specfiles.conditions import CONDITIONAL_TAGS
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.places import Node, StructPlaces, matched_nodes, obstacles_in
from geventcore.specfiles.structfile import StructFile

#: The first client version that supports bundles which inherit the modification of another bundle.
INHERITING_VERSION = "1.4.0pre2"


def _is_true(element: etree._Element, attribute: str) -> bool:
    return element.get(attribute, "").lower() == "true"


class Bundler(Plugin, Structure, StructureValidator, DeclaredDependencies, Explaining):
    """A plugin that provides the client's bundles as structures."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._by_name: dict[str, StructFile] | None = None
        self._files = Directory(
            self.directory,
            context.file_monitor,
            self._make_file,
            re.compile(r".*\.(?:xml|genshi)"),
            ignore=re.compile(r".*\.xsd|.*(?<!\.xml)"),
            on_change=self._files_changed,
            effect=lambda name: frozenset({("Bundle", Path(name).stem)}),
        )

    def _make_file(self, path: Path) -> StructFile:
        if path.suffix == ".genshi":
            self.log.warning("%s: the extension .genshi is deprecated for bundles; rename the file to .xml", path)
        file = StructFile(path, self.context, monitor_self=False)
        file.effect = frozenset({("Bundle", path.stem)})
        return file

    def _files_changed(self) -> None:
        self._by_name = None

    @property
    def bundles(self) -> dict[str, StructFile]:
        """The bundles: name -> file."""
        if self._by_name is None:
            found: dict[str, StructFile] = {}
            for relative, file in self._files.children.items():
                name = Path(relative).stem
                if name in found:
                    self.log.error("Bundle %s is in %s and in %s; using the latter", name, found[name].path, file.path)
                if file.document is not None and file.document.root.get("name", name) != name:
                    self.log.warning("%s: ignoring the attribute name: a bundle has the name of its file", file.path)
                found[name] = file
            self._by_name = found
        return self._by_name

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """See `Structure`. A bundle that is missing or invalid is left out."""
        bundles = self.bundles
        found: list[etree._Element] = []
        pending = sorted(metadata.bundles)
        known = set(pending)
        while pending:
            name = pending.pop(0)
            file = bundles.get(name)
            if file is None:
                self.log.error("%s: bundle %s does not exist", metadata.hostname, name)
                continue
            try:
                root = file.xml_match(metadata)
            except GeventcoreError as err:
                self.log.error("%s: leaving out bundle %s: %s", metadata.hostname, name, err)
                continue
            except Exception:
                self.log.exception("%s: leaving out bundle %s", metadata.hostname, name)
                continue
            for required in self._finish(root, name, metadata):
                if required not in known:
                    known.add(required)
                    pending.append(required)
            found.append(root)
            self.context.breathe()
        metadata.scratch[REQUIRED_BUNDLES] = known
        return found

    def _finish(self, root: etree._Element, name: str, metadata: ClientMetadata) -> list[str]:
        """Turn a matched tree into a structure; return the names of the bundles that it requires."""
        if _is_true(root, "independent"):
            root.tag = "Independent"
            del root.attrib["independent"]
        root.set("name", name)
        while (included := root.find("Bundle")) is not None:
            if not len(included):
                self.log.warning("%s: bundle %s includes an empty Bundle", metadata.hostname, name)
            root.remove(included)
            root.extend(list(included))
        required = []
        for element in root.findall("RequiredBundle"):
            root.remove(element)
            other = element.get("name", "")
            required.append(other)
            if _is_true(element, "inherit_modification"):
                self._inherit(root, other, metadata)
        return required

    def _inherit(self, root: etree._Element, other: str, metadata: ClientMetadata) -> None:
        if metadata.version_info is not None and metadata.version_info >= INHERITING_VERSION:
            etree.SubElement(root, "Bundle", name=other)
        else:
            self.log.warning(
                "%s: bundle %s: inherit_modification needs a client of version %s or newer",
                metadata.hostname,
                root.get("name"),
                INHERITING_VERSION,
            )

    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        """Replace ``Path`` entries with a ``glob`` by one entry for each matching path."""
        generators = self.context.plugins_by_type(Generator)
        for structure in structures:
            for element in structure.findall(".//Path[@glob]"):
                parent = element.getparent()
                if parent is None:
                    continue
                matches = re.compile(fnmatch.translate(element.get("glob", ""))).match
                for generator in generators:
                    self.context.breathe()
                    for path in generator.entries.get("Path", {}):
                        if matches(path):
                            etree.SubElement(parent, "Path", name=path)
                parent.remove(element)

    # -- explanations

    def explain_structures(self, metadata: ClientMetadata) -> Mapping[str, StructureSources]:
        """See `Explaining`."""
        found: dict[str, StructureSources] = {}
        pending = {name: Source(self.name, "plugin") for name in sorted(metadata.bundles)}
        while pending:
            name = next(iter(pending))
            origin = pending.pop(name)
            file = self.bundles.get(name)
            if file is None or name in found:
                continue
            try:
                places = StructPlaces(file, metadata, self.name)
            # A template may raise anything; the build has logged it.
            except Exception:  # noqa: BLE001
                continue
            children: list[ElementSource] = []
            for node in _merged(matched_nodes(places.root, metadata)):
                source = places.source(node)
                element = node.element
                if element.tag == "RequiredBundle":
                    required = element.get("name", "")
                    pending.setdefault(
                        required, Source(self.name, "attribute", *places.of(element), f"required by {name}")
                    )
                    if _is_true(element, "inherit_modification"):
                        children.append(ElementSource("Bundle", {"name": required}, source))
                    continue
                children.append(ElementSource(str(element.tag), _attributes(element), source))
            # Elements for inherited modifications stand at the end.
            children.sort(key=lambda child: child.tag == "Bundle")
            whole = Source(self.name, "element", str(file.path), 1, origin.text, reads=origin.reads)
            if origin.file:
                whole = Source(self.name, "element", str(file.path), 1, f"{origin.text} ({origin.place})")
            found[name] = StructureSources(whole, tuple(children))
        return found

    def explain_addition(
        self, entry: etree._Element, metadata: ClientMetadata, structures: MutableSequence[etree._Element]
    ) -> Source | None:
        """See `Explaining`: the ``Path`` with a glob that the entry replaces."""
        parent = entry.getparent()
        name = None if parent is None else parent.get("name")
        file = self.bundles.get(str(name))
        if file is None or entry.tag != "Path":
            return None
        places = StructPlaces(file, metadata, self.name)
        for node in _all(matched_nodes(places.root, metadata)):
            pattern = node.element.get("glob")
            if node.element.tag == "Path" and pattern and fnmatch.fnmatch(entry.get("name", ""), pattern):
                return places.source(node, "element", f'Path glob="{pattern}"')
        return None

    def explain_absence(self, tag: str, name: str, metadata: ClientMetadata) -> Sequence[Obstacle]:
        """See `Explaining`: the bundles that have the entry."""
        found: list[Obstacle] = []
        if tag in CONDITIONAL_TAGS:
            return found
        for bundle, file in sorted(self.bundles.items()):
            found += obstacles_in(file, metadata, self.name, tag, name, bundle)
        return found


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.items()}


def _all(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _all(node.children)


def _merged(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes of a structure; those of included bundles are appended, as `_finish` does."""
    merged = list(nodes)
    while (position := next((at for at, node in enumerate(merged) if node.element.tag == "Bundle"), None)) is not None:
        merged += merged.pop(position).children
    return merged
