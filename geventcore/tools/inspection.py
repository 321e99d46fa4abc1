"""The tables and texts of ``info``: clients, groups, bundles, entries, probes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Generator, Probing, Structure
from geventcore.plugins.bundler import Bundler
from geventcore.plugins.properties import Properties
from geventcore.plugins.properties.files import XMLPropertyFile
from geventcore.tools.site import matching, metadata_plugin

_RULE_LENGTH = 80


@dataclass(frozen=True)
class Table:
    """Rows under a header; None is a missing value.

    Attributes:
        keys: the names of the columns for programs; the words of the header by default.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str | None]]
    keys: Sequence[str] = ()

    def text(self) -> str:
        """Return the table for people, in the form of Bcfg2's tools."""
        lines = [[str(cell) for cell in row] for row in (self.header, *self.rows)]
        widths = [max(len(line[column]) for line in lines) + 1 for column in range(len(self.header))]
        shown = ["|".join(f" {cell.ljust(width)} " for cell, width in zip(line, widths, strict=True)) for line in lines]
        shown.insert(1, "=" * (sum(widths) + 3 * len(widths) - 1))
        return "\n".join(shown)

    def objects(self) -> list[dict[str, str | None]]:
        """Return the rows for programs."""
        keys = self.keys or [word.lower().replace(" ", "_") for word in self.header]
        return [dict(zip(keys, row, strict=True)) for row in self.rows]


def clients_table(core: Core, globs: Sequence[str]) -> Table:
    """The clients and their profiles."""
    rows: list[tuple[str, str | None]] = []
    for name in matching(core.metadata_source().list_clients(), [glob.lower() for glob in globs]):
        try:
            rows.append((name, core.build_metadata(name).profile))
        except GeventcoreError as err:
            rows.append((name, f"({err})"))
    return Table(("Client", "Profile"), rows)


def groups_table(core: Core, globs: Sequence[str]) -> Table:
    """The groups in the plugin Metadata: whether each is a profile, and its category."""
    groups = metadata_plugin(core).group_declarations()
    rows = []
    for name in matching(groups, globs):
        group = groups[name]
        rows.append((name, "yes" if group.is_profile else "no", group.category))
    return Table(("Groups", "Profile", "Category"), rows, keys=("group", "profile", "category"))


def bundles_table(core: Core, globs: Sequence[str]) -> Table:
    """The groups with the bundles that they bring."""
    groups = metadata_plugin(core).group_declarations()
    return Table(
        ("Group", "Bundles"), [(name, ",".join(sorted(groups[name].bundles))) for name in matching(groups, globs)]
    )


def mappings_table(core: Core, tag: str | None, name: str | None) -> Table:
    """The entries that plugins bind by name."""
    rows = [
        (str(getattr(plugin, "name", type(plugin).__name__)), found_tag, found_name)
        for plugin in core.plugins.by_type(Generator)
        for found_tag, names in sorted(plugin.entries.items())
        if tag in (None, found_tag)
        for found_name in sorted(names)
        if name in (None, found_name)
    ]
    return Table(("Plugin", "Type", "Name"), rows)


def structures_of(core: Core, metadata: ClientMetadata) -> list[etree._Element]:
    """Return the abstract structures of a client."""
    return [structure for plugin in core.plugins.by_type(Structure) for structure in plugin.build_structures(metadata)]


def entries_table(core: Core, host: str, tag: str | None) -> Table:
    """The abstract entries of a client; a tag also selects bound entries of that tag."""
    wanted = None if tag is None else (tag, f"Bound{tag}")
    metadata = core.build_metadata(host)
    rows = [
        (str(entry.tag), entry.get("name"))
        for structure in structures_of(core, metadata)
        for entry in structure.iterchildren(etree.Element)
        if wanted is None or entry.tag in wanted
    ]
    return Table(("Entry Type", "Name"), rows)


def client_text(metadata: ClientMetadata) -> str:
    """Return a client's metadata for people."""
    category_of = {group: category for category, group in metadata.categories.items()}
    lines = [f"{'Hostname:':10}  {metadata.hostname}", f"{'Profile:':10}  {metadata.profile}"]
    label = "Groups:"
    for group in sorted(metadata.groups):
        category = f"Category: {category_of[group]}" if group in category_of else ""
        lines.append(f"{label:10}  {group:30} {category}")
        label = ""
    label = "Bundles:"
    for bundle in sorted(metadata.bundles):
        lines.append(f"{label:10}  {bundle}")
        label = ""
    rule = "=" * _RULE_LENGTH
    data = [(name, value) for name in metadata.connectors if (value := getattr(metadata, name))]
    if data:
        lines += ["Connector data", rule]
        for name, value in data:
            shown = dict(value) if isinstance(value, Mapping) else value
            lines += [f"{name + ':':10}  {shown}", rule]
    return "\n".join(lines)


