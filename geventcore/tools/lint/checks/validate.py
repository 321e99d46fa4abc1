"""Validate: XML files against XML Schemas."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.tools.lint.base import Check
from geventcore.tools.lint.documents import Document, label_of
from geventcore.tools.lint.findings import Finding, Kind, Place
from geventcore.tools.lint.fixes import RENAMED
from geventcore.tools.lint.schema_table import ADDED_BY_PLUGINS, OWN_EXTENSIONS, SCHEMAS
from geventcore.tools.lint.schema_writer import SCHEMA_DIRECTORY
from geventcore.tools.options import SCHEMAS_OPTION

#: The plugins whose directories have files ``info.xml``.
INFO_DIRECTORIES = ("Cfg", "SSHbase", "SSLCA", "TGenshi", "TCheetah")
#: Schema -> the files of its kind: directory, pattern of names, and true if they may be at any depth.
FILE_KINDS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "metadata.xsd": (("Metadata", "groups.xml", False),),
    "clients.xsd": (("Metadata", "clients.xml", False),),
    "bundle.xsd": (("Bundler", "*.xml", True), ("Bundler", "*.genshi", True)),
    "base.xsd": (("Base", "*.xml", True),),
    "rules.xsd": (("Rules", "*.xml", False),),
    "svcmgr.xsd": (("Svcmgr", "*.xml", False),),
    "defaults.xsd": (("Defaults", "*.xml", False),),
    "pkglist.xsd": (("Pkgmgr", "*.xml", False),),
    "packages.xsd": (("Packages", "sources.xml", False),),
    "deps.xsd": (("Deps", "*.xml", False),),
    "decisions.xsd": (("Decisions", "*.xml", False),),
    "info.xsd": tuple((directory, "info.xml", True) for directory in INFO_DIRECTORIES),
    "privkey.xsd": (("Cfg", "privkey.xml", True),),
    "pubkey.xsd": (("Cfg", "pubkey.xml", True),),
    "authorizedkeys.xsd": (("Cfg", "authorized_keys.xml", True), ("Cfg", "authorizedkeys.xml", True)),
    "sslca-cert.xsd": (("Cfg", "sslcert.xml", True), ("SSLCA", "cert.xml", True)),
    "sslca-key.xsd": (("Cfg", "sslkey.xml", True), ("SSLCA", "key.xml", True)),
    "grouppatterns.xsd": (("GroupPatterns", "config.xml", False),),
    "grouplogic.xsd": (("GroupLogic", "groups.xml", False),),
    "awstags.xsd": (("AWSTags", "config.xml", False),),
    "nagiosgen.xsd": (("NagiosGen", "config.xml", False),),
    "fileprobes.xsd": (("FileProbes", "config.xml", False),),
    "acl-ip.xsd": (("ACL", "ip.xml", False),),
    "acl-metadata.xsd": (("ACL", "metadata.xml", False),),
    "report-configuration.xsd": (("etc", "report-configuration.xml", False),),
}
#: Kinds that Bcfg2 does not validate. A directory of one's own schemas need not have them.
OWN_KINDS = frozenset({"base.xsd", "svcmgr.xsd", "acl-ip.xsd", "acl-metadata.xsd"})
#: The faults of one file that a finding lists.
MOST_FAULTS = 20
_ELEMENT = re.compile(r"Element '([^']*)'(?:, attribute '([^']*)')?: ")


@dataclass(frozen=True)
class _Failed:
    """A schema that cannot be used."""

    name: str
    message: str


class Validate(Check):
    """The files of each kind against the schema of the kind."""

    name = "Validate"
    is_serverless = True
    shards = 2
    kinds = (
        Kind(
            "schema-failed-to-parse",
            "warning",
            "An XML Schema is wrong; the files of its kind are not checked.",
            "Mend the schema, or leave out --schema and [Validate] schema to use the schemas of this program.",
        ),
        Kind(
            "properties-schema-not-found",
            "warning",
            "A file of Properties has no schema.",
            "Write a schema with the name of the file and the ending .xsd beside it, or silence this in [errors].",
        ),
        Kind(
            "xml-failed-to-parse",
            "error",
            "A file is not well-formed XML, or one that it includes is not.",
            "Mend the file at this place; the server does not use it.",
        ),
        Kind("xml-failed-to-read", "error", "A file cannot be read.", "Mend the link or the rights of the file."),
        Kind(
            "xml-failed-to-verify",
            "error",
            "A file has elements, attributes or values that do not belong there.",
            "Compare the file with the manual's page of the plugin; an editor that knows the schemas helps.",
        ),
        Kind(
            "xinclude-does-not-exist",
            "error",
            "An inclusion matches no file.",
            "Correct the href, create the file, or give the inclusion an xi:fallback.",
        ),
        Kind(
            "input-output-error",
            "error",
            "A schema is missing.",
            "Add the file to the directory of --schema or [Validate] schema.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        given = self.site.settings[SCHEMAS_OPTION]
        for name, places in FILE_KINDS.items():
            directory = given if given is not None and name not in OWN_KINDS else SCHEMA_DIRECTORY
            files = [path for place in places for path in self.site.below(place[0], place[1], deep=place[2])]
            files = [path for path in files if self.site.concerns(path)]
            if files:
                yield from self._check_files(files, directory / name)
            if self.shard == 0:
                for place in places:
                    for path in self.site.directories_below(place[0], place[1], deep=place[2]):
                        yield self.found("xml-failed-to-parse", "it is a directory, not a file", path)
        yield from self._check_properties()

    def _check_files(self, files: list[Path], schema_file: Path) -> Iterator[Finding]:
        schema = _load_schema(schema_file)
        is_own = schema_file.parent == SCHEMA_DIRECTORY
        if isinstance(schema, _Failed):
            # Without a schema, the files of the kind are not read: there would be much to say of nothing.
            if self.shard == 0:
                yield self.found(schema.name, schema.message, schema_file)
            return
        for path in self.mine(files):
            yield from self._check_file(path, schema, schema_file.name if is_own else "")

    def _check_properties(self) -> Iterator[Finding]:
        files = [path for path in self.site.below("Properties", "*.xml", deep=False) if self.site.concerns(path)]
        for path in self.mine(files):
            schema_file = path.with_suffix(".xsd")
            schema = None
            if not schema_file.exists():
                yield self.found("properties-schema-not-found", f"{schema_file.name} does not exist", path)
            else:
                loaded = _load_schema(schema_file)
                if isinstance(loaded, _Failed):
                    yield self.found("schema-failed-to-parse", loaded.message, schema_file)
                    continue
                schema = loaded
            yield from self._check_file(path, schema)

    def _check_file(self, path: Path, schema: etree.XMLSchema | None, schema_name: str = "") -> Iterator[Finding]:
        document = self.site.document(path)
        if document.unreadable:
            yield self.found("xml-failed-to-read", f"the file cannot be read: {document.unreadable}", path)
        elif document.fault is not None:
            place = document.fault.place
            message = f"not well-formed: {document.fault.message}{self._includer(place.file, document)}"
            yield self.found("xml-failed-to-parse", message, place)
        if document.fault is not None or document.root is None:
            return
        for fault in document.missing:
            yield self.found("xinclude-does-not-exist", fault.message, fault.place)
        if schema is not None and not schema.validate(document.root):
            faults = list(self._faults(document, schema, schema_name))
            if faults:
                (message, place, entry), *others = faults
                details = [f"{self.site.relative(at.file)}:{at.line}:{at.column}: {text}" for text, at, _ in others]
                yield self.found("xml-failed-to-verify", message, place, entry, details=details)

    def _includer(self, file: Path, document: Document) -> str:
        """Return which file includes the file of a fault, for messages; empty if that is the file itself."""
        return "" if file == document.path else f" (included by {self.site.relative(document.path)})"

    def _is_added(self, element: etree._Element, message: str) -> bool:
        """Return true if a plugin may add the attribute that a message calls missing."""
        match = re.search(r"The attribute '(\w+)' is required but missing", message)
        plugins = ADDED_BY_PLUGINS.get((str(element.tag), match[1])) if match else None
        return plugins is not None and not plugins.isdisjoint(self.site.plugins)

    def _faults(
        self, document: Document, schema: etree.XMLSchema, schema_name: str
    ) -> Iterator[tuple[str, Place, str]]:
        assert document.root is not None
        names = _known_names(schema_name)
        is_template = self.site.is_template(document.path)
        seen = set()
        for error in [*schema.error_log][:MOST_FAULTS]:  # type: ignore[misc]
            match = _ELEMENT.match(error.message)
            attribute = (match[2] if match else None) or ""
            element = _element_at(document.root, error.path)
            # An expression of a template stands for a value that the schema cannot know.
            if is_template and attribute and "$" in element.get(attribute, ""):
                continue
            if self._is_added(element, error.message):
                continue
            place = self.site.place(document.path, element, attribute)
            if (element, attribute) not in seen:
                seen.add((element, attribute))
                text = _plain(error.message) + _did_you_mean(element, attribute, error.message, names)
                extension = OWN_EXTENSIONS.get((schema_name, str(element.tag), attribute))
                if extension is not None:
                    text += f". {extension}"
                text += self._includer(place.file, document)
                yield text, place, label_of(element)


#: The types of XML Schema, as people call them.
_TYPES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "nonNegativeInteger": "a whole number",
    "positiveInteger": "a whole number above 0",
}
_WILDCARD = re.compile(r"\{[^}]*\}\*,? ?")


def _plain(message: str) -> str:
    """Return a message of libxml2 in plain words."""
    text = " ".join(_WILDCARD.sub("", message).split()).rstrip(". ")
    subject, _, reason = text.partition(": ")
    match = re.fullmatch(r"Element '([^']*)'(?:, attribute '([^']*)')?", subject)
    if match is None:
        return text
    where = f"attribute {match[2]} of {match[1]}" if match[2] else match[1]
    expected = re.search(r"Expected is(?: one of)? \(? ?([^()]*?) ?\)?$", reason)
    words = f"; expected {_choice(expected[1])}" if expected and expected[1].strip(" ()") else ""
    value = re.search(r"'([^']*)' is not a valid value of the (?:atomic|local atomic) type '(?:xs:)?(\w+)'", reason)
    accepted = re.search(r"The value '([^']*)' is not an element of the set \{(.*)\}", reason)
    if "is not expected" in reason:
        return f"{where} does not belong here{words}"
    if "Missing child element" in reason:
        return f"{where} lacks a child{words}"
    if "is required but missing" in reason:
        return f"{where} lacks the attribute {reason.split(chr(39))[1]}"
    if match[2] and "is not allowed" in reason:
        return f"{where} does not exist"
    if "No matching global" in reason:
        return f"{where} cannot be the root of this file"
    if "Character content" in reason:
        return f"{where} must not have text"
    if accepted:
        return f"{where} is {accepted[1]!r}; expected {_choice(accepted[2].replace(chr(39), ''))}"
    if value:
        return f"{where} is {value[1]!r}; expected {_TYPES.get(value[2], 'another value')}"
    return f"{where}: {reason}"


def _element_at(root: etree._Element, path: str | None) -> etree._Element:
    """Return the element at a path of libxml2's; the root if it cannot be found."""
    prefixes = {str(prefix): uri for each in root.iter(etree.Element) for prefix, uri in each.nsmap.items() if prefix}
    try:
        found = root.getroottree().xpath(path, namespaces=prefixes or None) if path else []
    except etree.XPathError:
        found = []
    return found[0] if isinstance(found, list) and found and isinstance(found[0], etree._Element) else root


