"""The check of ``geventcore db check``: can a server use a database?"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert

from geventcore.errors import StorageError
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.file_rights import require_writable
from geventcore.storage.migration import SchemaState, require_current, schema_version
from geventcore.storage.schema import CLIENT

#: A name that no client can have.
_TRIAL_NAME = "/geventcore db check/"


class _TrialOver(Exception):
    """Rolls the trial's transaction back."""


def check(config: DatabaseConfig) -> list[str]:
    """List the problems that prevent a server from using a database. Changes nothing."""
    try:
        version = schema_version(config)
        if config.is_file and version.state is SchemaState.EMPTY:
            # The server creates it when it starts.
            require_writable(config)
            return []
        require_current(version, config)
    except StorageError as err:
        return [str(err)]
    database = Database(config)
    try:
        database.write(_try_to_write)
    except _TrialOver:
        return []
    except StorageError as err:
        return [str(err)]
    finally:
        database.close()
    return []


def _try_to_write(connection: Connection) -> None:
    connection.execute(delete(CLIENT).where(CLIENT.c.hostname == _TRIAL_NAME))
    connection.execute(insert(CLIENT).values(hostname=_TRIAL_NAME))
    raise _TrialOver