def client_object(metadata: ClientMetadata) -> dict[str, Any]:
    """Return a client's metadata for programs; connector data that JSON cannot represent are texts."""
    return {
        "hostname": metadata.hostname,
        "profile": metadata.profile,
        "groups": sorted(metadata.groups),
        "categories": metadata.categories,
        "bundles": sorted(metadata.bundles),
        "aliases": sorted(metadata.aliases),
        "addresses": sorted(metadata.addresses),
        "version": metadata.version,
        "connectors": {name: plain(getattr(metadata, name)) for name in metadata.connectors},
    }


def plain(value: Any) -> Any:
    """Return a value as JSON represents it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, etree._Element):
        return etree.tostring(value, encoding="unicode", with_tail=False)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return str(value)
    return value


def probes_of(core: Core, host: str) -> list[etree._Element]:
    """Return the probes that a client gets."""
    metadata = core.build_metadata(host)
    return [probe for plugin in core.plugins.by_type(Probing) for probe in plugin.get_probes(metadata)]


def probe_text(probe: etree._Element) -> str:
    """Return a probe's script under its name, for people."""
    name = probe.get("name", "")
    rule = "=" * (len(name) + 2)
    return f"{rule}\n {name}\n{rule}\n\n{probe.text or ''}\n"


def pretty(element: etree._Element) -> str:
    """Return an element as indented XML without a declaration."""
    etree.indent(element)
    return etree.tostring(element, encoding="unicode", with_tail=False)


def document(element: etree._Element) -> bytes:
    """Return an element as an indented document with a declaration, in UTF-8."""
    etree.indent(element)
    return etree.tostring(element, xml_declaration=True, encoding="UTF-8") + b"\n"


def failures_of(configuration: etree._Element) -> list[tuple[str, str]]:
    """Return the entries of a configuration that could not be bound: ``(Tag:name, reason)``."""
    return [
        (f"{entry.tag}:{entry.get('name')}", entry.get("failure", ""))
        for entry in configuration.iter(etree.Element)
        if entry.get("failure")
    ]


def loaded_plugin(core: Core, plugin_class: type[Any]) -> Any:
    """Return the loaded plugin of a class.

    Raises:
        GeventcoreError: the site does not use it.
    """
    found = core.plugins.by_type(plugin_class)
    if not found:
        raise GeventcoreError(f"the site does not use the plugin {plugin_class.__name__}; see [server] plugins")
    return found[0]


def matched_bundle(core: Core, name: str, host: str) -> etree._Element | None:
    """Return a bundle as a client gets it, before its entries are bound; None if there is no such bundle.

    `name` is that of the bundle, or of its file.
    """
    bundler: Bundler = loaded_plugin(core, Bundler)
    for base in (name, name.removesuffix(".xml"), name.removesuffix(".genshi")):
        if base in bundler.bundles:
            return bundler.bundles[base].xml_match(core.build_metadata(host))
    return None


def matched_properties(core: Core, name: str, host: str, is_forced: bool) -> etree._Element | None:
    """Return an XML file of Properties as a client gets it; None if the file is not matched for clients.

    Raises:
        GeventcoreError: there is no such file.
    """
    properties: Properties = loaded_plugin(core, Properties)
    file = properties.file(name)
    if not isinstance(file, XMLPropertyFile):
        raise GeventcoreError(f"Properties has no XML file {name}")
    if not is_forced and not properties.is_matched(file):
        return None
    return file.structure.xml_match(core.build_metadata(host))


def bound_path(core: Core, host: str, path: str, alternative: str | None = None) -> etree._Element:
    """Return a file's entry as a client gets it; `alternative` is the name by which its content is looked up.

    Raises:
        GeventcoreError: it cannot be bound.
    """
    metadata = core.build_metadata(host)
    entry = etree.Element("Path", name=path)
    if alternative is not None:
        entry.set("altsrc", alternative)
    try:
        core.renderer.bind_entry(entry, metadata)
    # A generator may raise anything; that is the failure of this entry.
    except Exception as err:
        raise GeventcoreError(f"cannot build {path} for {host}: {err}") from err
    return entry


def names_where(core: Core, kind: str, names: Iterable[str]) -> list[str]:
    """Return the clients in all groups, with any of the profiles, or with all bundles (`kind`)."""
    metadata = metadata_plugin(core)
    ways: dict[str, Callable[[Iterable[str]], list[str]]] = {
        "group": metadata.get_client_names_by_groups,
        "profile": metadata.get_client_names_by_profiles,
        "bundle": metadata.get_client_names_by_bundles,
    }
    return ways[kind](names)
