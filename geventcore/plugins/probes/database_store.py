"""The store of probe results in the database, so that every process has current data.

A change also expires the client's cached metadata, of which the results are a part. Only the groups of clients are
kept in memory, for reports that arrive during a database outage (`geventcore.stale_reads`): a report includes the
client's groups.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timezone

from geventcore.errors import DatabaseUnavailable, PluginExecutionError, StorageError
from geventcore.plugin.context import PluginContext
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.plugins.probes.store import ClientProbes
from geventcore.specfiles.xmltext import replace_illegal
from geventcore.stale_reads import current_stale_reads
from geventcore.storage import probes as rows


class DatabaseProbeStore:
    """A `geventcore.plugins.probes.store.ProbeStore`."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        self._database = context.database
        self._groups: dict[str, tuple[str, ...]] = {}

    def get(self, hostname: str) -> ClientProbes:
        """See `ProbeStore.get`. `PluginExecutionError` if the database cannot be read."""
        allowed = current_stale_reads()
        if allowed is not None and not self._database.is_available:
            allowed.use()
            return ClientProbes(self._groups.get(hostname, ()), {})
        try:
            found = self._database.read(lambda connection: rows.get_probes(connection, hostname))
        except StorageError as err:
            if allowed is not None and isinstance(err, DatabaseUnavailable):
                allowed.use(err)
                return ClientProbes(self._groups.get(hostname, ()), {})
            raise PluginExecutionError(f"cannot read the probe data of {hostname}: {err}") from err
        # Many clients have the same groups.
        self._groups[hostname] = tuple(map(sys.intern, map(str, found.groups)))
        return ClientProbes(found.groups, {name: ProbeData(text) for name, text in found.data.items()})

    def replace(self, hostname: str, probes: ClientProbes) -> None:
        """See `ProbeStore.replace`."""
        groups = list(dict.fromkeys(map(replace_illegal, probes.groups)))
        # Plain str: a driver may not support subclasses.
        data = {replace_illegal(name): str(replace_illegal(text)) for name, text in probes.data.items()}
        upload = rows.ProbeUpload(hostname, groups, data, datetime.now(timezone.utc))
        try:
            self._context.change_clients([hostname], rows.replace_probes, upload)
        except StorageError as err:
            raise PluginExecutionError(f"cannot store the probe data of {hostname}: {err}") from err

    def results(self, probes: ClientProbes) -> Mapping[str, ProbeData]:
        """See `ProbeStore.results`."""
        return dict(probes.data)
