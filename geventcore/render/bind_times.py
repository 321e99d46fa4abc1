"""The time that generators spend on binding in one configuration, added to the metrics once at its end.

A configuration has many entries, and binding one may take microseconds. So each costs two clock readings and nothing
more; entries that are cached as bytes are not bound, and cost nothing. Calls of `handles_entry` and `binding_key` are
not measured: reading the clock would take as long as the call.
"""

from __future__ import annotations

import time

from lxml import etree

from geventcore.metrics.definitions import PLUGIN_FAILURES, count_plugin_call
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.render.guard import plugin_name

#: The hook name under which all binding is counted, whatever the function in a generator's table is called.
HOOK = "bind_entry"


class BindTimes:
    """The binding times of one configuration."""

    __slots__ = ("_by_generator", "_failed")

    def __init__(self) -> None:
        self._failed: Generator | None = None
        #: Generator -> seconds and calls.
        self._by_generator: dict[Generator, list[float]] = {}

    def bind(self, generator: Generator, bind: Binder, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an entry with a generator's function and measure it; exceptions of the function pass through."""
        start = time.perf_counter()
        try:
            bind(entry, metadata)
        except Exception:
            PLUGIN_FAILURES.inc(plugin_name(generator), HOOK)
            self._failed = generator
            raise
        finally:
            seconds = time.perf_counter() - start
            gathered = self._by_generator.get(generator)
            if gathered is None:
                self._by_generator[generator] = [seconds, 1]
            else:
                gathered[0] += seconds
                gathered[1] += 1

    def take_failed(self) -> Generator | None:
        """Return the generator whose function raised since the last call; None if none did."""
        failed, self._failed = self._failed, None
        return failed

    def count(self) -> None:
        """Add the times to the metrics and forget them."""
        for generator, (seconds, calls) in self._by_generator.items():
            count_plugin_call(plugin_name(generator), HOOK, seconds, int(calls))
        self._by_generator.clear()
