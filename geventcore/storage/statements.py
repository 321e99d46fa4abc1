"""Statements that each kind of database spells in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite


def insert_or_update(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Have the row with that primary key hold those values. The row is locked until the end of the transaction."""
    everything = {**key, **values}
    if connection.dialect.name == "mysql":
        connection.execute(mysql.insert(table).values(everything).on_duplicate_key_update(dict(values)))
    else:
        insert = _insert(connection, table).values(everything)
        connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def insert_if_missing(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Add a row unless there is one with the same primary key; whether it was added."""
    if connection.dialect.name == "mysql":
        return connection.execute(mysql.insert(table).prefix_with("IGNORE").values(dict(values))).rowcount > 0
    insert = _insert(connection, table).values(dict(values)).on_conflict_do_nothing()
    return connection.execute(insert).rowcount > 0


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
