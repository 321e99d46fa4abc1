"""TemplateNames: names that templates read and nothing provides."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from geventcore.errors import GeventcoreError
from geventcore.plugin.client_metadata import ClientMetadata, MetadataQuery
from geventcore.plugin.interfaces import Connector, TemplateDataProvider
from geventcore.plugin.registry import load_plugin_class
from geventcore.plugins import PLUGINS
from geventcore.plugins.cfg.encrypted import EncryptedGenerator
from geventcore.plugins.cfg.templates import CheetahGenerator, GenshiGenerator, Jinja2Generator
from geventcore.plugins.template_helper import RESERVED
from geventcore.templating import load_text_template, load_xml_template
from geventcore.templating.cheetah_reading import cheetah_reads
from geventcore.templating.genshi import loops_without_variable
from geventcore.templating.reading import Reads, genshi_reads, jinja2_reads
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind, Place

_XML_VARIABLES = frozenset({"metadata", "repo", "name"})
#: Attributes that every object has, or that plugins written for Bcfg2 may read.
_METADATA = frozenset(
    {field.name for field in dataclasses.fields(ClientMetadata)} | set(dir(ClientMetadata)) | {"query", "uuid"}
)
_QUERY = frozenset({field.name for field in dataclasses.fields(MetadataQuery)} | set(dir(MetadataQuery)))


class _Reading(Check):
    """A check of what templates read."""

    def templates(self) -> Iterator[tuple[Path, bool, Reads]]:
        """Yield each template that compiles: the file, true if it is XML, and what it reads."""
        if "Cfg" in self.site.plugins:
            for entry in self.site.cfg.entries.values():
                for file in entry.of_kind(CheetahGenerator, GenshiGenerator, Jinja2Generator):
                    if self.site.concerns(file.path) and not issubclass(file.handler, EncryptedGenerator):
                        reads = self._text_reads(file.path, file.handler)
                        if reads is not None:
                            yield file.path, False, reads
        if "Bundler" in self.site.plugins:
            for path in self.site.bundle_files:
                if self.site.concerns(path) and self.site.is_template(path):
                    try:
                        yield path, True, genshi_reads(load_xml_template("genshi", path, self.site.encoding))
                    except GeventcoreError:
                        # The check of the engine says that.
                        continue

    def _text_reads(self, path: Path, handler: type) -> Reads | None:
        source = self.site.read(path)
        try:
            if issubclass(handler, Jinja2Generator):
                return jinja2_reads(source.decode(self.site.encoding), path)
            if issubclass(handler, CheetahGenerator):
                return cheetah_reads(load_text_template("cheetah", path, source, self.site.encoding))
            template = load_text_template("genshi", path, source, self.site.encoding)
            return None if loops_without_variable(template) else genshi_reads(template)
        except (GeventcoreError, UnicodeDecodeError):
            return None
        except Exception as err:
            # Only the engine knows its own errors; importing them here would need it.
            if type(err).__module__.partition(".")[0] in ("jinja2", "genshi"):
                return None
            raise

    def place_of_word(self, path: Path, word: str) -> Place:
        """Return the place where a word stands first in a file."""
        text = self.site.read(path).decode(self.site.encoding, "replace")
        match = re.search(rf"(?<![\w.])(?:self\.)?{re.escape(word)}(?!\w)", text)
        if match is None:
            return Place(path)
        start = text.rfind("\n", 0, match.start()) + 1
        return Place(path, text.count("\n", 0, match.start()) + 1, match.start() - start + 1)


class TemplateNames(_Reading):
    """The variables, attributes and helpers that templates read."""

    name = "TemplateNames"
    is_own = True
    kinds = (
        Kind(
            "template-unknown-name",
            "error",
            "A template reads a variable that nothing provides.",
            "Correct the name, or test it with defined('name').",
        ),
        Kind(
            "template-unknown-attribute",
            "error",
            "A template reads an attribute of metadata that does not exist.",
            "Correct the name, or enable the plugin that provides it.",
        ),
        Kind(
            "template-unknown-helper",
            "error",
            "A template reads a module of TemplateHelper, or a file of Properties, that does not exist.",
            "Correct the name, or create the file.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        for path, is_xml, reads in self.templates():
            yield from self._check_names(path, is_xml, reads)
            for owner, attribute in sorted(reads.attributes):
                if owner == "metadata":
                    yield from self._check_attribute(path, attribute)
            yield from self._check_items(path, reads)

    @cached_property
    def _connectors(self) -> frozenset[str] | None:
        """The attributes that plugins add to metadata; None if they are not all known."""
        found = set()
        for name in self.site.plugins:
            if name not in PLUGINS:
                return None
            try:
                plugin_class = load_plugin_class(name, PLUGINS)
            except GeventcoreError:
                return None
            if issubclass(plugin_class, Connector):
                found.add(plugin_class.name)
        return frozenset(found)

    @cached_property
    def _provided(self) -> frozenset[str] | None:
        """The variables that plugins give templates of Cfg; None if they are not all known."""
        if self._connectors is None:
            return None
        found: set[str] = set()
        for name in self.site.plugins:
            if issubclass(load_plugin_class(name, PLUGINS), TemplateDataProvider):
                if name != "TemplateHelper":
                    return None
                for path in self.site.below("TemplateHelper", "*.py", deep=False):
                    found |= self._lists(path)
        return frozenset(found)

    def _lists(self, path: Path, wanted: str = "__default__") -> set[str]:
        """Return the names in a list of a module, without executing it."""
        try:
            tree = ast.parse(self.site.read(path))
        except (SyntaxError, ValueError):
            return set()
        found: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == wanted for t in node.targets):
                found |= {str(each.value) for each in ast.walk(node.value) if isinstance(each, ast.Constant)}
        return found

    def _check_names(self, path: Path, is_xml: bool, reads: Reads) -> Iterator[Finding]:
        if reads.is_open or self._provided is None:
            return
        known = _XML_VARIABLES if is_xml else RESERVED | self._provided
        for name in sorted(reads.names - known):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            message = f"nothing provides the variable {name}{hint}"
            yield self.found("template-unknown-name", message, self.place_of_word(path, name), name)

    def _check_attribute(self, path: Path, attribute: str) -> Iterator[Finding]:
        if attribute in _METADATA or self._connectors is None or attribute in self._connectors:
            return
        if attribute in PLUGINS:
            hint = f"; the plugin {attribute} is not enabled, or provides none"
        else:
            close = difflib.get_close_matches(attribute, [*_public(_METADATA), *self._connectors], n=1)
            hint = f"; did you mean metadata.{close[0]}?" if close else ""
        message = f"metadata.{attribute} does not exist{hint}"
        place = self.place_of_word(path, f"metadata.{attribute}")
        yield self.found("template-unknown-attribute", message, place, f"metadata.{attribute}")

    def _check_items(self, path: Path, reads: Reads) -> Iterator[Finding]:
        for owner, attribute, key in sorted(reads.items):
            if owner != "metadata" or attribute not in self.site.plugins:
                continue
            if attribute == "TemplateHelper":
                exists = (self.site.repository / "TemplateHelper" / f"{key}.py").exists()
            elif attribute == "Properties":
                exists = (self.site.repository / "Properties" / key).exists()
            else:
                continue
            if not exists:
                message = f"metadata.{attribute}[{key!r}] does not exist"
                yield self.found(
                    "template-unknown-helper", message, self.place_of_word(path, key), f"metadata.{attribute}"
                )


def _public(names: frozenset[str]) -> list[str]:
    return [name for name in names if not name.startswith("_")]
