"""PackageSources and PackageNames: mistakes in the sources of Packages, and packages that no source has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from geventcore.plugins.packages import Packages
from geventcore.plugins.packages.inspection import source_problems, unknown_names
from geventcore.plugins.packages.options import BACKENDS
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind


class PackageSources(Check):
    """``Packages/sources.xml``."""

    name = "PackageSources"
    plugin = "Packages"
    is_own = True
    kinds = (
        Kind(
            "package-source-mistake",
            "note",
            "A source of packages has a mistake, or lacks something.",
            "Mend the Source element; the manual's page of Packages has examples.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        path = self.site.repository / "Packages" / "sources.xml"
        root = self.site.document(path).root if path.is_file() and self.site.concerns(path) else None
        if root is None:
            return
        backends = self.site.settings[BACKENDS]
        for element in root.iter("Source"):
            # An element iterates over itself, too.
            for problem in source_problems(element, backends):
                yield self.found_at("package-source-mistake", problem.text, element, path)


class PackageNames(Check):
    """The packages of bundles, in the lists that the server has fetched."""

    name = "PackageNames"
    plugin = "Packages"
    is_own = True
    needs_core = True
    kinds = (
        Kind(
            "unknown-package",
            "note",
            "No source of any client has a package of a bundle.",
            "Correct the name, or add a source; geventcore packages refresh fetches the lists of packages.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        plugin = self.site.core.plugins.by_name.get("Packages") if self.site.core is not None else None
        if not isinstance(plugin, Packages):
            return
        places = self._places()
        unknown = set(places)
        is_judged = False
        collections = {id(each): each for each in map(plugin.collection, self.site.metadata_of_clients)}
        for collection in collections.values():
            resolution = collection.resolve(frozenset(places), {})
            missing = set(unknown_names(places, resolution))
            # A source without a list of packages says nothing about names.
            if missing != set(places):
                is_judged = True
                unknown &= missing
        for name in sorted(unknown) if is_judged else ():
            element, path = places[name]
            if self.site.concerns(path):
                yield self.found_at("unknown-package", f"no source has the package {name}", element, path)

    def _places(self) -> dict[str, tuple[etree._Element, Path]]:
        """Return the packages that bundles name, each with the first element and its file."""
        found: dict[str, tuple[etree._Element, Path]] = {}
        for path in self.site.bundle_files:
            for element in self.site.document(path).tagged("Package"):
                name = element.get("name", "")
                if name and "$" not in name:
                    found.setdefault(name, (element, path))
        return found
