"""Statements that each kind of database spells in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError

#: What MySQL says if there is a row with the same key.
_DUPLICATE_NUMBER = 1062


def insert_or_update(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Have the rows with these primary keys hold these values; other columns stay as they are. The rows, which have
    the same columns and of which there is at least one, are locked until the end of the transaction."""
    columns = [column for column in table.columns if column.name in rows[0]]
    values = [column.name for column in columns if not column.primary_key]
    given: list[dict[str, Any]] = [dict(row) for row in rows]
    if connection.dialect.name == "mysql":
        replacing = mysql.insert(table)
        connection.execute(
            replacing.on_duplicate_key_update({name: replacing.inserted[name] for name in values}), given
        )
        return
    insert = _insert(connection, table)
    keys = [column for column in columns if column.primary_key]
    upsert = insert.on_conflict_do_update(index_elements=keys, set_={name: insert.excluded[name] for name in values})
    if connection.dialect.name == "postgresql" and len(given) > 1:
        # What returns something goes to the server as one statement, and not as many.
        connection.execute(upsert.returning(keys[0]), given)
    else:
        connection.execute(upsert, given)


def insert_if_missing(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Add a row unless there is one with the same primary key; whether it was added."""
    if connection.dialect.name == "mysql":
        try:
            connection.execute(mysql.insert(table).values(dict(values)))
        except IntegrityError as err:
            if err.orig is None or err.orig.args[0] != _DUPLICATE_NUMBER:
                raise
            # Only the statement is undone. INSERT IGNORE would cut what is too long as well.
            return False
        return True
    insert = _insert(connection, table).values(dict(values)).on_conflict_do_nothing()
    return connection.execute(insert).rowcount > 0


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
