"""The observation of a build: which plugin has set which attribute of which entry.

The pipeline builds the configuration as always, with plugins behind observers that compare the structures before and
after each call. So every attribute has a plugin. The plugin is then asked for the place (`Explaining`); if it knows
none, its name is the source.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast

from lxml import etree

from geventcore.core.base import Core
from geventcore.core.connector_results import ConnectorResults
from geventcore.core.metadata_building import build_metadata
from geventcore.errors import ValidationError
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.explanation import (
    Candidate,
    ElementSource,
    Explaining,
    GroupReason,
    Source,
    Sources,
    StructureSources,
)
from geventcore.plugin.interfaces import Binder as EntryBinder
from geventcore.plugin.interfaces import (
    Connector,
    Generator,
    GoalValidator,
    IfUnavailable,
    Structure,
    StructureValidator,
)
from geventcore.render.bind_times import BindTimes
from geventcore.render.binder import Binder
from geventcore.render.guard import plugin_name
from geventcore.render.pipeline import build_configuration
from geventcore.specfiles.places import source_of_child

T = TypeVar("T")

#: The name of the server as a source.
SERVER = "server"


@dataclass
class Record:
    """The sources of one element of the configuration.

    Attributes:
        source: the place that names it.
        attributes: name -> source.
        text, children: the sources of the text and of the child elements.
        lost: the candidates that were not used.
        generator: the plugin that bound it.
        alternative: the ``altsrc`` under which it was bound, or empty.
    """

    source: Source
    attributes: dict[str, Source] = field(default_factory=dict)
    text: Source | None = None
    children: dict[etree._Element, Source] = field(default_factory=dict)
    lost: list[Candidate] = field(default_factory=list)
    generator: str = ""
    alternative: str = ""


@dataclass(frozen=True)
class _State:
    """An element as it was."""

    attributes: dict[str, str]
    text: str | None
    children: tuple[etree._Element, ...]

    @classmethod
    def of(cls, element: etree._Element) -> _State:
        attributes = {str(name): str(value) for name, value in element.items()}
        return cls(attributes, element.text, tuple(element))


class Observation:
    """The observation of one host's build.

    Attributes:
        metadata: the client.
        given: group -> the reasons that connectors give.
        root: the configuration, or an ``error`` element.
        structures, entries: element -> record.
    """

    def __init__(self, core: Core, host: str) -> None:
        """Build the configuration; `MetadataError` for an unknown host."""
        self._core = core
        self.given: dict[str, list[GroupReason]] = {}
        self.structures: dict[etree._Element, Record] = {}
        self.entries: dict[etree._Element, Record] = {}
        with core.repository.lock.shared():
            self.metadata = self._build_metadata(host)
            try:
                self.root = build_configuration(_Services(core.renderer, self), self.metadata)
            except ValidationError as err:
                # What has been built until then explains why it was rejected.
                self.root = etree.Element("error", type=str(err).removeprefix(f"{host} gets no configuration: "))

    # -- metadata

    def _build_metadata(self, host: str) -> ClientMetadata:
        connectors = [_ObservedConnector(each, self) for each in self._core.plugins.by_type(Connector)]
        results = ConnectorResults(lambda: None)
        metadata = build_metadata(host, self._core.metadata_source(), connectors, self._core.timings, results)
        for connector in connectors:
            reasons: Mapping[str, Sequence[GroupReason]] = _asked(connector.plugin, "explain_groups", {}, metadata)
            for name in connector.groups:
                known = reasons.get(name) or [
                    GroupReason(Source(connector.name, "plugin", text="given by this plugin"))
                ]
                self.given.setdefault(name, []).extend(known)
        return metadata

    # -- structures

    def note_structures(self, plugin: Structure, structures: Sequence[etree._Element]) -> None:
        """Record the structures that a plugin has built."""
        name = plugin_name(plugin)
        known: dict[str, StructureSources] = dict(_asked(plugin, "explain_structures", {}, self.metadata))
        for structure in structures:
            sources = known.get(structure.get("name", ""))
            default = Source(name, "plugin")
            self.structures[structure] = Record(default if sources is None else sources.source)
            children = list(structure.iterchildren(etree.Element))
            places = _paired(children, sources.children if sources is not None else (), default)
            for child, source in zip(children, places, strict=True):
                self.entries[child] = self._new(child, source)

    def _new(self, element: etree._Element, source: Source) -> Record:
        record = Record(source, {str(name): source for name in element.keys()})  # noqa: SIM118
        if element.text and element.text.strip():
            record.text = _as_kind(source, "text")
        record.children = dict.fromkeys(element, _as_kind(source, "element"))
        return record

    def note_validation(
        self, plugin: StructureValidator, structures: Sequence[etree._Element], before: MutableSequence[etree._Element]
    ) -> None:
        """Record what a plugin has added to the structures. `before` are copies of the structures before."""
        name = plugin_name(plugin)
        for structure in structures:
            if structure not in self.structures:
                self.structures[structure] = Record(Source(name, "plugin", text="added by this plugin"))
            for entry in structure.iterchildren(etree.Element):
                record = self.entries.get(entry)
                if record is None:
                    source = _asked(plugin, "explain_addition", None, entry, self.metadata, before)
                    source = source or Source(name, "plugin", text="added by this plugin")
                    self.entries[entry] = self._new(entry, source)

    # -- entries

    def note_changes(self, element: etree._Element, before: _State, plugin: object, sources: Sources) -> None:
        """Record the changes of an entry that a plugin has made."""
        default = Source(plugin_name(plugin), "plugin", text="set by this plugin")
        record = self.entries.setdefault(element, Record(default))
        for name, value in element.items():
            if before.attributes.get(str(name)) != str(value):
                record.attributes[str(name)] = sources.attributes.get(str(name), default)
        for name in before.attributes.keys() - set(map(str, element.keys())):
            record.attributes.pop(name, None)
        if element.text != before.text and element.text:
            record.text = sources.text or default
        for child in element:
            if child not in before.children:
                record.children[child] = source_of_child(child, sources.children) if sources.children else default
        record.lost += [each for each in sources.lost if each not in record.lost]

    def record_of(self, element: etree._Element) -> Record:
        """Return the record of an entry."""
        return self.entries.setdefault(element, Record(Source(SERVER, "plugin", text="added by the server")))


def _paired(children: Sequence[etree._Element], known: Sequence[ElementSource], default: Source) -> list[Source]:
    """Return the source of each child; the default if the plugin's list does not fit."""
    if len(children) != len(known) or any(
        child.tag != each.tag or {str(k): str(v) for k, v in child.items()} != dict(each.attributes)
        for child, each in zip(children, known, strict=True)
    ):
        return [default] * len(children)
    return [each.source for each in known]


