"""The writer of structures: it binds entries and serializes them, or takes the bytes from the cache.

An entry whose generator gives a binding key (`Generator.binding_key`) is bound once for each key, and its bytes are
cached. Every other entry is bound in its structure and serialized. The tree steps are used where a structure cannot be
written entry by entry.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.interfaces import UNCHANGED, Binder, ForEveryClient, Generator
from geventcore.plugin.recording import RECORDER, Recorder, is_lasting, note_untracked
from geventcore.render.amendments import Amendments
from geventcore.render.answers import KeptStructure, kept_structure, open_structure
from geventcore.render.captured_logs import captured
from geventcore.render.optional_hooks import is_hook_current
from geventcore.render.sorting import sort_children, sort_key
from geventcore.render.steps import Rendering, bind_structure, note_failure
from geventcore.render.structure_template import (
    BOUND_PREFIX,
    EntryTemplate,
    SerializedEntry,
    SharedEntries,
    StructureTemplate,
    remove_prefix,
)

#: The sharing of a bound entry: by all clients, by those for whom all that was recorded is the same, or by none.
_EVERYONE, _TRACKED, _OPEN = range(3)


_NOT_BY_ENTRIES = "the structure has text, comments or namespaces"


class StructureWriter:
    """A writer that binds and serializes the structures of one configuration."""

    def __init__(self, rendering: Rendering, in_order: bool, amendments: Amendments) -> None:
        """Sort the children of every element if `in_order`."""
        services = rendering.services
        self._rendering = rendering
        self._gathering = rendering.gathering
        self._metadata = rendering.metadata
        self._store = services.entry_store
        self._services = services
        self._binder = services.binder.with_current_tables(services.repository_version)
        self._in_order = in_order
        self._amendments = amendments
        #: A generator that does not say what it depends on may begin to bind an entry that no table has.
        self._lasts = not services.plugin_dependencies.silent_generators

    def write(self, structure: etree._Element) -> bytes:
        """Bind every entry of a structure and return its bytes. The element must not be used afterwards."""
        gathering, scratch = self._gathering, self._metadata.scratch
        known, outer, own = len(gathering.structures), gathering.recorder, Recorder()
        gathering.recorder = own
        if scratch.get(RECORDER) is outer:
            scratch[RECORDER] = own
        try:
            return self._write(structure)
        finally:
            gathering.recorder = outer
            if scratch.get(RECORDER) is own:
                scratch[RECORDER] = outer
            outer.add(own)
            for kept in gathering.structures[known:]:
                kept.reads = frozenset(filter(is_lasting, own.reads))

    def _write(self, structure: etree._Element) -> bytes:
        name = structure.get("name", "")
        template = self._store.structure(structure)
        if structure.tail:
            self._gathering.reasons.append(f"the structure {name} has text behind it")
            return self._write_tree(structure)
        previous = self._gathering.reusable.get(template)
        if previous is not None and previous.name == name:
            self._gathering.structures.append(previous)
            values = self._gathering.previous
            self._gathering.recorder.reads.update((read, values[read]) for read in previous.reads)
            return b"".join(self.write_kept(previous)[0])
        document = template.document(self._in_order)
        if document is not None and template.documents is not None:
            data = self._write_bound(structure, document, template.documents)
            if data is document:
                packed = template.documents[self._in_order]
                kept = KeptStructure(name, (), template, own_bytes=len(packed), packed=packed)
            else:
                kept = KeptStructure(name, (data,), template, own_bytes=len(data))
            self._gathering.structures.append(kept)
            return data
        if template.entries is None:
            self._gathering.structures.append(open_structure(name, template))
            self._gathering.open_entries[f"{structure.tag}:{name}"] = _NOT_BY_ENTRIES
            return self.write_open(structure)
        shared = template.shared[self._in_order]
        if shared is None or shared.binder_state is not self._binder.state:
            return self._write_and_share(name, structure, template, template.entries)
        if shared.document is not None:
            self._gathering.structures.append(KeptStructure(name, (shared.document,), template))
            return shared.document
        written = list(shared.entries)
        lasting = list(shared.entries)
        children: list[etree._Element] = []
        own_bytes = 0
        for position, entry_written in enumerate(written):
            if entry_written is None:
                children = children or list(structure)
                entry, sharing = self._write_entry(children[position], template.entries[position])
                written[position] = entry
                own_bytes += entry.count()
                if sharing != _OPEN:
                    lasting[position] = entry
        self._gathering.structures.append(kept_structure(name, template, lasting, own_bytes, self._in_order))
        return template.assemble(cast("list[SerializedEntry]", written), self._in_order)

    def write_kept(self, kept: KeptStructure) -> tuple[Sequence[bytes], bool]:
        """Return the pieces of a kept structure with its open entries, and true if some need not be open any more."""
        template = kept.template
        if not kept.is_open:
            return kept.written(), False
        if kept.entries is None or template.entries is None:
            element = template.element()
            self._gathering.open_entries[f"{element.tag}:{kept.name}"] = _NOT_BY_ENTRIES
            return [self.write_open(element)], False
        is_closing = False
        entries = list(kept.entries)
        for position, entry in enumerate(entries):
            if entry is None:
                abstract = template.entries[position]
                entries[position], sharing = self._write_entry(copy.deepcopy(abstract.element), abstract)
                is_closing = is_closing or sharing != _OPEN
        return template.pieces(cast("list[SerializedEntry]", entries), self._in_order), is_closing

    def write_open(self, structure: etree._Element) -> bytes:
        """Bind a structure that cannot be written entry by entry."""
        with self._not_recorded():
            return self._write_tree(structure)

    def _write_tree(self, structure: etree._Element) -> bytes:
        bind_structure(structure, self._binder, self._rendering)
        for entry in structure.iterchildren(tag=etree.Element):
            self._amendments.amend(entry)
        if self._in_order:
            sort_children(structure)
        return etree.tostring(structure)

    def _write_bound(self, structure: etree._Element, document: bytes, source: Hashable) -> bytes:
        """Write a structure whose entries are all bound already.

        `document` is the structure if no entry is amended, `source` stands for the structure in the cache.
        """
        untracked = len(self._gathering.recorder.untracked)
        names = [(entry.tag.removeprefix(BOUND_PREFIX), sort_key(entry)) for entry in structure]
        keys = [self._amendments.key(tag, name) for tag, name in names]
        if all(key == UNCHANGED for key in keys):
            return document
        kept_as = (BOUND_PREFIX, source, tuple(keys), self._in_order)
        kept = None if None in keys else self._store.get_entry(kept_as)
        if kept is not None:
            return kept.data
        if None in keys or len(self._gathering.recorder.untracked) > untracked:
            del self._gathering.recorder.untracked[untracked:]
            self._gathering.reasons.append(f"entries of the structure {structure.get('name')} are amended every time")
        for entry in structure:
            remove_prefix(entry)
            self._amendments.amend(entry)
        if self._in_order:
            sort_children(structure)
        data = etree.tostring(structure)
        if None not in keys:
            self._store.put_entry(kept_as, SerializedEntry(structure.get("name", ""), False, data), b"")
        return data

    def _write_and_share(
        self, name: str, structure: etree._Element, template: StructureTemplate, entries: Sequence[EntryTemplate]
    ) -> bytes:
        found = [self._write_entry(*pair) for pair in zip(list(structure), entries, strict=True)]
        document = template.assemble([entry for entry, _ in found], self._in_order)
        shared_entries = [entry if sharing == _EVERYONE else None for entry, sharing in found]
        whole = None if None in shared_entries else document
        if self._binder is self._services.binder.with_current_tables(self._services.repository_version):
            # The tables did not change while the entries were bound, as they do when a creator makes a file.
            template.shared[self._in_order] = SharedEntries(self._binder.state, shared_entries, whole)
        if whole is not None:
            self._gathering.structures.append(KeptStructure(name, (whole,), template))
        else:
            lasting = [entry if sharing != _OPEN else None for entry, sharing in found]
            own_bytes = sum(entry.count() for entry, sharing in found if sharing != _EVERYONE)
            self._gathering.structures.append(kept_structure(name, template, lasting, own_bytes, self._in_order))
        return document

    def _write_entry(self, element: etree._Element, entry: EntryTemplate) -> tuple[SerializedEntry, int]:
        """Bind and serialize an entry; also return its sharing."""
        gathering = self._gathering
        untracked = gathering.recorder.untracked
        known, lines = len(untracked), len(gathering.lines)
        try:
            written, sharing = self._bind(element, entry)
        except Exception as err:  # noqa: BLE001 - one entry's failure must not take the others with it
            note_failure(element, self._metadata, err, self._rendering.bind_times.take_failed())
            self._amendments.amend(element)
            written, sharing = SerializedEntry.of(element, entry.name, self._in_order), _OPEN
            untracked.append("it cannot be bound")
        if len(untracked) > known:
            sharing = _OPEN
        if sharing == _OPEN:
            gathering.open_entries[f"{entry.tag}:{entry.name}"] = (
                untracked[known] if len(untracked) > known else "its plugin gives no key for it"
            )
            # It is bound every time, and logs every time what there is to log.
            del untracked[known:], gathering.lines[lines:]
        return written, sharing

    def _bind(self, element: etree._Element, entry: EntryTemplate) -> tuple[SerializedEntry, int]:
        """Bind and serialize an entry, or take it from the cache; exceptions of the binding pass through."""
        tag = entry.tag.removeprefix(BOUND_PREFIX) if entry.serialized is not None else entry.tag
        amendment = self._amendments.key(tag, entry.name)
        if entry.serialized is not None and amendment == UNCHANGED:
            return entry.serialized[self._in_order], _EVERYONE
        generator, bind, key, sharing = self._key(element, entry)
        if amendment is None:
            key = None
        elif not isinstance(amendment, ForEveryClient):
            sharing = max(sharing, _TRACKED)
        if key is not None:
            key = (entry.source, generator, key, amendment, self._in_order)
            kept = self._store.get_entry(key)
            if kept is not None:
                return kept, sharing
            self._bind_element(element, entry, generator, bind)
        else:
            sharing = _OPEN
            with self._not_recorded():
                self._bind_element(element, entry, generator, bind)
        if amendment != UNCHANGED:
            self._amendments.amend(element)
        self._services.breathe()
        written = SerializedEntry.of(element, entry.name, self._in_order)
        if key is not None and (amendment == UNCHANGED or (element.tag == tag and written.name == entry.name)):
            self._store.put_entry(key, written, entry.source)
        elif key is not None:
            # It was bound to something else, which may have another amendment for another client.
            return written, _OPEN
        return written, sharing

    def _bind_element(
        self, element: etree._Element, entry: EntryTemplate, generator: Generator | None, bind: Binder | None
    ) -> None:
        if entry.serialized is not None:
            remove_prefix(element)
        elif generator is None or bind is None or entry.has_alternative:
            self._binder.bind(element, self._metadata, self._rendering.bind_times)
        else:
            self._rendering.bind_times.bind(generator, bind, element, self._metadata)

    @contextmanager
    def _not_recorded(self) -> Iterator[None]:
        """Record and capture nothing: what is done in the block is done every time."""
        scratch = self._metadata.scratch
        recorder = scratch.pop(RECORDER, None)
        try:
            with captured(None):
                yield
        finally:
            if recorder is not None:
                scratch[RECORDER] = recorder

    def _key(
        self, element: etree._Element, entry: EntryTemplate
    ) -> tuple[Generator | None, Binder | None, Hashable, int]:
        """Return an entry's generator and binder, everything that binding depends on or None, and its sharing."""
        if entry.serialized is not None:
            return None, None, (), _EVERYONE
        tag, name, abstract = entry.tag, entry.name, entry.element
        if entry.has_alternative:
            abstract = copy.deepcopy(abstract)
            name = str(abstract.attrib.pop("altsrc"))
            abstract.set("realname", entry.name)
            abstract.set("name", name)
            try:
                generator, bind, by_handles_entry = self._binder.find(abstract, tag, name, self._metadata)
            except PluginExecutionError:
                return None, None, None, _OPEN
        else:
            generator, bind, by_handles_entry = self._binder.find(element, tag, name, self._metadata)
        if by_handles_entry and not self._lasts:
            note_untracked(self._metadata, "plugins are asked for it that do not say what they depend on")
        key = self._binding_key(generator, abstract)
        # `handles_entry` may return something else for another client.
        for_everyone = isinstance(key, ForEveryClient) and not by_handles_entry
        sharing = _EVERYONE if for_everyone else _TRACKED if self._is_tracked(generator, key) else _OPEN
        return generator, bind, key, sharing

    def _is_tracked(self, generator: Generator, key: Hashable) -> bool:
        return isinstance(key, ForEveryClient) or generator not in self._services.plugin_dependencies.silent_generators

    def _binding_key(self, generator: Generator, entry: etree._Element) -> Hashable:
        if not is_hook_current(type(generator), "binding_key", "entries", "bind_entry", "handles_entry"):
            return None
        try:
            return generator.binding_key(entry, self._metadata)
        except Exception:  # noqa: BLE001 - binding the entry reports the error
            return None
