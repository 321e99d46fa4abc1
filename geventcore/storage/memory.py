"""A cache of the numbers of rows that never change.

It belongs to a writing connection, and is lost with it. During a transaction it may contain rows that the transaction
itself made. So every rollback, also one to a savepoint, clears it. After a commit all its rows are in the database.
Code that caches removable rows must know how long they cannot be removed.
"""

from __future__ import annotations

from sqlalchemy import Connection

#: Cached rows of a table. A hundred thousand take about ten megabytes.
LIMIT = 20_000

_KEY = "geventcore_memory"


def remembered(connection: Connection, table: str, period: int) -> dict[bytes, int]:
    """Return the cache of row key -> number, which the caller may extend. A new period starts with an empty cache."""
    tables: dict[str, tuple[int, dict[bytes, int]]] = connection.info.setdefault(_KEY, {})
    found = tables.get(table)
    if found is None or found[0] != period or len(found[1]) > LIMIT:
        found = tables[table] = period, {}
    return found[1]


def forget(connection: Connection) -> None:
    """Clear the cache after a rollback, before any row is added."""
    if not connection.invalidated:
        connection.info.pop(_KEY, None)
