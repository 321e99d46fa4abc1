"""What is written is there, what fails is private, and nobody waits without end."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text, update

from geventcore.errors import DatabaseUnavailable, StorageError
from geventcore.storage.clients import client_names
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.schema import CLIENT
from geventcore.testing.live_site import wait_until
from tests.support.concurrent_calls import at_once

PATIENCE = 30.0


def adds(name: str) -> Callable[[Connection], str]:
    def add(connection: Connection) -> str:
        connection.execute(insert(CLIENT).values(hostname=name))
        return name

    return add


class Gate:
    """A write that is held back in its transaction, so that others gather behind it."""

    def __init__(self, database: Database) -> None:
        self._entered = threading.Event()
        self._open = threading.Event()
        self._thread = threading.Thread(target=database.write, args=(self._wait,))
        self._thread.start()
        assert self._entered.wait(PATIENCE)

    def _wait(self, connection: Connection) -> None:
        self._entered.set()
        assert self._open.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()
        self._thread.join(PATIENCE)


def behind_a_gate(database: Database, calls: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    """The results of functions that write in one transaction; failures are results, too."""
    return writes_behind_a_gate(database, [partial(database.write, call) for call in calls])


def writes_behind_a_gate(database: Database, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The same of what calls `database.write` or `write_item` by itself."""
    gate = Gate(database)
    with ThreadPoolExecutor(len(calls)) as executor:
        futures = []
        for number, call in enumerate(calls, 1):
            futures.append(executor.submit(call))
            wait_until(lambda count=number: len(database._group._waiting) == count, "the write waits in line")  # type: ignore[misc]
        gate.open()
        return [future.exception(PATIENCE) or future.result() for future in futures]


def test_a_write_is_there_when_it_returns(database: Database, open_database: Callable[..., Database]) -> None:
    assert database.write(adds("a")) == "a"
    assert open_database(database.config).read(client_names) == ["a"]


def test_writes_at_the_same_time_share_commits_and_each_one_is_there(database: Database) -> None:
    names = [f"h{number:03}" for number in range(200)]
    assert at_once([lambda name=name: database.write(adds(name)) for name in names]) == names  # type: ignore[misc]
    assert database.read(client_names) == names
    statistics = database.statistics()
    assert statistics.writes == 200
    assert statistics.commits < 200


def test_a_failure_is_private(database: Database) -> None:
    def fail(connection: Connection) -> None:
        adds("undone")(connection)
        raise LookupError("mine")

    database.write(adds("first"))
    before = database.statistics().commits
    results = behind_a_gate(database, [adds("a"), fail, adds("first"), adds("b"), adds("b"), adds("c")])
    assert results[0] == "a"
    assert isinstance(results[1], LookupError)
    assert isinstance(results[2], StorageError)
    assert results[3] == "b"
    assert isinstance(results[4], StorageError)
    assert results[5] == "c"
    assert database.statistics().commits - before == 2, "the gate's, and one for all"
    assert database.read(client_names) == ["a", "b", "c", "first"]


def test_items_that_wait_together_are_stored_by_one_call(database: Database) -> None:
    calls: list[list[str]] = []

    def add_all(connection: Connection, names: Sequence[str]) -> list[str]:
        calls.append(list(names))
        return [adds(name)(connection) for name in names]

    names = [f"h{number:02}" for number in range(30)]
    found = writes_behind_a_gate(
        database,
        [
            *(partial(database.write_item, add_all, name) for name in names[:20]),
            partial(database.write, adds("another")),
            *(partial(database.write_item, add_all, name) for name in names[20:]),
        ],
    )
    assert found == [*names[:20], "another", *names[20:]]
    assert calls == [names]
    assert database.read(client_names) == ["another", *names]


def test_an_item_that_fails_is_found_with_few_calls_and_undoes_nothing_of_others(database: Database) -> None:
    calls = 0

    def add_all(connection: Connection, names: Sequence[str]) -> list[str]:
        nonlocal calls
        calls += 1
        added = [adds(name)(connection) for name in names]
        if "h20" in names:
            raise LookupError("h20")
        return added

    database.write(adds("h41"))
    names = [f"h{number:02}" for number in range(64)]
    before = database.statistics().commits
    results = writes_behind_a_gate(database, [partial(database.write_item, add_all, name) for name in names])
    failed = {name: type(result) for name, result in zip(names, results, strict=True) if result != name}
    assert failed == {"h20": LookupError, "h41": StorageError}
    assert database.read(client_names) == sorted({*names} - {"h20"})
    assert database.statistics().commits - before == 2, "the gate's, and one for all"
    assert calls <= 25


