"""Bundler: bundles of entries, one file each (docs: reference/plugins/bundler).

A bundle's name is its file's base name without the extension. ``RequiredBundle`` pulls in other bundles; a ``Bundle``
that was included is merged into the one that includes it; ``Path`` entries with a ``glob`` stand for every path that a
generator offers.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import MutableSequence
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Generator, Structure, StructureValidator
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.structfile import StructFile

#: Clients from this version on know that a bundle may inherit the modification of another.
INHERITING_VERSION = "1.4.0pre2"


def _is_true(element: etree._Element, attribute: str) -> bool:
    return element.get(attribute, "").lower() == "true"


class Bundler(Plugin, Structure, StructureValidator):
    """Provides the client's bundles as structures."""

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
        )

    def _make_file(self, path: Path) -> StructFile:
        if path.suffix == ".genshi":
            self.log.warning("%s: bundles that end in .genshi are deprecated; name it .xml", path)
        return StructFile(path, self.context, monitor_self=False)

    def _files_changed(self) -> None:
        self._by_name = None

    @property
    def bundles(self) -> dict[str, StructFile]:
        """Name of a bundle -> its file."""
        if self._by_name is None:
            found: dict[str, StructFile] = {}
            for relative, file in self._files.children.items():
                name = Path(relative).stem
                if name in found:
                    self.log.error(
                        "Bundle %s is in %s and in %s; the latter is used", name, found[name].path, file.path
                    )
                if file.document is not None and file.document.root.get("name", name) != name:
                    self.log.warning("%s: a bundle is named by its file; the attribute name is ignored", file.path)
                found[name] = file
            self._by_name = found
        return self._by_name

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """See `Structure`. A bundle that is missing or broken is left out."""
        bundles = self.bundles
        found: list[etree._Element] = []
        pending = sorted(metadata.bundles)
        known = set(pending)
        while pending:
            name = pending.pop(0)
            file = bundles.get(name)
            if file is None:
                self.log.error("%s: there is no bundle %s", metadata.hostname, name)
                continue
            try:
                root = file.xml_match(metadata)
            except GeventcoreError as err:
                self.log.error("%s: bundle %s is left out: %s", metadata.hostname, name, err)
                continue
            except Exception:
                self.log.exception("%s: bundle %s is left out", metadata.hostname, name)
                continue
            for required in self._finish(root, name, metadata):
                if required not in known:
                    known.add(required)
                    pending.append(required)
            found.append(root)
            self.context.breathe()
        return found

    def _finish(self, root: etree._Element, name: str, metadata: ClientMetadata) -> list[str]:
        """Make a matched tree a structure; returns the names of the bundles that it requires."""
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
        """Replace ``Path`` entries with a ``glob`` by the paths that match it."""
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
