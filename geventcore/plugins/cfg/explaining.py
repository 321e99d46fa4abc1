"""The sources of files that Cfg and plugins with such directories bind: attributes, content, and files that lost."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.options import Option, Settings
from geventcore.options.server import (
    MDATA_GROUP,
    MDATA_IMPORTANT,
    MDATA_MODE,
    MDATA_OWNER,
    MDATA_PARANOID,
    MDATA_SECONTEXT,
    MDATA_SENSITIVE,
)
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Candidate, Condition, Read, Source, Sources
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.authorized_keys import AuthorizedKeysGenerator
from geventcore.plugins.cfg.deltas import PlainAndDelta, applicable
from geventcore.plugins.cfg.encrypted import Encrypted
from geventcore.plugins.cfg.handlers import CfgCreator, CfgDelta, CfgGenerator, CfgHandler, CfgInfo
from geventcore.plugins.cfg.info import InfoXML, info_elements
from geventcore.plugins.cfg.legacy_info import LegacyInfo
from geventcore.plugins.cfg.names import requested_name
from geventcore.plugins.cfg.templates import TemplateGenerator
from geventcore.specfiles.most_specific import sorted_matches
from geventcore.specfiles.places import Node, StructPlaces, matched_nodes, why_not
from geventcore.specfiles.template_reads import reads_of_template

#: The options that give attributes to every file.
MDATA: dict[str, Option[str]] = {
    option.key: option
    for option in (
        MDATA_OWNER,
        MDATA_GROUP,
        MDATA_MODE,
        MDATA_SECONTEXT,
        MDATA_IMPORTANT,
        MDATA_PARANOID,
        MDATA_SENSITIVE,
    )
}


def option_source(plugin: str, settings: Settings, option: Option[str]) -> Source:
    """Return the source of a value that an option gives."""
    file, line = "", None
    where, _, number = settings.source_of(option).rpartition(":")
    if where and number.isdigit():
        file, line = where, int(number)
    text = f"{option.label}" if file else f"{option.label}, {settings.source_of(option)}"
    return Source(plugin, "option", file, line, text)


class FileSources:
    """The sources of the file of one entry."""

    def __init__(
        self, plugin: str, context: PluginContext, handlers: Iterable[CfgHandler | None], metadata: ClientMetadata
    ) -> None:
        self._plugin = plugin
        self._context = context
        self._handlers = [handler for handler in handlers if handler is not None]
        self._metadata = metadata
        self._sources = Sources()

    def find(self, entry: etree._Element) -> Sources:
        """Return the sources of what binding adds to an abstract entry."""
        settings = self._context.settings
        attributes = self._sources.attributes
        for name, option in MDATA.items():
            attributes[name] = option_source(self._plugin, settings, option)
        self._add_info(entry)
        attributes["type"] = Source(self._plugin, "plugin", text="every Path of this plugin is a file")
        generator = self._choose(CfgGenerator)
        chosen: CfgHandler | None = generator
        if chosen is None:
            chosen = self._choose(CfgCreator)
        if chosen is not None:
            source = self._content(chosen)
            self._sources.text = attributes["empty"] = source
            mode = attributes["mode"]
            if settings[MDATA_MODE] == "inherit" or mode.text.endswith("mode=inherit"):
                attributes["mode"] = Source(
                    self._plugin, "plugin", str(chosen.path), text=f"the mode of the file, because of {mode.text}"
                )
        return self._sources

    # -- info.xml

    def _add_info(self, entry: etree._Element) -> None:
        infos = sorted(
            (handler for handler in self._handlers if isinstance(handler, CfgInfo)),
            key=lambda info: (info.rank, str(info.path)),
        )
        for ignored in infos[1:]:
            source = Source(self._plugin, "content", str(ignored.path))
            self._sources.lost.append(Candidate(source, f"the attributes are in {infos[0].path}"))
        if not infos:
            return
        info = infos[0]
        if isinstance(info, InfoXML | LegacyInfo):
            add_info_file(self._plugin, info, entry, self._metadata, self._sources)

    # -- content

    def _choose(self, kind: type[CfgHandler]) -> CfgHandler | None:
        """Return the most specific handler of a kind; the others lose."""
        handlers = [handler for handler in self._handlers if isinstance(handler, kind)]
        matching = sorted_matches(handlers, self._metadata)
        best = matching[0] if matching else None
        for handler in handlers:
            if handler is best:
                continue
            source = Source(self._plugin, "content", str(handler.path))
            if handler not in matching:
                reason = _not_for(handler.specificity)
            elif best is not None and handler.specificity.rank == best.specificity.rank:
                reason = f"it is as specific as {best.path.name}, which is the first by name"
            else:
                reason = f"{_for(handler.specificity)} is less specific than {_for(best.specificity if best else None)}"
            self._sources.lost.append(Candidate(source, reason))
        if best is None:
            return None
        if isinstance(best, CfgGenerator):
            for creator in self._handlers:
                if isinstance(creator, CfgCreator) and not isinstance(creator, CfgGenerator):
                    source = Source(self._plugin, "created", str(creator.path))
                    self._sources.lost.append(Candidate(source, f"{best.path.name} exists already"))
        return best

    def _content(self, handler: CfgHandler) -> Source:
        path = str(handler.path)
        condition = _condition(handler.specificity, self._metadata)
        conditions = () if condition is None else (condition,)
        is_secret = isinstance(handler, Encrypted) or getattr(handler, "is_secret", False)
        if isinstance(handler, AuthorizedKeysGenerator):
            return self._keys(handler)
        if isinstance(handler, CfgCreator) and not isinstance(handler, CfgGenerator):
            return Source(self._plugin, "created", path, text="made by the server from this file", is_secret=is_secret)
        kind, text = "content", _for(handler.specificity)
        reads: tuple[Read, ...] = ()
        if isinstance(handler, TemplateGenerator):
            kind = "template"
            text = f"{handler.engine.partition('-')[0]} template {text}"
            if not isinstance(handler, Encrypted):
                reads = reads_of_template(handler.path, self._metadata, self._context.encoding)
        elif isinstance(handler, Encrypted):
            text = f"decrypted, {text}"
        deltas = [each for each in self._handlers if isinstance(each, CfgDelta | PlainAndDelta)]
        parts = tuple(
            Source(self._plugin, "content", str(delta.path), text=f"changes the content, {_for(delta.specificity)}")
            for delta in applicable(deltas, handler.specificity, self._metadata)
        )
        return Source(self._plugin, kind, path, None, text, conditions, reads, is_secret, parts)

    def _keys(self, handler: AuthorizedKeysGenerator) -> Source:
        try:
            places = StructPlaces(handler.file, self._metadata, self._plugin)
        # A template of the site may raise anything; the entry has failed with it.
        except Exception:  # noqa: BLE001
            return Source(self._plugin, "assembled", str(handler.path))
        parts = []
        for node in matched_nodes(places.root, self._metadata):
            if node.element.tag != "Allow":
                continue
            origin = node.element.get("from")
            owner = "".join(
                f" of {word} {node.element.get(word)}" for word in ("host", "group") if node.element.get(word)
            )
            text = f"the key {origin}{owner}" if origin else "the key in this element"
            parts.append(places.source(node, "element" if origin else "text", text))
        return Source(self._plugin, "assembled", str(handler.path), text="one line for each key", parts=tuple(parts))


def add_info_file(
    plugin: str, info: InfoXML | LegacyInfo, entry: etree._Element, metadata: ClientMetadata, sources: Sources
) -> None:
    """Add the sources of the attributes that an ``info.xml`` or ``:info`` gives an entry, and elements that lost."""
    name = requested_name(entry)
    if isinstance(info, LegacyInfo):
        found = info.info_for_all
        for given, _ in found.attributes if found is not None else ():
            line = _line_with(info, given)
            sources.attributes[given] = Source(plugin, "content", str(info.path), line, f"{given}:")
        return
    try:
        places = StructPlaces(info.file, metadata, plugin)
    # A template of the site may raise anything; the entry has failed with it.
    except Exception:  # noqa: BLE001
        return
    is_found = False
    for conditions, element in info_elements(places.root):
        file, line = places.of(element)
        shown = tuple(
            Condition(each.tag, each.name or "", each.negated, each.holds(name, metadata)) for each in conditions
        )
        reads = places.source(Node(element, ())).reads
        source = Source(plugin, "attribute", file, line, "Info", shown, reads)
        failed = [why_not(condition) for condition in shown if not condition.holds]
        if failed:
            sources.lost.append(Candidate(source, " and ".join(failed)))
        elif is_found:
            sources.lost.append(Candidate(source, "the first Info that applies is used"))
        else:
            is_found = True
            for attribute, value in element.items():
                text = "Info, with mode=inherit" if (attribute, value) == ("mode", "inherit") else "Info"
                sources.attributes[str(attribute)] = Source(plugin, "attribute", file, line, text, shown, reads)
            if len(element):
                sources.children = Source(plugin, "element", file, line, "ACL", shown, reads)


def _line_with(info: LegacyInfo, name: str) -> int | None:
    try:
        lines = info.read().decode("utf-8", "replace").split("\n")
    except GeventcoreError:
        return None
    return next((number for number, line in enumerate(lines, 1) if line.strip().startswith(f"{name}:")), None)


def _condition(specificity: Specificity, metadata: ClientMetadata) -> Condition | None:
    if specificity.hostname is not None:
        return Condition("Client", specificity.hostname, False, specificity.matches(metadata))
    if specificity.group is not None:
        return Condition("Group", specificity.group, False, specificity.matches(metadata))
    return None


def _for(specificity: Specificity | None) -> str:
    if specificity is None or specificity.is_for_all:
        return "for all hosts"
    if specificity.hostname is not None:
        return f"for the host {specificity.hostname}"
    return f"for the group {specificity.group} with priority {specificity.priority}"


def _not_for(specificity: Specificity) -> str:
    if specificity.hostname is not None:
        return f"it is for the host {specificity.hostname} only"
    return f"the host is not in the group {specificity.group}"
