"""Answers that are kept: the whole configuration of a client, for as long as all that it depended on is the same.

An answer consists of structures, each of bytes that it shares with other clients, and of *open* entries: those that
depend on something that is not tracked. They are bound anew for each call, while the rest is sent again. What an answer
depends on, and how that is known, says docs/design/render-cache.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from geventcore.cache import RecentItems
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import (
    DeclaredDependencies,
    Generator,
    GoalValidator,
    Structure,
    StructureValidator,
    TemplateDataProvider,
)
from geventcore.plugin.recording import FIELDS, AttributeRead, Read, Recorder, UntrackableError
from geventcore.render.captured_logs import Line
from geventcore.render.guard import plugin_name
from geventcore.render.optional_hooks import is_hook_current
from geventcore.render.structure_template import SerializedEntry, StructureTemplate

#: What plugins may read of any client without saying so.
_FIELDS: tuple[Read, ...] = tuple(AttributeRead(name) for name in FIELDS)
_INTERFACES = (Structure, StructureValidator, Generator, GoalValidator, TemplateDataProvider)
#: The methods that `DeclaredDependencies.dependencies` speaks about.
_SUBJECTS = (
    *("build_structures", "validate_structures", "entries", "handles_entry", "bind_entry", "binding_key"),
    *("validate_goals", "concerns_goals", "amendment", "amend_entry", "get_template_data", "get_xml_template_data"),
)
#: Memory in bytes, roughly: of an answer, of a reference to a piece, and of a value that was read.
_ANSWER_BYTES, _REFERENCE_BYTES, _READ_BYTES = 2000, 16, 80


@dataclass(slots=True, eq=False)
class KeptStructure:
    """A structure of an answer.

    Attributes:
        name: its sort key.
        pieces: its bytes, if it has no open entry and they are not packed; else empty.
        packed: its bytes, compressed; None if they are not. Its template has the same object.
        template: the abstract structure.
        is_open: true if it has open entries, or is open as a whole.
        entries: in the order of the structure, if it has open entries; None in place of those.
        own_bytes: the size of what no other answer has.
        reads: what was read of the metadata for it.
    """

    name: str
    pieces: Sequence[bytes]
    template: StructureTemplate
    is_open: bool = False
    entries: list[SerializedEntry | None] | None = None
    own_bytes: int = 0
    reads: frozenset[Read] = frozenset()
    packed: bytes | None = None

    def written(self) -> Sequence[bytes]:
        """Return its bytes in pieces; only for one that is not open."""
        return self.pieces if self.packed is None else (zlib.decompress(self.packed),)

    def is_touched(self, effect: frozenset[tuple[str, str]], reads: Set[Read]) -> bool:
        """Return true if a change of files, or of what is read, can touch it."""
        return bool(
            (effect and not effect.isdisjoint(self.template.names)) or (reads and not self.reads.isdisjoint(reads))
        )


@dataclass(slots=True)
class Answer:
    """The configuration of a client.

    Attributes:
        structures: in the order of the document.
        version: the version of the repository.
        keys: what must be equal: settings, tables, and what plugins depend on.
        fields: the fields of the metadata.
        reads, values: what else was read of the metadata.
        stage_reads: of that, what was read to find the structures.
        lines: what rendering has logged.
        is_steady: whether another rendering logs the same.
    """

    structures: Sequence[KeptStructure]
    version: int
    keys: object
    fields: Sequence[Hashable]
    reads: Sequence[Read]
    values: Sequence[Hashable]
    stage_reads: frozenset[Read]
    lines: Sequence[Line]
    is_steady: bool

    @property
    def size(self) -> int:
        """The memory that it takes in bytes, roughly."""
        references = sum(len(each.pieces) + len(each.entries or ()) for each in self.structures)
        own = sum(each.own_bytes for each in self.structures)
        read = len(self.values) + sum(len(value) if isinstance(value, tuple) else 1 for value in self.fields)
        return _ANSWER_BYTES + _REFERENCE_BYTES * references + _READ_BYTES * read + own


@dataclass
class Gathering:
    """The findings about a configuration while it is rendered.

    Attributes:
        recorder: what is read of the metadata.
        keys: see `Answer.keys`.
        lines: see `Answer.lines`.
        structures: the structures that were written.
        reasons: why the answer cannot be kept as a whole; empty if it can.
        open_entries: the entries that are bound every time: ``Tag:name`` -> why.
        version, fields, stage_reads: see `Answer`.
        reusable: structures of the last answer of the client that no change has touched.
        previous: what was read for the last answer, with its values.
        outcome, changes: see `Explanation`.
    """

    recorder: Recorder
    version: int = -1
    keys: object = None
    fields: Sequence[Hashable] = ()
    stage_reads: frozenset[Read] = frozenset()
    reusable: dict[StructureTemplate, KeptStructure] = field(default_factory=dict)
    previous: Mapping[Read, Hashable] = field(default_factory=dict)
    outcome: str = "first"
    changes: Sequence[str] = ()
    lines: list[Line] = field(default_factory=list)
    structures: list[KeptStructure] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    open_entries: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """The reasons for which a configuration was rendered.

    Attributes:
        outcome: ``reused``, ``partly``, or why it was rendered: ``first``, ``repository``, ``metadata``, ``untracked``.
        changes: what has changed since the answer that was kept.
        reasons: why the answer cannot be kept as a whole.
        open_entries: the entries that are bound every time: ``Tag:name`` -> why.
    """

    outcome: str
    changes: Sequence[str] = ()
    reasons: Sequence[str] = ()
    open_entries: Mapping[str, str] = field(default_factory=dict)


class PluginDependencies:
    """The declarations of the loaded plugins (`DeclaredDependencies`)."""

    def __init__(self, plugins: Iterable[object]) -> None:
        self._declared: list[DeclaredDependencies] = []
        self._silent: list[object] = []
        for plugin in plugins:
            if isinstance(plugin, DeclaredDependencies) and is_hook_current(type(plugin), "dependencies", *_SUBJECTS):
                self._declared.append(plugin)
            elif isinstance(plugin, _INTERFACES):
                self._silent.append(plugin)
        self.silent_generators = [plugin for plugin in self._silent if isinstance(plugin, Generator)]

    def reasons(self) -> list[str]:
        """Return why no configuration can be kept as a whole."""
        return [
            f"the plugin {plugin_name(plugin)} does not say what it depends on"
            for plugin in self._silent
            if isinstance(plugin, Structure | StructureValidator)
        ]

    def keys(self, metadata: ClientMetadata) -> tuple[tuple[Hashable, ...], list[str]]:
        """Return what the plugins depend on for a client, and why that is not known."""
        keys: list[Hashable] = []
        reasons = []
        for plugin in self._declared:
            try:
                key = plugin.dependencies(metadata)
            except Exception:  # noqa: BLE001 - what is not known is not kept
                key = None
            if key is None:
                reasons.append(f"the plugin {plugin_name(plugin)} depends on what is not known")
            keys.append(key)
        # They may change their tables in place.
        for generator in self.silent_generators:
            keys.append(tuple((tag, frozenset(table)) for tag, table in generator.entries.items()))
        return tuple(keys), reasons


class AnswerStore:
    """The answers of a process; the least recently used are dropped first."""

    def __init__(self, limit: int) -> None:
        """Limit it to `limit` bytes; 0 keeps nothing."""
        self._answers: RecentItems[str, Answer] = RecentItems(limit)
        self._explanations: RecentItems[str, Explanation] = RecentItems(1_000_000 if limit else 0)
        self._lock = threading.Lock()
        self.is_in_use = limit > 0

    @property
    def size(self) -> int:
        """The size of the answers in bytes."""
        return self._answers.size

    def get(self, hostname: str) -> Answer | None:
        """Return the last answer of a client, which may be outdated."""
        return self._answers.get(hostname)

    def put(self, hostname: str, answer: Answer) -> None:
        """Keep an answer."""
        with self._lock:
            self._answers.put(hostname, answer, answer.size)

    def explain(self, hostname: str, explanation: Explanation) -> None:
        """Remember why a client's configuration was rendered."""
        self._explanations.put(hostname, explanation, 1000 + 200 * len(explanation.open_entries))

    def explanation(self, hostname: str) -> Explanation | None:
        """Return why a client's configuration was rendered the last time."""
        return self._explanations.get(hostname)


