"""The tables as SQL text, for administrators who read or make them by themselves."""

from __future__ import annotations

from sqlalchemy.schema import CreateIndex, CreateTable

from geventcore.storage.config import DatabaseConfig
from geventcore.storage.engine import make_engine
from geventcore.storage.tables import all_tables


def creating_statements(config: DatabaseConfig) -> list[str]:
    """Return the statements that make all tables and indexes, for a database, without connecting to it."""
    engine = make_engine(config)
    try:
        tables = all_tables().sorted_tables
        statements = [str(CreateTable(table).compile(dialect=engine.dialect)) for table in tables]
        for table in tables:
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                statements.append(str(CreateIndex(index).compile(dialect=engine.dialect)))
        return [statement.strip() for statement in statements]
    finally:
        engine.dispose()
