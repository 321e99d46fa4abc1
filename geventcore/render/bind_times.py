"""How long generators bind in one configuration: gathered while it is built, counted once at its end.

Entries are many and binding one may take microseconds, so each costs two looks at the clock and nothing more; entries
that are kept as bytes are not bound, and cost nothing. What is asked of generators about each entry (`handles_entry`,
`binding_key`) is not measured: the clock would cost as much as the answer.
"""

from __future__ import annotations

import time

from lxml import etree

from geventcore.metrics.definitions import PLUGIN_FAILURES, count_plugin_call
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.render.guard import plugin_name

#: What all binding is counted as, whatever the function in a generator's table is called.
HOOK = "bind_entry"


class BindTimes:
    """The times of one configuration."""

    __slots__ = ("_by_generator",)

    def __init__(self) -> None:
        #: Generator -> seconds and calls.
        self._by_generator: dict[Generator, list[float]] = {}

    def bind(self, generator: Generator, bind: Binder, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an entry with a generator's function; raises what that raises."""
        start = time.perf_counter()
        try:
            bind(entry, metadata)
        except Exception:
            PLUGIN_FAILURES.inc(plugin_name(generator), HOOK)
            raise
        finally:
            seconds = time.perf_counter() - start
            gathered = self._by_generator.get(generator)
            if gathered is None:
                self._by_generator[generator] = [seconds, 1]
            else:
                gathered[0] += seconds
                gathered[1] += 1

    def count(self) -> None:
        """Add everything to the metrics."""
        for generator, (seconds, calls) in self._by_generator.items():
            count_plugin_call(plugin_name(generator), HOOK, seconds, int(calls))
        self._by_generator.clear()
