"""A PostgreSQL cluster of its own for tests: made in a temporary directory, reached by a UNIX socket, ended with the
tests.

`postgresql` is the fixture; a test that needs it is skipped where PostgreSQL is not installed.
"""

from __future__ import annotations

import copy
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geventcore.storage.config import DatabaseConfig

#: The cluster's administrator.
USER = "postgres"
#: Who the programs run as if the tests are root's, which they refuse to be run as.
ACCOUNTS = ("postgres", "nobody")


def find_programs() -> Path | None:
    """The directory with initdb and pg_ctl: on the path, or where Debian has them; the newest."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve()] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3].zfill(4))
    return candidates[-1].parent if candidates else None


class PostgreSQL:
    """One cluster.

    Attributes:
        directory: where the socket is, and everything else.
        connection_id: the statement that tells a connection its own number.
    """

    connection_id = "SELECT pg_backend_pid()"

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        """Make and start a cluster. Unless it is `durable`, a crash of the machine may damage it."""
        self._programs = programs
        self._numbers = itertools.count()
        # The name of a socket has room for 107 bytes, which pytest's own directories can fill.
        self.directory = Path(tempfile.mkdtemp(prefix="geventcore-postgresql-"))
        self._data = self.directory / "data"
        self._account: dict[str, Any] = {}
        if os.getuid() == 0:
            account = next(entry for entry in pwd.getpwall() if entry.pw_name in ACCOUNTS)
            self._account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.directory}'",
            "fsync": "on" if durable else "off",
            "max_connections": "60",
        }
        with (self._data / "postgresql.conf").open("a") as stream:
            stream.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            check=False,
            **self._account,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def start(self) -> None:
        """Start it; return when it can be used."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self.directory / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: ``immediate`` as a crash does, ``fast`` in an orderly way. Connections end in either case."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """End it and delete its files."""
        self.stop()
        shutil.rmtree(self.directory)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows that a statement returns; it is committed at once."""
        import psycopg

        with psycopg.connect(dbname=database, host=str(self.directory), user=USER, autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def copy_as_standby(self) -> PostgreSQL:
        """Start another cluster that follows this one and is read-only until it is promoted."""
        standby = copy.copy(self)
        standby.directory = Path(tempfile.mkdtemp(prefix="geventcore-postgresql-"))
        standby._data = standby.directory / "data"
        if self._account:
            os.chown(standby.directory, self._account["user"], self._account["group"])
        source = ("-h", str(self.directory), "-U", USER)
        self._run("pg_basebackup", "-D", str(standby._data), "-R", "-c", "fast", "--no-sync", *source)
        with (standby._data / "postgresql.conf").open("a") as stream:
            stream.write(f"unix_socket_directories = '{standby.directory}'\n")
        standby.start()
        return standby

    def promote(self) -> None:
        """Make a standby accept writes."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "promote")

    def new_database(self) -> str:
        """The name of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def config(self, name: str, **details: Any) -> DatabaseConfig:
        """What the program has to know to use a database."""
        return DatabaseConfig("postgresql", name, user=USER, host=str(self.directory), **details)

    def new_config(self, **details: Any) -> DatabaseConfig:
        """The same of a place without tables: a schema of a database that tests share, which is quickly made."""
        schema = f"schema{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.config("postgres", schema=schema, **details)

    def own_config(self, **details: Any) -> DatabaseConfig:
        """The same of a database that no other test uses."""
        return self.config(self.new_database(), **details)

    def end_connections(self, where: str) -> None:
        """Cut off all connections to a database, or one, given its number."""
        query = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE"
        self.execute(f"{query} datname = '{where}' OR pid::text = '{where}'")

    @staticmethod
    def sleep(seconds: float) -> str:
        """A statement that takes so long."""
        return f"SELECT pg_sleep({seconds})"


def database_section(config: DatabaseConfig) -> dict[str, str]:
    """The section ``[database]`` of a configuration file for a database."""
    section = {"engine": config.engine, "name": config.name, "schema": config.schema}
    return section if config.is_file else {**section, "user": str(config.user), "host": str(config.host)}


def make_cluster(*, durable: bool = False) -> PostgreSQL:
    """A new cluster; the test is skipped if that cannot be had here."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    return PostgreSQL(programs, durable=durable)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A cluster for all tests; whoever stops it starts it again."""
    cluster = make_cluster()
    yield cluster
    cluster.remove()
