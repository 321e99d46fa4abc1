"""DirectStore: the server stores reports itself. Reports that arrive at the same time share a transaction."""

from __future__ import annotations

import logging

from geventcore.errors import ConfigError, DatabaseMisconfigured, DatabaseUnavailable, StorageError
from geventcore.options import Settings
from geventcore.reporting.delivery import DatabaseSink
from geventcore.reporting.journal import JournaledTransport
from geventcore.reporting.retention import remove_old_reports
from geventcore.reporting.transports import TransportContext
from geventcore.storage.config import reporting_config, with_place
from geventcore.storage.file_rights import require_writable
from geventcore.storage.migration import SchemaState, require_current, schema_version

log = logging.getLogger(__name__)


def check_database(settings: Settings) -> None:
    """Check the database at the start. The serving process creates a missing SQLite file later.

    Raises:
        ConfigError: reports could never be stored. An outage is no error, since it may end.
    """
    config = reporting_config(settings)
    try:
        version = schema_version(config)
        if not (config.is_file and version.state is SchemaState.EMPTY):
            require_current(version, config)
        require_writable(config)
    except DatabaseMisconfigured as err:
        raise ConfigError(str(with_place(err, settings, config))) from err
    except DatabaseUnavailable as err:
        log.warning("reports wait until the database is available: %s", err)
    except StorageError as err:
        raise ConfigError(str(err)) from err


class DirectStore(JournaledTransport):
    """The transport that stores reports in the database, or in a journal while the database is unavailable."""

    def __init__(self, context: TransportContext) -> None:
        check_database(context.settings())
        super().__init__(
            context,
            DatabaseSink(context.database),
            lambda: remove_old_reports(context.database(), context.settings()),
        )
