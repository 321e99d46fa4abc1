"""Bundler: bundles, and the names by which groups and other bundles ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind


class Bundler(Check):
    """Names of bundles."""

    name = "Bundler"
    plugin = "Bundler"
    kinds = (
        Kind(
            "bundle-not-found",
            "error",
            "A group or a bundle asks for a bundle that does not exist.",
            "Correct the name, or create the bundle's file in Bundler.",
        ),
        Kind(
            "unused-bundle",
            "warning",
            "No group and no bundle asks for a bundle.",
            "Add the bundle to a group in Metadata/groups.xml, or remove its file.",
        ),
        Kind(
            "explicit-bundle-name",
            "error",
            "A bundle has an attribute name, which is ignored.",
            "Remove the attribute; --fix does that. A bundle has the name of its file.",
        ),
        Kind(
            "genshi-extension-bundle",
            "error",
            "A bundle's file ends in .genshi.",
            'Rename the file to .xml, and add xmlns:py="http://genshi.edgewall.org/" to its root element.',
        ),
    )

    def run(self) -> Iterator[Finding]:
        if self.site.reads_others:
            yield from self._check_names()
        for path in self.site.bundle_files:
            root = self.site.document(path).root
            if not self.site.concerns(path):
                continue
            if root is not None and root.get("name"):
                message = f"the bundle has the attribute name={root.get('name')!r}; its name is {path.stem}"
                place = self.site.place(path, root, "name")
                yield self.found("explicit-bundle-name", message, place, f"Bundle:{path.stem}")
            if path.suffix == ".genshi":
                yield self.found("genshi-extension-bundle", "the ending .genshi is deprecated", path)

    def _references(self) -> Iterator[tuple[Path, etree._Element]]:
        for element in self.site.document(self.site.groups_file).tagged("Bundle"):
            yield self.site.groups_file, element
        for path in self.site.bundle_files:
            for element in self.site.document(path).tagged("RequiredBundle"):
                yield path, element

    def _check_names(self) -> Iterator[Finding]:
        used: set[str] = set()
        for path, element in self._references():
            name = element.get("name", "")
            is_expression = "$" in name and self.site.is_template(path)
            if name not in used and name not in self.site.bundles and not is_expression:
                yield self.found_at("bundle-not-found", f"there is no bundle {name}", element, path)
            used.add(name)
        for name, path in self.site.bundles.items():
            if name not in used:
                yield self.found("unused-bundle", f"nothing asks for the bundle {name}", path, f"Bundle:{name}")
