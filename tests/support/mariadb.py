"""A MariaDB server of its own for tests: made in a temporary directory, reached by a UNIX socket, ended with the tests.

`mariadb` is the fixture; a test that needs it is skipped where MariaDB is not installed.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.migration import SchemaState
from geventcore.storage.tables import all_tables
from geventcore.testing.live_site import wait_until

#: The administrator.
USER = "root"
#: Who the server runs as if the tests are root's, which it refuses to be run as.
ACCOUNT = "mysql"


def find_program(*names: str) -> str | None:
    """The first of these programs that there is: on the path, or where Debian has servers."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


class MariaDB:
    """One server.

    Attributes:
        directory: where the socket is, and everything else.
        connection_id: the statement that tells a connection its own number.
    """

    connection_id = "SELECT CONNECTION_ID()"

    def __init__(self, server: str, install: str) -> None:
        """Make and start a server. A crash of the machine may damage it."""
        self._numbers = itertools.count()
        # The name of a socket has room for 107 bytes, which pytest's own directories can fill.
        self.directory = Path(tempfile.mkdtemp(prefix="geventcore-mariadb-"))
        self.socket = self.directory / "socket"
        account = []
        if os.getuid() == 0:
            account = [f"--user={ACCOUNT}"]
            shutil.chown(self.directory, ACCOUNT, ACCOUNT)
        data = f"--datadir={self.directory / 'data'}"
        done = subprocess.run(
            [install, "--no-defaults", data, *account, "--auth-root-authentication-method=normal", "--skip-test-db"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        self._command = [
            *(server, "--no-defaults", data, *account, f"--socket={self.socket}", "--skip-networking"),
            *(f"--pid-file={self.directory / 'pid'}", f"--log-error={self.directory / 'log'}"),
            *(
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=32M",
                "--innodb-log-file-size=16M",
                "--innodb-flush-method=nosync",
            ),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._with_tables: DatabaseConfig | None = None
        self.start()

    def start(self) -> None:
        """Start it; return when it can be used."""
        self._process = process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers() -> bool:
            assert process.poll() is None, (self.directory / "log").read_text()
            with socket.socket(socket.AF_UNIX) as sock:
                try:
                    sock.connect(str(self.socket))
                    return bool(sock.recv(1))
                except OSError:
                    return False

        wait_until(answers, "MariaDB answers", seconds=60.0)

    def stop(self) -> None:
        """End it as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def remove(self) -> None:
        """End it and delete its files."""
        self.stop()
        shutil.rmtree(self.directory)

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """The rows that the last statement returns; all are committed at once."""
        import pymysql

        with (
            pymysql.connect(unix_socket=str(self.socket), user=USER, database=database, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def config(self, name: str, **details: Any) -> DatabaseConfig:
        """What the program has to know to use a database."""
        return DatabaseConfig("mysql", name, user=USER, host=str(self.socket), **details)

    def new_config(self, **details: Any) -> DatabaseConfig:
        """The same of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.config(name, **details)

    own_config = new_config

    def config_with_tables(self, **details: Any) -> DatabaseConfig:
        """The same of a database with the tables of this version and nothing in them.

        Tables take long to make, so those that another test has left as they were are used again.
        """
        config = self._with_tables
        if config is None or migration.schema_version(config).state is not SchemaState.CURRENT or self._lacks(config):
            config = self._with_tables = self.new_config()
            migration.upgrade(config)
        statements = (f"DELETE FROM {name}" for name in all_tables().tables)
        self.execute("SET foreign_key_checks = 0", *statements, database=config.name)
        return self.config(config.name, **details)

    def _lacks(self, config: DatabaseConfig) -> bool:
        found = {name for (name,) in self.execute("SHOW TABLES", database=config.name)}
        return not all_tables().tables.keys() <= found

    def end_connections(self, where: str) -> None:
        """Cut off all connections to a database, or one, given its number."""
        query = f"SELECT id FROM information_schema.processlist WHERE db = '{where}' OR id = '{where}'"
        for (number,) in self.execute(query):
            self.execute(f"KILL {number}")

    @staticmethod
    def sleep(seconds: float) -> str:
        """A statement that takes so long."""
        return f"SELECT SLEEP({seconds})"


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A server for all tests; whoever stops it starts it again."""
    pytest.importorskip("pymysql", reason="PyMySQL is not installed")
    server, install = find_program("mariadbd", "mysqld"), find_program("mariadb-install-db", "mysql_install_db")
    if server is None or install is None:
        pytest.skip("MariaDB (mariadbd, mariadb-install-db) is not installed")
    running = MariaDB(server, install)
    yield running
    running.remove()
