"""Keeping results of probes in the database: nothing is remembered here, so every process is always right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from geventcore.errors import PluginExecutionError, StorageError
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.plugins.probes.store import ClientProbes
from geventcore.specfiles.xmltext import replace_illegal
from geventcore.storage import probes as rows
from geventcore.storage.database import Database


class DatabaseProbeStore:
    """A `geventcore.plugins.probes.store.ProbeStore`."""

    def __init__(self, database: Database, on_change: Callable[[str], None]) -> None:
        """`on_change` is called with the name of each client whose data may have changed."""
        self._database = database
        self._on_change = on_change

    def get(self, hostname: str) -> ClientProbes:
        """See `ProbeStore.get`. `PluginExecutionError` if the database cannot be asked."""
        try:
            found = self._database.read(lambda connection: rows.get_probes(connection, hostname))
        except StorageError as err:
            raise PluginExecutionError(f"the probe data of {hostname} are not known: {err}") from err
        return ClientProbes(found.groups, {name: ProbeData(text) for name, text in found.data.items()})

    def replace(self, hostname: str, probes: ClientProbes) -> None:
        """See `ProbeStore.replace`."""
        groups = list(dict.fromkeys(map(replace_illegal, probes.groups)))
        # Plain texts: a driver need not know what to do with a class derived from them.
        data = {replace_illegal(name): str(replace_illegal(text)) for name, text in probes.data.items()}
        now = datetime.now(timezone.utc)
        try:
            self._database.write(lambda connection: rows.replace_probes(connection, hostname, groups, data, now))
        except StorageError as err:
            raise PluginExecutionError(f"the probe data of {hostname} cannot be stored: {err}") from err
        self._on_change(hostname)
