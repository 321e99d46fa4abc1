"""Binding: the choice of the generator that binds an abstract entry (docs: reference/repository, "Binding").

1. An entry with ``altsrc`` is bound under that other name, and then gets its own name back. If that fails, the entry is
   restored and bound under its own name.
2. The generator whose table has the entry's name binds it. If several tables have it, the entry fails, and the failure
   names the generators.
3. Otherwise the generator whose `handles_entry` returns true binds it. If none or several do, the entry fails.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.metrics.timings import Timings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Binder as EntryBinder
from geventcore.plugin.interfaces import Generator
from geventcore.render.bind_times import BindTimes
from geventcore.render.guard import plugin_name

log = logging.getLogger(__name__)

NO_GENERATOR = "no matching generator"

#: Tag -> the generators that have a table for this tag, each with its table.
_Tables = dict[str, list[tuple[Generator, Mapping[str, EntryBinder]]]]


def _are_same(ones: _Tables, others: _Tables) -> bool:
    """Return true if both lookups found the same table objects."""
    return ones.keys() == others.keys() and all(
        len(one) == len(other := others[tag])
        and all(a[0] is b[0] and a[1] is b[1] for a, b in zip(one, other, strict=True))
        for tag, one in ones.items()
    )


class Binder:
    """A binder of entries with a fixed list of generators."""

    def __init__(self, generators: Sequence[Generator], timings: Timings) -> None:
        """Count the durations of `Generator.bind_entry` as ``<owner>:Bind:<tag>``, see `Timings`."""
        #: An object that changes whenever the tables change. A cache that refers to it does not keep the tables alive.
        self.state = object()
        #: An object that changes whenever the tables change, whatever the version.
        self.tables_state = object()
        self._generators = generators
        self._timings = timings
        self._tables: _Tables | None = None
        self._version = 0
        self._latest: Binder | None = None

    def with_current_tables(self, version: int = 0) -> Binder:
        """Return a binder for one configuration, which looks up the generators' tables only once.

        It is the same object as last time if `version` and all tables are unchanged.
        """
        tables = self._look_up_tables()
        latest = self._latest
        if latest is not None and latest._version == version and _are_same(latest._tables or {}, tables):
            return latest
        binder = Binder(self._generators, self._timings)
        binder._tables, binder._version = tables, version
        if latest is not None and _are_same(latest._tables or {}, tables):
            binder.tables_state = latest.tables_state
        self._latest = binder
        return binder

    def _look_up_tables(self) -> _Tables:
        tables: _Tables = {}
        for generator in self._generators:
            for tag, table in generator.entries.items():
                tables.setdefault(tag, []).append((generator, table))
        return tables

    def bind(self, entry: etree._Element, metadata: ClientMetadata, times: BindTimes) -> None:
        """Bind an entry in place; `PluginExecutionError`, or an exception of the generator, if that fails."""
        if entry.get("altsrc") is not None and self._bind_alternative(entry, metadata, times):
            return
        generator, bind, _ = self.find(entry, entry.tag, entry.get("name", ""), metadata)
        times.bind(generator, bind, entry, metadata)

    def find(
        self, entry: etree._Element, tag: str, name: str, metadata: ClientMetadata
    ) -> tuple[Generator, EntryBinder, bool]:
        """Find the generator for an entry with this tag and name.

        Returns the generator, its binding function, and true if it was found by `handles_entry` and not by its table.
        If no generator or several are found, sets the entry's ``failure`` and raises `PluginExecutionError`.
        """
        tables = self._tables if self._tables is not None else self._look_up_tables()
        found = [(generator, table) for generator, table in tables.get(tag, ()) if name in table]
        if len(found) == 1:
            generator, table = found[0]
            return generator, table[name], False
        if found:
            self._fail(entry, [plugin_name(generator) for generator, _ in found])
        matching = [generator for generator in self._generators if generator.handles_entry(entry, metadata)]
        if len(matching) != 1:
            self._fail(entry, [plugin_name(generator) for generator in matching])
        generator = matching[0]
        return generator, functools.partial(self._bind_measured, generator), True

    def _bind_measured(self, generator: Generator, entry: etree._Element, metadata: ClientMetadata) -> None:
        start = time.perf_counter()
        generator.bind_entry(entry, metadata)
        self._timings.add(f"{self._timings.owner}:Bind:{entry.tag}", time.perf_counter() - start)

    def _fail(self, entry: etree._Element, names: list[str]) -> NoReturn:
        failure = f"several matching generators: {', '.join(names)}" if names else NO_GENERATOR
        entry.set("failure", failure)
        raise PluginExecutionError(f"{failure} for {entry.tag}:{entry.get('name')}")

    def _bind_alternative(self, entry: etree._Element, metadata: ClientMetadata, times: BindTimes) -> bool:
        """Bind under the name in ``altsrc``; on failure restore the entry, without ``altsrc``, and return false."""
        alternative = entry.attrib.pop("altsrc")
        before = dict(entry.items())
        text, children = entry.text, list(entry)
        name = entry.get("name", "")
        entry.set("name", alternative)
        entry.set("realname", name)
        try:
            self.bind(entry, metadata, times)
        except Exception as err:  # noqa: BLE001 - whatever the alternative raised, the entry may bind under its own name
            log.warning(
                "%s: cannot bind %s:%s under its altsrc %s, trying its own name: %s",
                metadata.hostname,
                entry.tag,
                name,
                alternative,
                err,
            )
            entry.attrib.clear()
            entry.attrib.update(before)
            entry.text = text
            entry[:] = children
            return False
        entry.set("name", name)
        del entry.attrib["realname"]
        return True
