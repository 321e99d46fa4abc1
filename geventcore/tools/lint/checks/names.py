"""GroupNames, GroupPatterns and AWSTags: names of groups, and patterns that give groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from geventcore.plugin.specificity import EXTENSIONS
from geventcore.plugins.group_patterns import Range
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind

_VALID = re.compile(r"\S+")
_ENDINGS = re.compile(rf"(?:\.(?:{'|'.join(EXTENSIONS)}))+\Z")


class GroupNames(Check):
    """Names of groups that cannot be used everywhere."""

    name = "GroupNames"
    kinds = (
        Kind(
            "invalid-group-name",
            "error",
            "The name of a group is empty or has blanks.",
            "Rename the group: names of files in Cfg cannot name this one.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        plugins = self.site.plugins
        if "Metadata" in plugins:
            yield from self._check_elements(self.site.groups_file)
        if "Rules" in plugins:
            for path in self.site.plugin_files("Rules"):
                if self.site.concerns(path):
                    yield from self._check_elements(path)
        if "Bundler" in plugins:
            for path in self.site.bundle_files:
                if self.site.concerns(path) and not self.site.is_template(path):
                    yield from self._check_elements(path)
        config = self.site.repository / "GroupPatterns" / "config.xml"
        if "GroupPatterns" in plugins and config.is_file() and self.site.concerns(config):
            for element in self.site.document(config).tagged("Group"):
                if not _VALID.fullmatch(element.text or ""):
                    yield self._invalid(element.text or "", element, config)
        if "Cfg" in plugins:
            yield from self._check_cfg()

    def _check_elements(self, path: Path) -> Iterator[Finding]:
        for element in self.site.document(path).tagged("Group"):
            name = element.get("name", "")
            if not _VALID.fullmatch(name):
                yield self._invalid(name, element, path)

    def _invalid(self, name: str, element: etree._Element, path: Path) -> Finding:
        return self.found_at("invalid-group-name", f"{name!r} is not a valid name of a group", element, path)

    def _check_cfg(self) -> Iterator[Finding]:
        for path in self.site.below("Cfg"):
            match = re.match(rf"{re.escape(path.parent.name)}\.G\d+_", path.name)
            if match is None or self.site.is_ignored(path.name):
                continue
            name = _ENDINGS.sub("", path.name[match.end() :])
            if not _VALID.fullmatch(name):
                message = f"{self.site.relative(path)}: {name!r} is not a valid name of a group"
                yield self.found("invalid-group-name", message, path)


_ADVICE = "Mend the pattern: it is a regular expression of Python, and [[1-4,9]] stands for numbers in a NameRange."
_FAILS = Kind("pattern-fails-to-initialize", "error", "A pattern for groups is wrong.", _ADVICE)


class GroupPatterns(Check):
    """Patterns of host names."""

    name = "GroupPatterns"
    plugin = "GroupPatterns"
    kinds = (_FAILS,)

    def run(self) -> Iterator[Finding]:
        path = self.site.repository / "GroupPatterns" / "config.xml"
        if not path.is_file():
            return
        for element in self.site.document(path).tagged("NamePattern", "NameRange"):
            text = (element.text or "").strip()
            try:
                if element.tag == "NamePattern":
                    re.compile(text)
                elif "\\" in text:
                    raise ValueError("a backslash has no meaning in a range")
                else:
                    Range(text)
            except (re.error, ValueError) as err:
                message = f"{element.tag} {text!r} is wrong: {err}"
                yield self.found_at("pattern-fails-to-initialize", message, element, path)


class AWSTags(Check):
    """Patterns of tags."""

    name = "AWSTags"
    plugin = "AWSTags"
    kinds = (_FAILS,)

    def run(self) -> Iterator[Finding]:
        path = self.site.repository / "AWSTags" / "config.xml"
        if not path.is_file():
            return
        for element in self.site.document(path).tagged("Tag"):
            for attribute in ("name", "value"):
                text = element.get(attribute, "")
                try:
                    re.compile(text)
                except re.error as err:
                    message = f"the {attribute} {text!r} of a Tag is not a regular expression: {err}"
                    yield self.found_at("pattern-fails-to-initialize", message, element, path, attribute)