def test_a_failure_alone_stores_nothing_and_harms_nobody(database: Database) -> None:
    def fail(connection: Connection) -> None:
        adds("undone")(connection)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        database.write(fail)
    database.write(adds("a"))
    assert database.read(client_names) == ["a"]


def test_a_commit_that_fails_fails_for_all(database: Database) -> None:
    if database.config.engine == "mysql":
        pytest.skip("MariaDB checks every constraint at once, so that nothing is left for the commit to find")

    def make_tables(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
        connection.execute(
            text("CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
        )

    def add_orphan(connection: Connection) -> None:
        connection.execute(text("INSERT INTO child VALUES (1)"))

    database.write(make_tables)
    results = behind_a_gate(database, [adds("a"), add_orphan, adds("b")])
    assert all(isinstance(result, StorageError) for result in results)
    assert len({id(result) for result in results}) == 3
    assert database.read(client_names) == []
    database.write(adds("c"))
    assert database.read(client_names) == ["c"]


def test_a_snapshot_is_one_state(database: Database, open_database: Callable[..., Database]) -> None:
    other = open_database(database.config)
    count = select(func.count()).select_from(CLIENT)

    def count_twice(connection: Connection) -> tuple[Any, Any]:
        before = connection.scalar(count)
        other.write(adds(f"new {before}"))
        return before, connection.scalar(count)

    assert database.read(count_twice, snapshot=True) == (0, 0)
    assert database.read(count_twice) == (1, 2)
    assert database.read(count_twice, snapshot=True) == (2, 2)


def test_connections_are_bounded_and_so_is_waiting_for_one(config: DatabaseConfig, open_database: Any) -> None:
    database = open_database(config, connections=1, timeout=0.3)
    entered, leave = threading.Event(), threading.Event()

    def stay(connection: Connection) -> None:
        entered.set()
        assert leave.wait(PATIENCE)

    thread = threading.Thread(target=database.read, args=(stay,))
    thread.start()
    assert entered.wait(PATIENCE)
    try:
        with pytest.raises(DatabaseUnavailable, match=r"all 1 connections of this process were busy for 0\.3 s"):
            database.check()
        # Writing has a connection of its own.
        database.write(adds("a"))
    finally:
        leave.set()
        thread.join(PATIENCE)
    assert database.read(client_names) == ["a"]


def test_what_a_reader_raises_comes_through_and_harms_nobody(config: DatabaseConfig, open_database: Any) -> None:
    database = open_database(config, connections=1)

    def fail(connection: Connection) -> None:
        connection.execute(select(CLIENT))
        raise LookupError("mine")

    for _ in range(3):
        with pytest.raises(LookupError, match="mine"):
            database.read(fail)
        with pytest.raises(StorageError, match="nothing"):
            database.read(lambda connection: connection.execute(text("SELECT * FROM nothing")))
    assert database.read(client_names) == []


def test_a_closed_database_refuses_calls(database: Database) -> None:
    database.check()
    database.close()
    database.close()
    with pytest.raises(StorageError, match="has been closed"):
        database.check()
    with pytest.raises(StorageError, match="has been closed"):
        database.write(adds("a"))


def test_a_forked_process_has_connections_of_its_own(database: Database) -> None:
    database.write(adds("parent"))
    assert database.read(client_names) == ["parent"]
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            database.write(adds("child"))
            if database.read(client_names) == ["child", "parent"] and database.statistics().connections >= 4:
                database.close()
                status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    database.write(adds("parent again"))
    assert database.read(client_names) == ["child", "parent", "parent again"]
    assert database.statistics().connections == 2


def test_transactions_in_each_others_way_both_succeed(database: Database, open_database: Any) -> None:
    other = open_database(database.config)
    for name in ("a", "b"):
        database.write(adds(name))
    barrier = threading.Barrier(2)

    def swap(first: str, second: str) -> Callable[[Connection], None]:
        def change(connection: Connection) -> None:
            connection.execute(update(CLIENT).where(CLIENT.c.hostname == first).values(version=first))
            # SQLite lets them in only one after the other, and a second attempt may be alone, too.
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(1.0)
            connection.execute(update(CLIENT).where(CLIENT.c.hostname == second).values(profile=first))

        return change

    results = at_once(
        [lambda: database.write(swap("a", "b")), lambda: other.write(swap("b", "a"))],
    )
    assert results == [None, None]
    rows = database.read(lambda connection: connection.execute(select(CLIENT.c.version, CLIENT.c.profile)).all())
    assert sorted(map(tuple, rows)) == [("a", "b"), ("b", "a")]
