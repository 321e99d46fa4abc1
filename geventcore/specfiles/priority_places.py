"""The sources of entries that are completed from files with priorities (Rules, Defaults)."""

from __future__ import annotations

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.explanation import Candidate as Lost
from geventcore.plugin.explanation import Source, Sources
from geventcore.specfiles.places import Node, StructPlaces, why_not
from geventcore.specfiles.priority_files import Candidate, PriorityFile, PriorityFiles


class PriorityPlaces:
    """The places of the candidates for the entries of one client."""

    def __init__(self, files: PriorityFiles, metadata: ClientMetadata, plugin: str) -> None:
        self._files = files
        self._metadata = metadata
        self._plugin = plugin
        self._places: dict[PriorityFile, StructPlaces] = {}

    def sources(self, entry: etree._Element) -> Sources:
        """Return the sources of what the best candidate adds to an entry, and the candidates that lost."""
        sources = Sources()
        try:
            best = self._files.best(entry, self._metadata)
        except GeventcoreError as err:
            best, conflict = None, str(err)
        else:
            conflict = ""
        for file, candidate in self._files.all_candidates(entry, self._metadata):
            source = self._source(file, candidate)
            if candidate is best:
                self._use(candidate, source, entry, sources)
            else:
                sources.lost.append(Lost(source, conflict or _reason(source, candidate, best)))
        return sources

    def _use(self, candidate: Candidate, source: Source, entry: etree._Element, sources: Sources) -> None:
        content = candidate.content(self._metadata)
        for name, value in content.items():
            name = str(name)
            if name not in entry.attrib:
                sources.attributes[name] = source
            elif name != "name" and entry.get(name) != str(value):
                text = f'{name}="{value!s}" of this {self._plugin} element'
                reason = f"the entry has {name} already: existing attributes win"
                sources.lost.append(Lost(_with(source, text=text), reason))
        if content.text and content.text.strip():
            sources.text = _with(source, kind="text")
        if len(content):
            sources.children = _with(source, kind="element")

    def _source(self, file: PriorityFile, candidate: Candidate) -> Source:
        places = self._places.get(file)
        if places is None:
            places = self._places[file] = StructPlaces(file, self._metadata, self._plugin)
        text = f"priority {candidate.priority}"
        if candidate.pattern is not None:
            text += f", name {candidate.element.get('name')}"
        return places.source(Node(candidate.element, candidate.conditions), text=text)


def _with(source: Source, kind: str | None = None, text: str | None = None) -> Source:
    return Source(
        source.plugin,
        kind or source.kind,
        source.file,
        source.line,
        source.text if text is None else text,
        source.conditions,
        source.reads,
        source.is_secret,
    )


def _reason(source: Source, candidate: Candidate, best: Candidate | None) -> str:
    failed = [why_not(condition) for condition in source.conditions if not condition.holds]
    if failed:
        return " and ".join(failed)
    if best is None:
        return "there is no candidate with the highest priority"
    if candidate.priority < best.priority:
        return f"priority {candidate.priority} is lower than {best.priority}"
    return f"it says the same as the one that is used, also with priority {best.priority}"
