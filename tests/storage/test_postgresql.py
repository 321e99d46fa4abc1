"""What is particular to a database server: it goes away and comes back."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, text

from geventcore.errors import DatabaseUnavailable, StorageError
from geventcore.storage import migration
from geventcore.storage.clients import client_names
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from tests.storage.conftest import TIMEOUT
from tests.storage.test_database import adds
from tests.support.live_server import PROJECT
from tests.support.postgresql import PostgreSQL

PATIENCE = 30.0

COOPERATION = """
from geventcore.cores.cooperation import patch_standard_library
patch_standard_library()
import gevent, sys, time
from sqlalchemy import text
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database

config = DatabaseConfig("postgresql", sys.argv[1], user="postgres", host=sys.argv[2])
database = Database.open(config)
turns = 0

def count():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)

gevent.spawn(count)
waiters = [gevent.spawn(database.read, lambda c: c.execute(text("SELECT pg_sleep(0.5)"))) for _ in range(8)]
waiters.append(gevent.spawn(database.write, lambda c: c.execute(text("SELECT pg_sleep(0.5)"))))
gevent.joinall(waiters, raise_error=True)
print(turns)
"""


@pytest.fixture
def config(postgresql: PostgreSQL) -> DatabaseConfig:
    config = postgresql.config(postgresql.new_database(), timeout=TIMEOUT)
    migration.upgrade(config)
    return config


@pytest.fixture
def stopped(postgresql: PostgreSQL) -> Iterator[Callable[[], None]]:
    """Call it to stop the server, which is started again at the end."""
    is_stopped = False

    def stop() -> None:
        nonlocal is_stopped
        postgresql.stop()
        is_stopped = True

    yield stop
    if is_stopped:
        postgresql.start()


def test_calls_fail_with_a_clear_error_while_it_is_gone_and_work_when_it_is_back(
    config: DatabaseConfig,
    open_database: Callable[..., Database],
    postgresql: PostgreSQL,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database = open_database(config, timeout=0.5)
    database.write(adds("a"))
    database.check()
    postgresql.stop()
    try:
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match=f"postgresql database {config.name} .* cannot be reached"):
                database.write(adds("b"))
            with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
                database.check()
        assert not database.is_available
        assert database.statistics().failures == 4
    finally:
        postgresql.start()
    assert database.read(client_names) == ["a"]
    assert database.is_available
    database.write(adds("c"))
    assert database.read(client_names) == ["a", "c"]
    told = [record.getMessage() for record in caplog.records if record.name == "geventcore.storage.database"]
    assert [("cannot be reached" in message, "can be used again" in message) for message in told] == [
        (True, False),
        (False, True),
    ]


def test_calls_that_come_during_a_restart_wait_for_its_end(
    config: DatabaseConfig, open_database: Callable[..., Database], postgresql: PostgreSQL
) -> None:
    database = open_database(config)
    database.write(adds("a"))
    database.check()
    postgresql.stop()
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda: results.append(database.write(adds("b")))),
        threading.Thread(target=lambda: results.append(database.read(client_names)[0])),
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.3)
        assert results == []
    finally:
        postgresql.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(map(str, results)) == ["a", "b"]


def test_a_transaction_that_was_cut_off_is_begun_again(
    config: DatabaseConfig, open_database: Callable[..., Database], postgresql: PostgreSQL
) -> None:
    database = open_database(config)
    attempts = 0

    def cut_off_once(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        adds("a")(connection)
        if attempts == 1:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            postgresql.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
        adds("b")(connection)

    database.write(cut_off_once)
    assert attempts == 2
    assert database.read(client_names) == ["a", "b"]


def test_a_connection_that_was_cut_off_between_calls_is_replaced(
    config: DatabaseConfig, open_database: Callable[..., Database], postgresql: PostgreSQL
) -> None:
    database = open_database(config)
    for name in ("a", "b", "c"):
        database.write(adds(name))
        assert database.read(client_names)[-1] == name
        postgresql.execute(
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{config.name}'"
        )


def test_a_commit_that_nobody_saw_the_end_of_says_so(
    config: DatabaseConfig, open_database: Callable[..., Database], postgresql: PostgreSQL
) -> None:
    database = open_database(config)
    postgresql.execute(
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER die AFTER INSERT ON geventcore_client DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.hostname = 'deadly') EXECUTE FUNCTION die();
        """,
        config.name,
    )
    with pytest.raises(DatabaseUnavailable, match="may have stored it or not"):
        database.write(adds("deadly"))
    database.write(adds("a"))
    assert database.read(client_names) == ["a"]


def test_a_statement_that_takes_too_long_is_ended(
    config: DatabaseConfig, open_database: Callable[..., Database]
) -> None:
    database = open_database(config, timeout=0.5)
    for call in (database.read, database.write):
        with pytest.raises(StorageError, match=r"a statement took longer than \[database\] timeout"):
            call(lambda connection: connection.execute(text("SELECT pg_sleep(60)")))
    assert database.is_available
    assert database.read(client_names) == []


def test_waiting_for_it_lets_other_greenlets_go_on(config: DatabaseConfig, postgresql: PostgreSQL) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COOPERATION, config.name, str(postgresql.directory)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10, "another greenlet had turns while nine waited for half a second"


def test_a_server_that_does_not_exist_is_named(postgresql: PostgreSQL) -> None:
    config = DatabaseConfig("postgresql", "site", host="127.0.0.1", port=9, user="me", password="secret", timeout=0.2)
    with pytest.raises(DatabaseUnavailable, match=r"database site on 127\.0\.0\.1:9.*refused") as caught:
        Database.open(config)
    assert "secret" not in str(caught.value)
    with pytest.raises(DatabaseUnavailable, match='database "missing" does not exist'):
        Database.open(postgresql.config("missing", timeout=0.2))


def test_tables_are_in_the_schema_that_is_set(postgresql: PostgreSQL) -> None:
    name = postgresql.new_database()
    config = postgresql.config(name, schema="site data", timeout=TIMEOUT)
    with pytest.raises(StorageError, match="schema"):
        migration.upgrade(config)
    postgresql.execute('CREATE SCHEMA "site data"', name)
    migration.upgrade(config)
    database = Database.open(config)
    database.write(adds("a"))
    assert database.read(client_names) == ["a"]
    database.close()
    assert postgresql.execute('SELECT hostname FROM "site data".geventcore_client', name) == [("a",)]
