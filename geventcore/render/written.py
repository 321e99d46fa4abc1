"""A configuration as bytes, put together from the bytes of its entries.

An entry whose generator gives a binding key (`Generator.binding_key`) is bound once for each key, and kept as the bytes
that it becomes in the document. Everything else is bound in its structure, as it would be for a tree, and written. The
document is the same to the byte as the one that the steps for a tree give, and those are followed where a structure
cannot be written entry by entry, and where a plugin wants to see the whole tree.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from operator import itemgetter
from typing import cast

from lxml import etree

from geventcore.plugin.interfaces import ForEveryClient, Generator, GoalValidator
from geventcore.render.guard import guarded
from geventcore.render.optional_hooks import knows
from geventcore.render.prepared import Plan, PreparedEntry, PreparedStructure, WrittenEntry
from geventcore.render.sorting import sort_children
from geventcore.render.steps import (
    Rendering,
    bind_structure,
    build_structures,
    check_alternatives,
    end_client_run,
    note_failure,
    sort,
    start_client_run,
    validate_goals,
    validate_structures,
)


class StructureWriter:
    """Binds and writes the structures of one configuration."""

    def __init__(self, rendering: Rendering, in_order: bool) -> None:
        """`in_order`: whether the children of every element are sorted."""
        services = rendering.services
        self._rendering = rendering
        self._metadata = rendering.metadata
        self._store = services.entry_store
        self._services = services
        self._binder = services.binder.with_current_tables(services.repository_version)
        self._in_order = in_order

    def write(self, structure: etree._Element) -> bytes:
        """Bind every entry of a structure and write it. The element is used up."""
        prepared = self._store.structure(structure)
        if prepared.entries is None or structure.tail:
            bind_structure(structure, self._binder, self._rendering)
            if self._in_order:
                sort_children(structure)
            return etree.tostring(structure)
        plan = prepared.plans[self._in_order]
        if plan is None or plan.good_for is not self._binder.state:
            return self._write_and_plan(structure, prepared, prepared.entries)
        if plan.document is not None:
            return plan.document
        written = list(plan.entries)
        children: list[etree._Element] = []
        for position, kept in enumerate(written):
            if kept is None:
                children = children or list(structure)
                written[position] = self._write_entry(children[position], prepared.entries[position])[0]
        return prepared.assemble(cast("list[WrittenEntry]", written), self._in_order)

    def _write_and_plan(
        self, structure: etree._Element, prepared: PreparedStructure, entries: Sequence[PreparedEntry]
    ) -> bytes:
        found = [self._write_entry(*pair) for pair in zip(list(structure), entries, strict=True)]
        document = prepared.assemble([entry for entry, _ in found], self._in_order)
        planned = [entry if for_everyone else None for entry, for_everyone in found]
        whole = None if None in planned else document
        if self._binder is self._services.binder.with_current_tables(self._services.repository_version):
            # What a creator has just made is not in what was found before.
            prepared.plans[self._in_order] = Plan(self._binder.state, planned, whole)
        return document

    def _write_entry(self, element: etree._Element, entry: PreparedEntry) -> tuple[WrittenEntry, bool]:
        """An entry as the client gets it, and whether every client gets the same."""
        if entry.written is not None:
            return entry.written[self._in_order], True
        try:
            return self._bind(element, entry)
        except Exception as err:  # noqa: BLE001 - one entry's failure must not take the others with it
            note_failure(element, self._metadata, err)
            return WrittenEntry.of(element, entry.name, self._in_order), False

    def _bind(self, element: etree._Element, entry: PreparedEntry) -> tuple[WrittenEntry, bool]:
        """Bind an entry, or take what is kept of it; raises what binding raises."""
        key: Hashable = None
        for_everyone = False
        if entry.has_alternative:
            self._binder.bind(element, self._metadata, self._rendering.bind_times)
        else:
            generator, bind, was_asked = self._binder.find(element, entry.tag, entry.name, self._metadata)
            key = self._binding_key(generator, entry)
            if key is not None:
                # Who is asked may answer differently for each client, or at any other time.
                for_everyone = isinstance(key, ForEveryClient) and not was_asked
                key = (entry.source, generator, key, self._in_order)
                kept = self._store.get_entry(key)
                if kept is not None:
                    return kept, for_everyone
            self._rendering.bind_times.bind(generator, bind, element, self._metadata)
        self._services.breathe()
        written = WrittenEntry.of(element, entry.name, self._in_order)
        if key is not None:
            self._store.put_entry(key, written, entry.source)
        return written, for_everyone

    def _binding_key(self, generator: Generator, entry: PreparedEntry) -> Hashable:
        if not knows(type(generator), "binding_key", "entries", "bind_entry", "handles_entry"):
            return None
        try:
            return generator.binding_key(entry.element, self._metadata)
        except Exception:  # noqa: BLE001 - binding the entry says what is wrong
            return None


def write_entries(rendering: Rendering) -> None:
    """Bind every entry and write the structures; what is in them is in order, unless a plugin is to see it first."""
    services = rendering.services
    rendering.is_validated_as_tree = _is_to_be_validated(rendering)
    writer = StructureWriter(rendering, in_order=not rendering.is_validated_as_tree)
    timings, name = services.timings, f"{services.statistics_name}:BindStructure"
    for structure in rendering.structures:
        with timings.measure(name):
            rendering.written.append((structure.get("name", ""), writer.write(structure)))
        services.breathe()


def _is_to_be_validated(rendering: Rendering) -> bool:
    for plugin in rendering.services.plugins_by_type(GoalValidator):
        if not knows(type(plugin), "concerns_goals", "validate_goals"):
            return True
        with guarded(plugin, "concerns_goals", rendering.metadata):
            if not plugin.concerns_goals(rendering.metadata):
                continue
        return True
    return False


def validate_written_goals(rendering: Rendering) -> None:
    """Let plugins check and amend the configuration, if any of them may want to: as a tree."""
    if rendering.is_validated_as_tree:
        _join(rendering)
        rendering.root = etree.fromstring(rendering.document, etree.XMLParser(huge_tree=True))
        rendering.written.clear()
        validate_goals(rendering)


def finish(rendering: Rendering) -> None:
    """Put everything that is not in order yet into it, and write the document."""
    if rendering.is_validated_as_tree:
        sort(rendering)
        rendering.document = etree.tostring(rendering.root)
    else:
        rendering.written.sort(key=itemgetter(0))
        _join(rendering)


def _join(rendering: Rendering) -> None:
    start = etree.tostring(rendering.root)
    if rendering.written:
        start = start.removesuffix(b"/>") + b">"
        rendering.document = b"".join([start, *(data for _, data in rendering.written), b"</Configuration>"])
    else:
        rendering.document = start


#: What happens to a client's configuration that is written, in this order.
WRITING_STEPS: tuple[Callable[[Rendering], None], ...] = (
    start_client_run,
    build_structures,
    validate_structures,
    check_alternatives,
    write_entries,
    validate_written_goals,
    end_client_run,
    finish,
)