def _known_names(schema_name: str) -> dict[str, frozenset[str]]:
    """Return the names of elements, each with its attributes, in a schema of this program; empty for another one."""
    if schema_name not in SCHEMAS:
        return {}
    found: dict[str, frozenset[str]] = {}
    for name, element in SCHEMAS[schema_name].elements.items():
        found[name] = frozenset(word.partition(":")[0].rstrip("!") for word in element.attributes.split())
    return found


def _did_you_mean(element: etree._Element, attribute: str, message: str, names: Mapping[str, frozenset[str]]) -> str:
    """Return a hint at the nearest name for one that does not exist."""
    tag = str(element.tag)
    if attribute in RENAMED:
        return f"; since Bcfg2 1.3 it is called {RENAMED[attribute]}, and --fix renames it"
    if "is not expected" in message and tag not in names:
        close = difflib.get_close_matches(tag, names, n=1)
    elif "is not allowed" in message and attribute:
        close = difflib.get_close_matches(attribute, names.get(tag, ()), n=1)
    else:
        return ""
    return f"; did you mean {close[0]}?" if close else ""


def _choice(names: str) -> str:
    """Return ``a, b or c`` for names that are separated by commas."""
    *others, last = (name.strip() for name in names.split(",") if name.strip())
    return f"{', '.join(others)} or {last}" if others else last


def _load_schema(path: Path) -> etree.XMLSchema | _Failed:
    if not path.is_file():
        return _Failed("input-output-error", f"the schema {path.name} does not exist in {path.parent}")
    try:
        return etree.XMLSchema(etree.parse(path, etree.XMLParser(no_network=True)))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as err:
        return _Failed("schema-failed-to-parse", f"the schema {path.name} cannot be used: {err}")
    except OSError as err:
        return _Failed("input-output-error", f"the schema {path.name} cannot be read: {err}")
