"""Databases of Bcfg2 1.3.4, made by itself (see `make_fixtures`), and the same as 1.4 has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geventcore.storage.config import DatabaseConfig
from tests.support.postgresql import PostgreSQL

HERE = Path(__file__).parent
SQLITE, POSTGRESQL = HERE / "bcfg2-1.3.4-sqlite.sql", HERE / "bcfg2-1.3.4-postgresql.sql"

#: What 1.4's migration of reports does to the tables of 1.3.
TO_1_4 = [
    f'ALTER TABLE "Reporting_interaction" ADD COLUMN "{name}" boolean NOT NULL DEFAULT false'
    for name in ("dry_run", "only_important")
]


@dataclass
class LegacyDatabase:
    """A database as Bcfg2 left it.

    Attributes:
        config: which one.
        where: how the command line names it.
        execute: does a statement, as Bcfg2 or an administrator would.
    """

    config: DatabaseConfig
    where: str
    execute: Callable[[str], list[tuple[Any, ...]]]

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of Bcfg2's tables."""
        if self.config.is_file:
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        else:
            query = f"SELECT tablename FROM pg_tables WHERE schemaname = '{self.config.schema}'"
        names = sorted(name for (name,) in self.execute(query) if not name.startswith("geventcore_"))
        return {name: sorted(self.execute(f'SELECT * FROM "{name}"'), key=repr) for name in names}


def sqlite_database(file: Path) -> LegacyDatabase:
    """A new file."""

    def execute(statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(file)
        try:
            rows = connection.execute(statement).fetchall()
            connection.commit()
            return rows
        finally:
            connection.close()

    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file)
    connection.executescript(SQLITE.read_text())
    connection.close()
    return LegacyDatabase(DatabaseConfig("sqlite3", str(file), timeout=20.0), str(file), execute)


def postgresql_database(cluster: PostgreSQL, zone: str | None = None) -> LegacyDatabase:
    """A new schema; in a new database whose own time zone is `zone`, if one is given."""
    config = cluster.new_config(timeout=20.0)
    if zone is not None:
        config = cluster.config(cluster.new_database(), timeout=20.0)
        cluster.execute(f"ALTER DATABASE {config.name} SET timezone = '{zone}'")
    cluster.execute(POSTGRESQL.read_text().replace("public.", f"{config.schema}."), config.name)

    def execute(statement: str) -> list[tuple[Any, ...]]:
        import psycopg

        options = f"-c search_path={config.schema}"
        place = {"dbname": config.name, "host": config.host, "user": config.user}
        with psycopg.connect(**place, options=options, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    host = str(config.host).replace("/", "%2F")
    where = f"postgresql://{config.user}@{host}/{config.name}?schema={config.schema}"
    return LegacyDatabase(config, where, execute)


def add_reports(old: LegacyDatabase, number: int, *, entries: bool = True) -> None:
    """Add reports of the first client, a minute after the other, that have all that its first one has."""
    (last,) = old.execute('SELECT max(id) FROM "Reporting_interaction"')[0]
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
    if old.config.is_file:
        time = "datetime('2015-01-01 00:00:00', '+' || i || ' minutes')"
    else:
        time = "timestamp '2015-01-01 00:00:00' + i * interval '1 minute'"
    columns = (
        "state, repo_rev_code, server, good_count, total_count, bad_count, modified_count, extra_count, profile_id"
    )
    old.execute(
        f'{numbers} INSERT INTO "Reporting_interaction" (id, client_id, timestamp, {columns}) '
        f'SELECT {last} + i, client_id, {time}, {columns} FROM n, "Reporting_interaction" WHERE id = 1'
    )
    parts = ["actions", "failures", "packages", "paths", "services", "groups", "bundles"] if entries else []
    for part in parts:
        column = {"failures": "failureentry"}.get(part, part[:-1] + ("" if part in ("groups", "bundles") else "entry"))
        old.execute(
            f'{numbers} INSERT INTO "Reporting_interaction_{part}" (interaction_id, {column}_id) '
            f'SELECT {last} + i, {column}_id FROM n, "Reporting_interaction_{part}" WHERE interaction_id = 1'
        )
