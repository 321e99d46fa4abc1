"""Reporting: a store of the reports that clients send at the end of a run (docs: reference/plugins/reporting)."""

from __future__ import annotations

import base64
import difflib
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lxml import etree

from geventcore.errors import (
    ConfigError,
    GeventcoreError,
    PluginExecutionError,
    PluginInitError,
    StatisticsNotStored,
    StorageError,
)
from geventcore.metrics.definitions import (
    REPORTS,
    REPORTS_LIMIT_BYTES,
    REPORTS_OLDEST_SECONDS,
    REPORTS_WAITING_BYTES,
    REPORTS_WAITING_FILES,
)
from geventcore.options import Option
from geventcore.options.server import STATE_DIRECTORY
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import PullSource, Statistics, Threaded
from geventcore.reporting.host_counts import HostCounts
from geventcore.reporting.options import FILE_LIMIT, REPORTING_OPTIONS, TRANSPORT
from geventcore.reporting.parsing import parse_interaction
from geventcore.reporting.transports import DEFAULT_TRANSPORT, TransportContext, transport_class
from geventcore.storage.report_model import EntryKind, EntryState

if TYPE_CHECKING:
    from geventcore.storage.database import Database
    from geventcore.storage.report_model import Interaction


#: The outcomes for a report, as a metric's label.
OUTCOMES = ("stored", "kept", "delivered", "refused", "failed")


class Reporting(Plugin, Statistics, PullSource, Threaded):
    """A plugin that passes reports to a transport, and answers queries about stored reports."""

    needs_good_entries: ClassVar[bool] = False
    #: What it writes is in the state directory.
    creates_directory: ClassVar[bool] = False
    options: ClassVar[tuple[Option[Any], ...]] = REPORTING_OPTIONS
    remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.remote_methods, "Ping", "GetExtra", "GetCurrentEntry")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._server = socket.gethostname()
        name = context.settings[TRANSPORT]
        try:
            self._transport = transport_class(name)(
                TransportContext(
                    lambda: context.settings,
                    Path(context.settings[STATE_DIRECTORY]) / self.name / name,
                    lambda: context.reporting_database,
                    context.offload,
                )
            )
        except ConfigError as err:
            raise PluginInitError(str(err)) from err
        context.add_metrics(self._refresh_metrics)
        if name == DEFAULT_TRANSPORT:
            # With other transports this server has no use for the database.
            context.add_metrics(HostCounts(lambda: context.reporting_database).refresh)

    def start_threads(self) -> None:
        """Start the background work of the transport."""
        for outcome in OUTCOMES:
            # Start each counter at 0, so that the first report of a kind shows as an increase.
            REPORTS.inc(outcome, by=0)
        self._transport.start()

    def shutdown(self) -> None:
        """Stop the transport. Reports that it has accepted are kept."""
        super().shutdown()
        self._transport.shutdown()

    def _refresh_metrics(self) -> None:
        try:
            places = self._transport.waiting()
        except OSError as err:
            self.log.debug("cannot count the waiting reports: %s", err)
            return
        for place, waiting in places.items():
            REPORTS_WAITING_FILES.set(waiting.files, place)
            REPORTS_WAITING_BYTES.set(waiting.bytes, place)
            REPORTS_LIMIT_BYTES.set(waiting.limit, place)
            REPORTS_OLDEST_SECONDS.set(waiting.oldest_seconds, place)

    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        """Store a report; see `Statistics`."""
        started = time.monotonic()
        interaction = parse_interaction(
            metadata,
            data,
            timestamp=time.time_ns() // 1_000_000,
            server=self._server,
            file_limit=self.context.settings[FILE_LIMIT],
        )
        try:
            self._transport.store(interaction)
        except StatisticsNotStored:
            REPORTS.inc("failed")
            raise
        except Exception as err:
            REPORTS.inc("failed")
            if not isinstance(err, GeventcoreError):
                self.log.exception("%s: cannot store the report", metadata.hostname)
            raise StatisticsNotStored(f"cannot store the report of {metadata.hostname}: {err}") from err
        self.context.measure("Reporting:process_statistics", time.monotonic() - started)

    # -- queries

    def _database(self) -> Database:
        try:
            return self.context.reporting_database
        except (ConfigError, StorageError) as err:
            raise PluginExecutionError(f"cannot read reports: {err}") from err

    def _last_interaction(self, client: str) -> Interaction:
        from geventcore.storage.report_queries import last_interaction

        try:
            found = self._database().read(lambda connection: last_interaction(connection, client), snapshot=True)
        except StorageError as err:
            raise PluginExecutionError(f"cannot read reports: {err}") from err
        if found is None:
            raise PluginExecutionError(f"{client} has not reported yet")
        return found

    def get_extra(self, client: str) -> list[tuple[str, str, str | None]]:
        """See `PullSource.get_extra`."""
        extra = self._last_interaction(client).of_kind(EntryKind.EXTRA)
        return [(state.tag, state.name, state.get("type")) for state in extra]

    def get_current_entry(
        self, client: str, entry_tag: str, entry_name: str
    ) -> tuple[str | None, str | None, str | None, bytes | None]:
        """See `PullSource.get_current_entry`; `PluginExecutionError` if the last report does not have the entry."""
        interaction = self._last_interaction(client)
        for kind in (EntryKind.BAD, EntryKind.EXTRA, EntryKind.MODIFIED):
            for state in interaction.of_kind(kind):
                if (state.tag, state.name) == (entry_tag, entry_name):
                    return (*_ownership(state), _content_of(client, state))
        raise PluginExecutionError(f"the last report of {client} does not have {entry_tag}:{entry_name}")

    # -- remote methods; the names are Bcfg2's

    def Ping(self) -> str:  # noqa: N802
        """Return a fixed text, to show that the plugin is loaded."""
        return "Pong"

    def GetExtra(self, client: str) -> list[tuple[str, str, str | None]]:  # noqa: N802
        """Return the entries on a client that its configuration does not have: ``[tag, name, type]``."""
        return self.get_extra(client)

    def GetCurrentEntry(  # noqa: N802
        self, client: str, entry_type: str, entry_name: str
    ) -> tuple[str | None, str | None, str | None, bytes | None]:
        """Return the state of an entry on a client: ``[owner, group, mode, content]``."""
        return self.get_current_entry(client, entry_type, entry_name)


def _ownership(state: EntryState) -> tuple[str | None, str | None, str | None]:
    values = dict(state.attributes)
    owner, group, mode = (values.get(f"current_{name}") or values.get(name) for name in ("owner", "group", "mode"))
    return owner, group, mode


def _content_of(client: str, state: EntryState) -> bytes | None:
    """Return the content of a file on a client; None if the content is correct, or the entry is not a file."""
    if (state.get("sensitive") or "").lower() == "true":
        raise PluginExecutionError(f"{state.label} is sensitive: its content on {client} was not stored")
    content = state.content
    if content is None:
        return None
    if content.kind == "content":
        return base64.b64decode(content.data)
    if content.kind == "diff":
        return "\n".join(difflib.restore(content.data.split("\n"), 1)).encode()
    raise PluginExecutionError(
        f"{state.label}: the report of {client} does not have the exact content ({content.kind})"
    )
