"""The identity and state of a database server: which cluster, which generation of it, and whether it accepts writes.

A standby of PostgreSQL that is promoted begins a new *timeline*, and so does a cluster that is restored to an earlier
moment. Two primaries with the same system identifier and different timelines are a split brain.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from geventcore.storage.config import DatabaseConfig

_POSTGRESQL = """
SELECT (SELECT system_identifier FROM pg_control_system())::text,
       CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'
"""
_MYSQL = "SELECT @@global.server_id, 0, @@global.read_only"


@dataclass(frozen=True)
class DatabaseState:
    """The state of a database.

    Attributes:
        system: identifies the cluster; empty for SQLite.
        timeline: its generation, which grows with each promotion; 0 if the kind of database has none.
        is_read_only: true if it accepts no writes.
    """

    system: str = ""
    timeline: int = 0
    is_read_only: bool = False

    @property
    def generation(self) -> str:
        """Both parts of the identity as one text; empty if there is none."""
        return f"{self.system}/{self.timeline}" if self.system and self.timeline else ""


def read_state(connection: Connection, config: DatabaseConfig) -> DatabaseState:
    """Ask a database; a SQLite file has no state of this kind."""
    if config.is_file:
        connection.exec_driver_sql("SELECT 1").scalar()
        return DatabaseState()
    row = connection.exec_driver_sql(_POSTGRESQL if config.engine == "postgresql" else _MYSQL).one()
    return DatabaseState(str(row[0]), int(row[1]), bool(row[2]))