def _as_kind(source: Source, kind: str) -> Source:
    return source if source.kind == "plugin" else Source(**{**source.__dict__, "kind": kind})


def _asked(plugin: object, method: str, default: T, *arguments: Any) -> T:
    """Ask a plugin for an explanation; the default if it gives none."""
    if not isinstance(plugin, Explaining):
        return default
    try:
        return cast("T", getattr(plugin, method)(*arguments)) or default
    # An explanation that fails must not hide the others.
    except Exception:  # noqa: BLE001
        return default


class _ObservedConnector(Connector):
    """A connector whose groups are recorded."""

    reuse_seconds: ClassVar[float] = 0

    def __init__(self, plugin: Connector, observation: Observation) -> None:
        self.plugin = plugin
        self.name = plugin_name(plugin)
        self.groups: list[str] = []

    @property
    def if_unavailable(self) -> IfUnavailable:  # type: ignore[override]  # that of the plugin
        return self.plugin.if_unavailable

    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        found = list(self.plugin.get_additional_groups(metadata))
        self.groups += [each.name if isinstance(each, MetadataGroup) else each for each in found]
        return found

    def get_additional_data(self, metadata: ClientMetadata) -> Any:
        return self.plugin.get_additional_data(metadata)


class _ObservedStructure(Structure):
    """A plugin whose structures are recorded."""

    def __init__(self, plugin: Structure, observation: Observation) -> None:
        self._plugin = plugin
        self._observation = observation
        self.name = plugin_name(plugin)

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        found = self._plugin.build_structures(metadata)
        self._observation.note_structures(self._plugin, found)
        return found


