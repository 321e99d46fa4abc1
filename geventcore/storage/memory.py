"""What is remembered of rows that never change: their numbers, so that nobody has to ask for them again.

It belongs to a connection that writes, and is lost with it. While a transaction is under way, rows that it has made
itself may be among them, so everything is forgotten when something is rolled back, be it to a savepoint; what has been
remembered until a commit is in the database for good. Whoever remembers rows that can be removed has to know until when
they cannot.
"""

from __future__ import annotations

from sqlalchemy import Connection

#: Rows of a table that are remembered. A hundred thousand take about ten megabytes.
LIMIT = 20_000

_KEY = "geventcore_memory"


def remembered(connection: Connection, table: str, period: int) -> dict[bytes, int]:
    """Key of a row -> its number, as far as known; what is added is remembered. Another period starts with nothing."""
    tables: dict[str, tuple[int, dict[bytes, int]]] = connection.info.setdefault(_KEY, {})
    found = tables.get(table)
    if found is None or found[0] != period or len(found[1]) > LIMIT:
        found = tables[table] = period, {}
    return found[1]


def forget(connection: Connection) -> None:
    """Something was rolled back. Must be called before anything is remembered again."""
    if not connection.invalidated:
        connection.info.pop(_KEY, None)
