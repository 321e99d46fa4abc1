"""What is particular to database servers: they go away and come back."""

from __future__ import annotations

import gc
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
from tests.support.mariadb import MariaDB
from tests.support.postgresql import PostgreSQL
from tests.support.project import PROJECT

PATIENCE = 30.0

# The driver of MariaDB does not close a socket that could not be connected.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")

COOPERATION = """
from geventcore.cores.cooperation import patch_standard_library
patch_standard_library()
import gevent, sys, time
from sqlalchemy import text
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database

config = DatabaseConfig(*sys.argv[1:3], user=sys.argv[3], host=sys.argv[4])
sleep = text(sys.argv[5])
database = Database.open(config)
turns = 0

def count():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)

gevent.spawn(count)
waiters = [gevent.spawn(database.read, lambda c: c.execute(sleep)) for _ in range(8)]
waiters.append(gevent.spawn(database.write, lambda c: c.execute(sleep)))
gevent.joinall(waiters, raise_error=True)
print(turns)
"""


@pytest.fixture(autouse=True)
def collect_sockets() -> Iterator[None]:
    """Let the sockets that are left be found here, and not by another test."""
    yield
    gc.collect()


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> PostgreSQL | MariaDB:
    """A server for many databases."""
    found: PostgreSQL | MariaDB = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def config(server: PostgreSQL | MariaDB) -> DatabaseConfig:
    config = server.own_config(timeout=TIMEOUT)
    migration.upgrade(config)
    return config


def test_calls_fail_with_a_clear_error_while_it_is_gone_and_work_when_it_is_back(
    config: DatabaseConfig,
    open_database: Callable[..., Database],
    server: PostgreSQL | MariaDB,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database = open_database(config, timeout=0.5)
    database.write(adds("a"))
    database.check()
    server.stop()
    try:
        for _ in range(2):
            with pytest.raises(
                DatabaseUnavailable, match=f"{config.engine} database {config.name} .* cannot be reached"
            ):
                database.write(adds("b"))
            with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
                database.check()
        assert not database.is_available
        assert database.statistics().failures == 4
    finally:
        server.start()
    assert database.read(client_names) == ["a"]
    assert database.is_available
    database.write(adds("c"))
    assert database.read(client_names) == ["a", "c"]
    told = [record.getMessage() for record in caplog.records if record.name == "geventcore.storage.database"]
    assert [("cannot be reached" in message, "is available again" in message) for message in told] == [
        (True, False),
        (False, True),
    ]


def test_calls_that_come_during_a_restart_wait_for_its_end(
    config: DatabaseConfig, open_database: Callable[..., Database], server: PostgreSQL | MariaDB
) -> None:
    database = open_database(config)
    database.write(adds("a"))
    database.check()
    server.stop()
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
        server.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(map(str, results)) == ["a", "b"]


def test_a_transaction_that_was_cut_off_is_begun_again(
    config: DatabaseConfig, open_database: Callable[..., Database], server: PostgreSQL | MariaDB
) -> None:
    database = open_database(config)
    attempts = 0

    def cut_off_once(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        adds("a")(connection)
        if attempts == 1:
            server.end_connections(str(connection.execute(text(server.connection_id)).scalar()))
        adds("b")(connection)

    database.write(cut_off_once)
    assert attempts == 2
    assert database.read(client_names) == ["a", "b"]


def test_a_connection_that_was_cut_off_between_calls_is_replaced(
    config: DatabaseConfig, open_database: Callable[..., Database], server: PostgreSQL | MariaDB
) -> None:
    database = open_database(config)
    for name in ("a", "b", "c"):
        database.write(adds(name))
        assert database.read(client_names)[-1] == name
        server.end_connections(config.name)


def test_a_commit_that_nobody_saw_the_end_of_says_so(
    open_database: Callable[..., Database], postgresql: PostgreSQL
) -> None:
    config = postgresql.own_config(timeout=TIMEOUT)
    migration.upgrade(config)
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
    with pytest.raises(DatabaseUnavailable, match="the data may be stored or not"):
        database.write(adds("deadly"))
    database.write(adds("a"))
    assert database.read(client_names) == ["a"]


def test_a_statement_that_takes_too_long_is_ended(
    config: DatabaseConfig, open_database: Callable[..., Database], server: PostgreSQL | MariaDB
) -> None:
    database = open_database(config, timeout=0.5)
    for call in (database.read, database.write):
        with pytest.raises(StorageError, match=r"a statement took longer than \[database\] timeout"):
            call(lambda connection: connection.execute(text(server.sleep(60))))
    assert database.is_available
    assert database.read(client_names) == []


def test_waiting_for_it_lets_other_greenlets_go_on(config: DatabaseConfig, server: PostgreSQL | MariaDB) -> None:
    arguments = [config.engine, config.name, str(config.user), str(config.host), server.sleep(0.5)]
    done = subprocess.run(
        [sys.executable, "-c", COOPERATION, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10, "another greenlet had turns while nine waited for half a second"


def test_a_server_that_does_not_exist_is_named(server: PostgreSQL | MariaDB) -> None:
    engine = server.config("").engine
    config = DatabaseConfig(engine, "site", host="127.0.0.1", port=9, user="me", password="secret", timeout=0.2)
    with pytest.raises(DatabaseUnavailable, match=r"database site on 127\.0\.0\.1:9.*refused") as caught:
        Database.open(config)
    assert "secret" not in str(caught.value)
    with pytest.raises(DatabaseUnavailable, match=r"database .missing. does not exist|Unknown database 'missing'"):
        Database.open(server.config("missing", timeout=0.2))


def test_tables_are_in_the_schema_that_is_set(postgresql: PostgreSQL) -> None:
    config = postgresql.own_config(schema="site data", timeout=TIMEOUT)
    with pytest.raises(StorageError, match="schema"):
        migration.upgrade(config)
    postgresql.execute('CREATE SCHEMA "site data"', config.name)
    migration.upgrade(config)
    database = Database.open(config)
    database.write(adds("a"))
    assert database.read(client_names) == ["a"]
    database.close()
    assert postgresql.execute('SELECT hostname FROM "site data".geventcore_client', config.name) == [("a",)]


def test_what_writes_is_planned_for_tables_as_they_are_now(
    postgresql: PostgreSQL, open_database: Callable[..., Database]
) -> None:
    config = postgresql.own_config(timeout=TIMEOUT)
    migration.upgrade(config)
    database = open_database(config)
    for number in range(10):
        database.write(adds(f"h{number}"))
        database.check()
    query = text("SELECT count(*) FROM pg_prepared_statements")
    assert database.write(lambda connection: connection.execute(query).scalar()) == 0
    assert database.read(lambda connection: connection.execute(query).scalar()) != 0