def fields_of(metadata: ClientMetadata) -> tuple[Hashable, ...]:
    """Return the fields of a client that any plugin may read."""
    return tuple(read.value(metadata) for read in _FIELDS)


def changed_fields(answer: Answer, fields: Sequence[Hashable]) -> list[str]:
    """Return the names of the fields that differ from those of an answer."""
    return [str(read) for read, old, new in zip(_FIELDS, answer.fields, fields, strict=True) if old != new]


def changed_reads(answer: Answer, metadata: ClientMetadata) -> set[Read]:
    """Return what was read for an answer and has another value."""
    changed = set()
    for read, value in zip(answer.reads, answer.values, strict=True):
        try:
            if read.value(metadata) != value:
                changed.add(read)
        except UntrackableError:
            changed.add(read)
    return changed


def kept_structure(
    name: str, template: StructureTemplate, entries: Sequence[SerializedEntry | None], own_bytes: int, in_order: bool
) -> KeptStructure:
    """Return a structure of an answer; `entries` has None for open ones."""
    if None in entries:
        return KeptStructure(name, (), template, True, list(entries), own_bytes)
    whole = [entry for entry in entries if entry is not None]
    return KeptStructure(name, tuple(template.pieces(whole, in_order)), template, own_bytes=own_bytes)


def open_structure(name: str, template: StructureTemplate) -> KeptStructure:
    """Return a structure of an answer that is bound as a whole every time."""
    return KeptStructure(name, (), template, True)
