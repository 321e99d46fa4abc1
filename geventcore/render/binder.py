"""Binding: which generator makes an abstract entry concrete (docs: reference/repository, "Binding").

1. An entry with ``altsrc`` is bound under that other name, and then gets its own name back. If that fails, nothing of
   the attempt is left, and the entry is bound under its own name.
2. The one generator whose table has the entry's name binds it. If several have it, the entry fails and the failure
   names them.
3. Otherwise the one generator that says it handles the entry binds it; none or several is a failure.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.metrics.timings import Timings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Binder as EntryBinder
from geventcore.plugin.interfaces import Generator

log = logging.getLogger(__name__)

NO_GENERATOR = "no matching generator"

#: Tag -> the generators that have a table for it, with that table.
_Tables = dict[str, list[tuple[Generator, Mapping[str, EntryBinder]]]]


def _name(generator: Generator) -> str:
    return str(getattr(generator, "name", type(generator).__name__))


class Binder:
    """Binds entries with a fixed list of generators."""

    def __init__(self, generators: Sequence[Generator], timings: Timings, statistics_name: str) -> None:
        """Durations of binding by asking are counted as ``<statistics_name>:Bind:<tag>``."""
        self._generators = generators
        self._timings = timings
        self._statistics_name = statistics_name
        self._tables: _Tables | None = None

    def with_current_tables(self) -> Binder:
        """A binder for one configuration: it looks up the generators' tables once, and not for every entry."""
        binder = Binder(self._generators, self._timings, self._statistics_name)
        binder._tables = self._look_up_tables()
        return binder

    def _look_up_tables(self) -> _Tables:
        tables: _Tables = {}
        for generator in self._generators:
            for tag, table in generator.entries.items():
                tables.setdefault(tag, []).append((generator, table))
        return tables

    def bind(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an entry in place; `PluginExecutionError`, or what a generator raises, if it cannot be bound."""
        if entry.get("altsrc") is not None and self._bind_alternative(entry, metadata):
            return
        name = entry.get("name", "")
        tables = self._tables if self._tables is not None else self._look_up_tables()
        binders = [(generator, table[name]) for generator, table in tables.get(entry.tag, ()) if name in table]
        if len(binders) == 1:
            binders[0][1](entry, metadata)
        elif binders:
            self._fail(entry, [_name(generator) for generator, _ in binders])
        else:
            self._bind_by_asking(entry, metadata)

    def _bind_by_asking(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        start = time.perf_counter()
        found = [generator for generator in self._generators if generator.handles_entry(entry, metadata)]
        if len(found) != 1:
            self._fail(entry, [_name(generator) for generator in found])
        found[0].bind_entry(entry, metadata)
        self._timings.add(f"{self._statistics_name}:Bind:{entry.tag}", time.perf_counter() - start)

    def _fail(self, entry: etree._Element, names: list[str]) -> None:
        failure = f"ambiguous, several generators: {', '.join(names)}" if names else NO_GENERATOR
        entry.set("failure", failure)
        raise PluginExecutionError(f"{failure} for {entry.tag}:{entry.get('name')}")

    def _bind_alternative(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Bind under the name in ``altsrc``; on failure the entry is as before, without ``altsrc``."""
        alternative = entry.attrib.pop("altsrc")
        before = dict(entry.items())
        text, children = entry.text, list(entry)
        name = entry.get("name", "")
        entry.set("name", alternative)
        entry.set("realname", name)
        try:
            self.bind(entry, metadata)
        except Exception as err:  # noqa: BLE001 - whatever the alternative raised, the entry has a source of its own
            log.warning(
                "%s: %s:%s cannot be taken from altsrc %s: %s", metadata.hostname, entry.tag, name, alternative, err
            )
            entry.attrib.clear()
            entry.attrib.update(before)
            entry.text = text
            entry[:] = children
            return False
        entry.set("name", name)
        del entry.attrib["realname"]
        return True
