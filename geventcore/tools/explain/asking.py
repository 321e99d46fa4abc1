"""Questions about a host, and their answers."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.plugin.explanation import Explaining, GroupReason, Obstacle, Source
from geventcore.plugin.interfaces import Generator
from geventcore.plugins.metadata import Metadata
from geventcore.render.guard import plugin_name
from geventcore.tools.explain.model import (
    Absence,
    BundlePath,
    EntryExplanation,
    Explanation,
    GroupPath,
    Step,
    Value,
    relative_to,
)
from geventcore.tools.explain.observing import SERVER, Observation, Record
from geventcore.tools.site import is_glob

_PRIVATE_KEY = "PRIVATE KEY-----"
#: The modes of Decisions.
_DECISION_LISTS = ("whitelist", "blacklist")


#: The source of an attribute that no plugin has set: false for most, true for ``failure``.
_SET_BY_SERVER = {
    False: Source(SERVER, "plugin", text="set by the server"),
    True: Source(SERVER, "plugin", text="the reason why the entry cannot be bound"),
}


@dataclass(frozen=True)
class Question:
    """The entries, groups and bundles that are asked for.

    Attributes:
        entries: pairs of a tag and a name, which may have wildcards.
        groups, bundles: names, which may have wildcards.
    """

    entries: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()

    @classmethod
    def of_words(cls, words: Sequence[str]) -> Question:
        """Read ``group NAME``, ``bundle NAME``, ``Tag:name``, ``Tag name`` and ``/path``.

        Raises:
            GeventcoreError: a word is none of these.
        """
        entries: list[tuple[str, str]] = []
        groups: list[str] = []
        bundles: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word.lower() in ("group", "bundle"):
                if not rest:
                    raise GeventcoreError(f"{word}: the name of the {word.lower()} is missing")
                (groups if word.lower() == "group" else bundles).append(rest.pop(0))
            elif word.startswith("/"):
                entries.append(("Path", word))
            elif ":" in word and word[0].isalpha():
                tag, _, name = word.partition(":")
                entries.append((tag, name))
            elif rest and word[0].isupper():
                entries.append((word, rest.pop(0)))
            else:
                raise GeventcoreError(
                    f"{word}: expected Tag:name, such as Path:/etc/motd, or group NAME, or bundle NAME"
                )
        return cls(tuple(entries), tuple(groups), tuple(bundles))


def explain(core: Core, host: str, question: Question | None = None) -> Explanation:
    """Explain a host's configuration: everything, or what the question asks for.

    Raises:
        MetadataError: the host is unknown, or its metadata contradict each other.
    """
    answer = _Answer(core, Observation(core, host))
    found = answer.everything() if question is None or question == Question() else answer.to(question)
    return relative_to(found, core.repository.path)


class _Answer:
    """The answer about one observed build."""

    def __init__(self, core: Core, observation: Observation) -> None:
        self._core = core
        self._seen = observation
        self._metadata = observation.metadata
        self._reasons = self._group_reasons()

    def _explanation(self, **parts: object) -> Explanation:
        root = self._seen.root
        error = str(root.get("type")) if root.tag == "error" else ""
        return Explanation(self._metadata.hostname, self._metadata.profile or "", error, **parts)  # type: ignore[arg-type]

    def everything(self) -> Explanation:
        return self._explanation(
            is_whole=True,
            groups=tuple(self._group(name) for name in sorted(self._metadata.groups)),
            bundles=tuple(self._bundles()),
            entries=tuple(self._entries()),
        )

    def to(self, question: Question) -> Explanation:
        absences: list[Absence] = []
        groups = self._chosen(question.groups, sorted(self._metadata.groups), self._group, self._no_group, absences)
        known = {bundle.name: bundle for bundle in self._bundles()} if question.bundles else {}
        bundles = self._chosen(question.bundles, list(known), known.__getitem__, self._no_bundle, absences)
        entries: list[EntryExplanation] = []
        for tag, name in question.entries:
            found = list(self._entries(tag, name))
            entries += found
            if not found:
                absences.append(self._no_entry(tag, name))
        wanted = {entry.structure for entry in entries}
        bundles += [bundle for bundle in self._bundles() if bundle.name in wanted and bundle not in bundles]
        return self._explanation(
            groups=tuple(groups), bundles=tuple(bundles), entries=tuple(entries), absences=tuple(absences)
        )

    @staticmethod
    def _chosen(
        words: Iterable[str],
        names: Sequence[str],
        found: Callable[[str], object],
        missing: Callable[[str], Absence],
        absences: list[Absence],
    ) -> list:  # type: ignore[type-arg]  # groups or bundles
        chosen = []
        for word in words:
            matching = [name for name in names if fnmatch.fnmatchcase(name, word)]
            chosen += [found(name) for name in matching]
            if not matching:
                absences.append(missing(word))
        return chosen

    # -- groups and bundles

    def _group_reasons(self) -> Mapping[str, list[GroupReason]]:
        found: dict[str, list[GroupReason]] = {}
        source = self._core.metadata_source()
        if isinstance(source, Explaining):
            for name, reasons in source.explain_groups(self._metadata).items():
                found.setdefault(name, []).extend(reasons)
        for name, reasons in self._seen.given.items():
            found.setdefault(name, []).extend(reasons)
        for name in self._metadata.groups - found.keys():
            found[name] = [GroupReason(Source(plugin_name(source), "plugin", text="given by this plugin"))]
        return found

    def _group(self, name: str) -> GroupPath:
        categories = {group: category for category, group in self._metadata.categories.items()}
        path = self._path(name, frozenset()) or (Step(name, Source(SERVER, "plugin")),)
        return GroupPath(name, categories.get(name, ""), path, tuple(self._reasons.get(name, ())))

    def _path(self, name: str, passed: frozenset[str]) -> tuple[Step, ...] | None:
        """Return the shortest path to a group that does not lead in a circle."""
        best: tuple[Step, ...] | None = None
        for reason in self._reasons.get(name, ()):
            path: tuple[Step, ...] | None = ()
            for needed in reason.needs:
                path = None if needed in passed else self._path(needed, passed | {name})
                if path is None:
                    break
            if path is not None and (best is None or len(path) + 1 < len(best)):
                best = (*path, Step(name, reason.source))
        return best

    def _bundles(self) -> list[BundlePath]:
        source = self._core.metadata_source()
        found = []
        for structure, record in self._seen.structures.items():
            name = structure.get("name", "")
            paths = []
            groups = source.bundle_sources(name) if isinstance(source, Metadata) else []
            for group, place in groups:
                if group in self._metadata.groups:
                    paths.append((*self._group(group).path, Step(name, place)))
            attributes = tuple(Value(str(key), str(value), record.source) for key, value in structure.items())
            count = sum(1 for _ in structure.iterchildren(etree.Element))
            kind = "Independent" if structure.tag == "Independent" else str(structure.tag)
            found.append(BundlePath(kind, name, record.source, tuple(paths), attributes, count))
        return sorted(found, key=lambda bundle: bundle.name)

    # -- entries

    def _entries(self, tag: str = "", name: str = "") -> Iterable[EntryExplanation]:
        decisions = self._decisions()
        for structure in self._seen.root.iterchildren(etree.Element):
            for entry in structure.iterchildren(etree.Element):
                own = entry.get("name", "")
                is_meant = fnmatch.fnmatchcase(entry.tag, tag) and fnmatch.fnmatchcase(own, name)
                if not tag or is_meant or (tag, name) == (entry.tag, own):
                    yield self._entry(entry, structure.get("name", ""), decisions)

    def _entry(
        self, entry: etree._Element, structure: str, decisions: Sequence[tuple[str, str, str]]
    ) -> EntryExplanation:
        record = self._seen.record_of(entry)
        is_secret = _is_secret(entry, record)
        label = (str(entry.tag), entry.get("name", ""))
        matching = tuple(
            f"{mode}.xml: {kind}:{pattern}"
            for mode, kind, pattern in decisions
            if fnmatch.fnmatchcase(label[0], kind) and fnmatch.fnmatchcase(label[1], pattern)
        )
        return EntryExplanation(
            *label,
            structure,
            record.source,
            record.generator,
            tuple(_values(entry, record.attributes)),
            _text(entry, record.text, is_secret),
            tuple(_child(child, structure, record) for child in entry.iterchildren(etree.Element)),
            tuple(record.lost),
            record.alternative,
            entry.get("failure", ""),
            matching,
        )

    def _decisions(self) -> list[tuple[str, str, str]]:
        return [
            (mode, tag, name)
            for mode in _DECISION_LISTS
            for tag, name in self._core.renderer.get_decisions(self._metadata, mode)
        ]

    # -- what the host does not get

    def _obstacles(self, tag: str, name: str) -> list[Obstacle]:
        found: list[Obstacle] = []
        for plugin in self._core.plugins.by_type(Explaining):
            found += plugin.explain_absence(tag, name, self._metadata)
        return found

    def _no_group(self, name: str) -> Absence:
        obstacles = sorted(self._obstacles("Group", name), key=lambda obstacle: obstacle.distance)
        known = self._core.metadata_source().query.all_groups()
        return Absence("group", name, tuple(obstacles), similar=_similar(name, known))

    def _no_bundle(self, name: str) -> Absence:
        source = self._core.metadata_source()
        groups = source.bundle_sources(name) if isinstance(source, Metadata) else []
        found = [
            Obstacle(
                place,
                f"the bundle comes with the group {group}, and the host is not in it{self._nearest('Group', group)}",
                name,
                distance=1,
            )
            for group, place in groups
        ]
        names = [bundle.name for bundle in self._bundles()]
        return Absence("bundle", name, tuple(found), similar=_similar(name, names))

    def _nearest(self, tag: str, name: str) -> str:
        found = sorted(self._obstacles(tag, name), key=lambda obstacle: obstacle.distance)
        return f" ({found[0].text}, {found[0].source.place})" if found and found[0].text else ""

    def _no_entry(self, tag: str, name: str) -> Absence:
        own = {structure.get("name") for structure in self._seen.structures}
        obstacles = []
        for obstacle in self._obstacles(tag, name):
            texts = [obstacle.text] if obstacle.text else []
            distance = obstacle.distance
            if obstacle.bundle and obstacle.bundle not in own:
                groups = self._no_bundle(obstacle.bundle).obstacles
                why = f": {groups[0].text}" if groups else ": no group of the site brings it"
                texts.insert(0, f"the host does not get the bundle {obstacle.bundle}{why}")
                distance += 1
            if not texts:
                # The place is in a bundle of the host, and all conditions hold.
                texts, distance = ["a plugin has removed or renamed it"], 3
            obstacles.append(Obstacle(obstacle.source, "; ".join(texts), obstacle.bundle, obstacle.failed, distance))
        obstacles.sort(key=lambda obstacle: obstacle.distance)
        names = [
            f"{entry.tag}:{entry.get('name')}"
            for structure in self._seen.root.iterchildren(etree.Element)
            for entry in structure.iterchildren(etree.Element)
        ]
        return Absence(
            "entry", f"{tag}:{name}", tuple(obstacles), self._generators(tag, name), _similar(f"{tag}:{name}", names)
        )

    def _generators(self, tag: str, name: str) -> tuple[str, ...]:
        entry = etree.Element(tag, name=name) if tag.isidentifier() and not is_glob(name) else None
        found = []
        for generator in self._core.plugins.by_type(Generator):
            if name in generator.entries.get(tag, ()) or (
                entry is not None and generator.handles_entry(entry, self._metadata)
            ):
                found.append(plugin_name(generator))
        return tuple(found)


def _similar(name: str, names: Iterable[str]) -> tuple[str, ...]:
    others = [other for other in names if other != name]
    return tuple(difflib.get_close_matches(name, others, n=3, cutoff=0.75))


def _values(element: etree._Element, sources: Mapping[str, Source]) -> Iterable[Value]:
    for key, value in element.items():
        source = sources.get(str(key)) or _SET_BY_SERVER[key == "failure"]
        yield Value(str(key), "" if source.is_secret else str(value), source, source.is_secret)


def _text(element: etree._Element, source: Source | None, is_secret: bool) -> Value | None:
    if not element.text or (len(element) and not element.text.strip()):
        return None
    source = source or Source(SERVER, "plugin", text="set by the server")
    is_hidden = is_secret or source.is_secret
    return Value("", "" if is_hidden else element.text, source, is_hidden)


def _is_secret(entry: etree._Element, record: Record) -> bool:
    return (
        entry.get("sensitive", "").lower() == "true"
        or (record.text is not None and record.text.is_secret)
        or _PRIVATE_KEY in (entry.text or "")
    )


def _child(element: etree._Element, structure: str, record: Record) -> EntryExplanation:
    source = record.children.get(element) or record.source
    return EntryExplanation(
        str(element.tag),
        element.get("name", ""),
        structure,
        source,
        attributes=tuple(_values(element, dict.fromkeys(map(str, element.keys()), source))),
        text=_text(element, source, source.is_secret),
        children=tuple(_child(each, structure, record) for each in element.iterchildren(etree.Element)),
    )
