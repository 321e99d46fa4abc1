"""The schema of a database: made, changed, and refused with the command that mends it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, column, inspect, select, text

from geventcore.cli.main import main
from geventcore.errors import SchemaMismatch
from geventcore.storage import migration
from geventcore.storage.clients import client_names
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.engine import make_engine
from geventcore.storage.migration import SchemaState
from geventcore.storage.schema import PREFIX
from geventcore.storage.tables import all_tables
from geventcore.testing.site_files import write_configuration
from tests.storage.test_database import adds
from tests.support.concurrent_calls import at_once
from tests.support.postgresql import database_section


def execute(config: DatabaseConfig, *statements: str) -> None:
    if config.is_file:
        Path(config.name).parent.mkdir(exist_ok=True)
    with make_engine(config).begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace('"', "`") if config.engine == "mysql" else statement))


def set_version(config: DatabaseConfig, version: str) -> None:
    execute(config, f"UPDATE {migration.VERSION_TABLE} SET version_num = '{version}'")


def tables(config: DatabaseConfig) -> set[str]:
    with make_engine(config).connect() as connection:
        return set(inspect(connection).get_table_names())


def test_the_migrations_make_the_tables_that_the_code_declares(config: DatabaseConfig) -> None:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"version_table": migration.VERSION_TABLE, "compare_type": True}
        )
        return list(compare_metadata(context, all_tables()))

    with make_engine(config).connect() as connection:
        assert compare(connection) == []


def test_every_table_says_what_it_is() -> None:
    for table in all_tables().sorted_tables:
        assert table.name.startswith(PREFIX)
        assert table.comment, table.name
        assert [column.name for column in table.columns if not column.comment] in ([], ["id"]), table.name


def test_versions_follow_each_other() -> None:
    versions = migration.versions()
    assert versions == [f"{number:04}" for number in range(1, len(versions) + 1)]
    previous = None
    for version in versions:
        (path,) = (migration.MIGRATIONS / "versions").glob(f"{version}_*.py")
        found = dict(re.findall(r'^(revision|down_revision) = (?:None|"(\d+)")$', path.read_text(), re.MULTILINE))
        assert found == {"revision": version, "down_revision": previous or ""}
        previous = version


def test_a_database_without_tables_is_made_or_told(empty: DatabaseConfig) -> None:
    assert migration.schema_version(empty).state is SchemaState.EMPTY
    if not empty.is_file:
        with pytest.raises(SchemaMismatch, match="has no tables of geventcore yet; run: geventcore db upgrade"):
            Database.open(empty)
        migration.upgrade(empty)
    database = Database.open(empty)
    assert database.read(client_names) == []
    database.close()
    assert migration.schema_version(empty).state is SchemaState.CURRENT


def test_an_upgrade_by_several_at_the_same_time_is_made_once(empty: DatabaseConfig) -> None:
    steps: list[str] = []
    assert at_once([lambda: migration.upgrade(empty, steps.append)] * 4) == [None] * 4
    assert len(steps) == len(migration.versions())


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0000", r"has schema version 0000, but this geventcore needs \d{4}; .*run: geventcore db upgrade"),
        ("9999", r"has schema version 9999, but this geventcore knows versions up to \d{4}; install the newer"),
    ],
)
def test_another_version_is_refused_with_what_mends_it(config: DatabaseConfig, version: str, message: str) -> None:
    set_version(config, version)
    with pytest.raises(SchemaMismatch, match=message):
        Database.open(config)


def test_a_newer_version_is_not_touched(config: DatabaseConfig) -> None:
    set_version(config, "9999")
    with pytest.raises(SchemaMismatch, match="install the newer"):
        migration.upgrade(config)
    assert migration.schema_version(config).found == "9999"


def test_a_database_of_bcfg2_is_recognised_and_not_damaged(empty: DatabaseConfig) -> None:
    execute(
        empty,
        "CREATE TABLE django_migrations (id INTEGER, name VARCHAR(99))",
        'CREATE TABLE "Server_metadataclientmodel" (hostname VARCHAR(255), version VARCHAR(31))',
        "INSERT INTO \"Server_metadataclientmodel\" VALUES ('old', '1.3.4')",
    )
    before = tables(empty)
    with pytest.raises(SchemaMismatch, match=f"is a Bcfg2 database; .*run: {migration.IMPORT_COMMAND}"):
        Database.open(empty)
    assert tables(empty) == before
    migration.upgrade(empty)
    assert before < tables(empty)
    database = Database.open(empty)
    database.write(adds("new"))
    rows = database.read(
        lambda connection: connection.execute(
            select(sqlalchemy.table("Server_metadataclientmodel", column("hostname"), column("version")))
        ).all()
    )
    assert [tuple(row) for row in rows] == [("old", "1.3.4")]
    database.close()


def test_tables_that_are_gone_are_told_with_what_mends_it(
    config: DatabaseConfig, open_database: Callable[..., Database]
) -> None:
    database = open_database(config)
    execute(config, f"DROP TABLE {PREFIX}client")
    with pytest.raises(SchemaMismatch, match="lacks tables or columns of this version"):
        database.read(client_names)
    with pytest.raises(SchemaMismatch, match="lacks tables or columns of this version"):
        database.write(adds("a"))


def test_the_commands_say_what_is_there_and_make_it(
    empty: DatabaseConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = tmp_path / "bcfg2.conf"
    write_configuration(configuration, {"server": {"repository": str(tmp_path)}, "database": database_section(empty)})

    def db(command: str) -> tuple[int, str]:
        status = main(["db", command, "-C", str(configuration)])
        return status, capsys.readouterr().out

    needed = migration.needed_version()
    assert db("current") == (1, f"{empty}: schema version none, needed {needed}\n")
    if not empty.is_file:
        status, output = db("check")
        assert status == 1
        assert "run: geventcore db upgrade" in output
    status, output = db("upgrade")
    assert status == 0
    assert output.endswith(f"{empty} upgraded to schema version {needed}\n")
    assert db("upgrade") == (0, f"{empty} has schema version {needed}: nothing to do\n")
    assert db("current") == (0, f"{empty}: schema version {needed}, needed {needed}\n")
    assert db("check") == (0, f"{empty} is usable\n")
    set_version(empty, "0000")
    status, output = db("check")
    assert status == 1
    assert "run: geventcore db upgrade" in output
