"""What is particular to SQLite: one file, many processes, threads that it runs in, disks that are full."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from geventcore.errors import DatabaseUnavailable, StorageError
from geventcore.storage import migration
from geventcore.storage.clients import client_names
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.inspection import check
from geventcore.storage.schema import CLIENT
from tests.storage.test_database import adds
from tests.support.project import PROJECT

WRITER = """
import sys, threading
from tests.storage.test_sqlite import adds
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database

database = Database.open(DatabaseConfig("sqlite3", sys.argv[1], timeout=60.0))
print("ready", flush=True)
sys.stdin.readline()

def write(thread):
    for number in range(30):
        database.write(adds(f"{sys.argv[2]}-{thread}-{number:02}"))

threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(database.statistics().commits)
"""


@pytest.fixture
def config(tmp_path: Path) -> DatabaseConfig:
    return DatabaseConfig("sqlite3", str(tmp_path / "etc/bcfg2.sqlite"), timeout=20.0)


def test_a_file_that_is_not_there_is_made(config: DatabaseConfig, open_database: Callable[..., Database]) -> None:
    database = open_database(config)
    database.write(adds("a"))
    assert database.read(client_names) == ["a"]
    with sqlite3.connect(config.name) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()


def test_a_file_is_made_without_a_line_about_each_step(
    config: DatabaseConfig, open_database: Callable[..., Database], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        open_database(config)
    assert [record for record in caplog.records if record.name.startswith("alembic")] == []


def test_commits_are_synchronous(config: DatabaseConfig, open_database: Callable[..., Database]) -> None:
    database = open_database(config)
    for call in (database.read, database.write):
        found = call(lambda connection: connection.execute(text("PRAGMA synchronous")).scalar())  # type: ignore[operator]
        assert found == 2, "FULL"


def test_processes_that_write_at_the_same_time_lose_nothing(config: DatabaseConfig) -> None:
    migration.upgrade(config)
    command = [sys.executable, "-W", "error", "-c", WRITER, config.name]
    writers = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        assert int(writer.communicate(timeout=120)[0]) > 0
        assert writer.returncode == 0
    database = Database.open(config)
    assert database.read(client_names) == sorted(
        f"{process}-{thread}-{number:02}" for process in range(4) for thread in range(4) for number in range(30)
    )
    database.close()


def test_a_file_that_is_made_by_several_processes_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "etc/bcfg2.sqlite"
    writers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WRITER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        for number in range(4)
    ]
    for writer in writers:
        assert int(writer.communicate("go\n", timeout=120)[0].split()[1]) > 0
        assert writer.returncode == 0


def test_it_works_only_where_blocking_is_allowed(config: DatabaseConfig, open_database: Any) -> None:
    with ThreadPoolExecutor(3) as executor:

        def offload(function: Callable[..., Any], *arguments: Any) -> Any:
            return executor.submit(function, *arguments).result()

        database = open_database(config, offload)
        here = threading.get_ident()

        def where(connection: Connection) -> int:
            connection.execute(text("SELECT 1"))
            return threading.get_ident()

        assert database.write(where) != here
        assert database.read(where) != here
        assert database.read(where, snapshot=True) != here


def test_somebody_who_keeps_it_locked_is_waited_for_but_not_for_ever(
    config: DatabaseConfig, open_database: Any
) -> None:
    database = open_database(config, timeout=0.3)
    with sqlite3.connect(config.name, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match=r"held the lock for longer than \[database\] timeout"):
            database.write(adds("a"))
        assert not database.is_writable
        assert database.read(client_names) == []
        other.execute("ROLLBACK")
    other.close()
    database.write(adds("b"))
    assert database.is_writable
    assert database.read(client_names) == ["b"]


def test_a_full_disk_is_told_once_and_harms_nothing(
    config: DatabaseConfig, open_database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(config)

    def fill(connection: Connection) -> None:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        connection.execute(insert(CLIENT), [{"hostname": f"{number:0200}"} for number in range(2000)])

    database.write(adds("a"))
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable, match="the disk is full"):
            database.write(fill)
        assert not database.is_writable
        assert database.is_available
        assert database.read(client_names) == ["a"]
    database.write(adds("b"))
    assert database.read(client_names) == ["a", "b"]
    told = [record.getMessage().removeprefix(str(database.config)) for record in caplog.records]
    assert told == [": the disk is full", " is writable again"]


def as_nobody(function: Callable[[], str]) -> str:
    """What a function returns in a process without root's rights."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writer, function().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return text


def test_rights_that_are_missing_are_told(config: DatabaseConfig) -> None:
    directory = Path(config.name).parent
    migration.upgrade(config)
    for path in directory.parents:
        if path.stat().st_uid == os.getuid() and path != path.parent:
            path.chmod(path.stat().st_mode | 0o055)
    directory.chmod(0o555)
    Path(config.name).chmod(0o444)
    try:
        assert "this user may not write" in as_nobody(lambda: " ".join(check(config)))
        Path(config.name).chmod(0)
        assert "cannot be opened; check the rights" in as_nobody(lambda: " ".join(check(config)))
    finally:
        directory.chmod(0o755)
    missing = replace(config, name=str(directory / "file/bcfg2.sqlite"))
    (directory / "file").touch()
    with pytest.raises(StorageError, match=r"the directory cannot be created: (File exists|Not a directory)"):
        migration.upgrade(missing)


def test_a_file_that_is_something_else_is_left_alone(config: DatabaseConfig) -> None:
    path = Path(config.name)
    path.parent.mkdir()
    path.write_text("the notes of an administrator, which are longer than the head of a database\n" * 20)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="the file is not a database"):
        Database.open(config)
    assert path.read_bytes() == before
