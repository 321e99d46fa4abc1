"""The amendment of bound entries, one by one, by plugins such as Defaults (`EntryValidator`).

Where all plugins that validate the goals of a client amend entries one by one, no tree of its configuration is needed.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence

from lxml import etree

from geventcore.metrics.definitions import count_plugin_call
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import UNCHANGED, EntryValidator, ForEveryClient
from geventcore.render.guard import log_failure, plugin_name
from geventcore.render.optional_hooks import is_hook_current

HOOK = "validate_goals"


def amends_entries(plugin: object) -> bool:
    """Return true if a plugin amends entries one by one, and no subclass has changed how it validates."""
    return isinstance(plugin, EntryValidator) and is_hook_current(
        type(plugin), "amendment", "amend_entry", "validate_goals", "concerns_goals"
    )


class Amendments:
    """The amendments of one client's entries."""

    def __init__(self, validators: Sequence[EntryValidator], metadata: ClientMetadata) -> None:
        self._validators = validators
        self._metadata = metadata
        self._seconds = [0.0] * len(validators)

    def key(self, tag: str, name: str) -> Hashable | None:
        """Return everything that the amendment of an entry depends on; None if that is not known.

        The result is a `ForEveryClient` if it is the same for every client, `UNCHANGED` if there is no amendment.
        """
        keys = []
        for validator in self._validators:
            try:
                key = validator.amendment(tag, name, self._metadata)
            except Exception:  # noqa: BLE001 - amending the entry reports the error
                return None
            if key is None:
                return None
            if key != UNCHANGED:
                keys.append(key)
        if not keys:
            return UNCHANGED
        return ForEveryClient(tuple(keys)) if all(isinstance(key, ForEveryClient) for key in keys) else tuple(keys)

    def amend(self, entry: etree._Element) -> None:
        """Amend a bound entry in place."""
        for position, validator in enumerate(self._validators):
            start = time.perf_counter()
            try:
                validator.amend_entry(entry, self._metadata)
            except Exception as err:  # noqa: BLE001 - a plugin's mistake must not end the server
                log_failure(validator, HOOK, self._metadata, err)
            self._seconds[position] += time.perf_counter() - start

    def count(self) -> None:
        """Add the times to the metrics, as for one call of the hook of each plugin."""
        for validator, seconds in zip(self._validators, self._seconds, strict=True):
            count_plugin_call(plugin_name(validator), HOOK, seconds)
