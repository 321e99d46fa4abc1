"""LocalFilesystem: the server writes reports to a directory, and ``geventcore report-collector`` takes them."""

from __future__ import annotations

from collections.abc import Mapping

from geventcore.errors import StatisticsNotStored
from geventcore.metrics.definitions import REPORTS
from geventcore.reporting.format import encode
from geventcore.reporting.options import SPOOL_LIMIT
from geventcore.reporting.sources import Source, SpoolSource
from geventcore.reporting.spool import Spool, Waiting
from geventcore.reporting.transports import Transport, TransportContext
from geventcore.storage.report_model import Interaction


def _spool(context: TransportContext) -> Spool:
    return Spool(context.directory / "work", lambda: context.settings()[SPOOL_LIMIT], context.offload)


class LocalFilesystem(Transport):
    """The transport that writes reports to files."""

    def __init__(self, context: TransportContext) -> None:
        super().__init__(context)
        self._spool = _spool(context)

    def store(self, interaction: Interaction) -> None:
        """See `Transport.store`."""
        try:
            self._spool.put(encode(interaction))
        except OSError as err:
            raise StatisticsNotStored(
                f"cannot store the report of {interaction.client}: {err.strerror or err}"
            ) from err
        REPORTS.inc("stored")

    def waiting(self) -> Mapping[str, Waiting]:
        """See `Transport.waiting`."""
        return {"directory": self._spool.waiting()}

    @classmethod
    def make_source(cls, context: TransportContext) -> Source:
        """The files."""
        return SpoolSource(_spool(context))