class _ObservedValidator(StructureValidator):
    """A plugin whose changes of structures are recorded."""

    def __init__(self, plugin: StructureValidator, observation: Observation) -> None:
        self._plugin = plugin
        self._observation = observation
        self.name = plugin_name(plugin)

    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        observation = self._observation
        copies = [copy.deepcopy(structure) for structure in structures]
        states = {
            entry: _State.of(entry) for structure in structures for entry in structure.iterchildren(etree.Element)
        }
        self._plugin.validate_structures(metadata, structures)
        observation.note_validation(self._plugin, structures, copies)
        for entry, state in states.items():
            if entry.getparent() is not None:
                observation.note_changes(entry, state, self._plugin, Sources())


class _ObservedGoals(GoalValidator):
    """A plugin whose changes of bound entries are recorded."""

    def __init__(self, plugin: GoalValidator, observation: Observation) -> None:
        self._plugin = plugin
        self._observation = observation
        self.name = plugin_name(plugin)

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        entries = [entry for structure in config for entry in structure.iterchildren(etree.Element)]
        states = [(entry, _State.of(entry), copy.copy(entry)) for entry in entries]
        self._plugin.validate_goals(metadata, config)
        for entry, state, old in states:
            sources = _asked(self._plugin, "explain_goal", Sources(), old, metadata)
            self._observation.note_changes(entry, state, self._plugin, sources)

    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        return self._plugin.concerns_goals(metadata)


class _ObservedBinder(Binder):
    """A binder that records which generator has bound which entry."""

    def __init__(self, generators: Sequence[Generator], observation: Observation, timings: Any) -> None:
        super().__init__(generators, timings)
        self._observation = observation
        self._found: Generator | None = None

    def with_current_tables(self, version: int = 0) -> Binder:
        return self

    def find(
        self, entry: etree._Element, tag: str, name: str, metadata: ClientMetadata
    ) -> tuple[Generator, EntryBinder, bool]:
        found = super().find(entry, tag, name, metadata)
        self._found = found[0]
        return found

    def bind(self, entry: etree._Element, metadata: ClientMetadata, times: BindTimes) -> None:
        before, old = _State.of(entry), copy.copy(entry)
        alternative = entry.get("altsrc")
        self._found = None
        try:
            super().bind(entry, metadata, times)
        except Exception as err:
            if entry.get("realname") is not None:
                reason = f"it cannot be bound: {' '.join(str(err).split())}"
                source = Source(SERVER, "attribute", text=_alternative_text(entry.get("name", "")))
                self._observation.record_of(entry).lost.append(Candidate(source, reason))
            raise
        finally:
            record = self._observation.record_of(entry)
            failed = any(each.source.text == _alternative_text(alternative or "") for each in record.lost)
            if alternative is None or failed:
                self._note(entry, before, old, metadata)
            if alternative is not None:
                record.alternative = "" if failed else alternative
                # The names are back, and altsrc is gone.
                record.attributes.pop("altsrc", None)
                record.attributes.pop("realname", None)
                record.attributes["name"] = record.source

    def _note(self, entry: etree._Element, before: _State, old: etree._Element, metadata: ClientMetadata) -> None:
        generator, observation = self._found, self._observation
        if generator is None:
            return
        sources = _asked(generator, "explain_binding", Sources(), old, metadata)
        observation.note_changes(entry, before, generator, sources)
        observation.record_of(entry).generator = plugin_name(generator)


def _alternative_text(name: str) -> str:
    return f"altsrc {name}"


class _Services:
    """The server as the pipeline sees it, with observed plugins."""

    def __init__(self, renderer: Any, observation: Observation) -> None:
        self._renderer = renderer
        self._observation = observation
        self.binder = _ObservedBinder(renderer.plugins_by_type(Generator), observation, renderer.timings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._renderer, name)

    def plugins_by_type(self, interface: type[T]) -> Sequence[T]:
        found: Sequence[Any] = self._renderer.plugins_by_type(interface)
        observed = _OBSERVED.get(interface)
        return found if observed is None else [observed(plugin, self._observation) for plugin in found]


#: Interface -> the class that observes a plugin which implements it.
_OBSERVED: dict[type, Any] = {
    Structure: _ObservedStructure,
    StructureValidator: _ObservedValidator,
    GoalValidator: _ObservedGoals,
}
