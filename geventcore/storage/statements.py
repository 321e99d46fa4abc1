"""Statements that differ between the kinds of databases.

All take any number of rows. PostgreSQL gets one array for each column, so that the text of the statement is always the
same and parsed once. A set of parameters for each row would need a message, or a longer text, for each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Executable, String, Table, Text, any_, bindparam, func, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError

#: MySQL's error for a duplicate key.
_DUPLICATE_NUMBER = 1062

Rows = Sequence[Mapping[str, Any]]


def insert_or_update(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, or update the given columns of rows with the same primary keys.

    There must be at least one row, all with the same columns and with different keys. The rows stay locked until the
    end of the transaction.
    """
    _insert(connection, table, rows, updates=True)


def insert_missing(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert the rows that do not exist. There must be at least one row, all with the same columns."""
    _insert(connection, table, rows, updates=False)


def _insert(connection: Connection, table: Table, rows: Rows, *, updates: bool) -> None:
    names = tuple(column.name for column in table.columns if column.name in rows[0])
    dialect = connection.dialect.name
    statement = _statement(dialect, table, names, updates)
    if dialect == "postgresql":
        connection.execute(statement, {_array(name): [row[name] for row in rows] for name in names})
    else:
        connection.execute(statement, [dict(row) for row in rows])


def insert_if_missing(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its primary key exists. Return whether it was inserted."""
    if connection.dialect.name == "mysql":
        try:
            connection.execute(mysql.insert(table).values(dict(values)))
        except IntegrityError as err:
            if err.orig is None or err.orig.args[0] != _DUPLICATE_NUMBER:
                raise
            # The error undoes only this statement. INSERT IGNORE would also truncate long values.
            return False
        return True
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    return connection.execute(insert.values(dict(values)).on_conflict_do_nothing()).rowcount > 0


def is_among(dialect: str, column: Column[Any], parameter: str) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values in the list parameter `name`."""
    if dialect == "postgresql":
        return column == any_(bindparam(parameter, type_=_array_type(column)))
    return column.in_(bindparam(parameter, expanding=True))


def _array_type(column: Column[Any]) -> postgresql.ARRAY[Any]:
    # A cast to a type with a length would truncate silently.
    return postgresql.ARRAY(Text() if isinstance(column.type, String) else column.type)


def _array(name: str) -> str:
    """Return the name of the parameter for the values of a column."""
    return f"all_{name}"


@cache
def _statement(dialect: str, table: Table, names: tuple[str, ...], updates: bool) -> Executable:
    columns = [table.c[name] for name in names]
    keys = [column for column in columns if column.primary_key]
    values = [column.name for column in columns if not column.primary_key]
    if dialect == "mysql":
        statement = mysql.insert(table)
        if not updates:
            # INSERT IGNORE would also truncate long values.
            return statement.on_duplicate_key_update({names[0]: table.c[names[0]]})
        return statement.on_duplicate_key_update({name: statement.inserted[name] for name in values})
    if dialect == "postgresql":
        arrays = (bindparam(_array(column.name), type_=_array_type(column)) for column in columns)
        given = func.unnest(*arrays).table_valued(*names).render_derived()
        insert: Any = postgresql.insert(table).from_select(names, select(given))
    else:
        insert = sqlite.insert(table).values({name: bindparam(name) for name in names})
    if not updates:
        return insert.on_conflict_do_nothing()  # type: ignore[no-any-return]
    return insert.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=keys, set_={name: insert.excluded[name] for name in values}
    )
